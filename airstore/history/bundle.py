"""The history on media: a git bundle that stock git can read, made here and imported by `Quarantine`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from airstore.core.durable import durable_file, storage_errors
from airstore.core.errors import UsageError
from airstore.history.git import Git, scratch
from airstore.history.header import BundleHeader
from airstore.history.names import MAIN, TAGS
from airstore.history.quarantine import Quarantine
from airstore.history.repository import History, ReleaseRef

__all__ = ["Quarantine", "create_bundle"]


def create_bundle(history: History, out: Path, to: str, base: str | None, *, git: Git | None = None) -> None:
    """Write the releases after ``base`` up to ``to`` as a git bundle of version 2; same input, same bytes.

    In the bundle, ``refs/heads/main`` is the commit of ``to``, wherever main has got to since.

    Args:
        history: read only.
        out: appears complete or not at all; a file of that name is replaced.
        to: version of the last release to bring.
        base: version of the last release the receiver has; None for the whole history.
        git: the program to use.

    Raises:
        NotFoundError: no such release, or no usable git.
        UsageError: ``base`` does not come before ``to``.
        DamagedError: the history is damaged.
        StorageError: the disk is full or failed.
    """
    releases = _range(history, to, base)
    tags = history.refs.tags()
    refs = {TAGS + release.version: tags[release.version] for release in releases}
    known = (history.find(base).commit,) if base else ()
    header = BundleHeader(known, {**refs, MAIN: releases[-1].commit})
    with storage_errors(out), tempfile.TemporaryDirectory(prefix="airstore-bundle-") as temporary:
        repository = scratch(Path(temporary) / "scratch.git", history.path)
        with durable_file(out, mode=0o644) as file:
            file.write(header.to_bytes())
            (git or Git()).pack(repository, header.refs.values(), known, file.write)


def _range(history: History, to: str, base: str | None) -> list[ReleaseRef]:
    last = history.find(to).sequence
    first = history.find(base).sequence if base else 0
    if first >= last:
        raise UsageError(
            f"release {base} does not come before release {to}: there is no history to bring",
            hint="name an earlier release as the base",
        )
    return [release for release in history.releases() if first < release.sequence <= last]
