"""The history on media: a git bundle that stock git can read, made here and imported by `Quarantine`."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from airstore.core.durable import durable_file, storage_errors
from airstore.core.errors import UsageError
from airstore.core.leftovers import scratch_directory
from airstore.history.exchange.quarantine import Quarantine
from airstore.history.git.header import BundleHeader
from airstore.history.git.names import MAIN, TAGS, is_version
from airstore.history.git.program import Git
from airstore.history.git.scratch import scratch
from airstore.history.reader import FoundRelease
from airstore.history.repository import History

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
    last, first = history.find(to), history.find(base) if base else None
    if first and first.later <= last.later:
        raise UsageError(
            f"release {first.version} does not come before release {last.version}: there is no history to"
            " bring",
            hint="name an earlier release as the base",
        )
    known = (first.commit,) if first else ()
    header = BundleHeader(known, {**_tags(history, last, first), MAIN: last.commit})
    with storage_errors(out), scratch_directory("bundle") as temporary:
        repository = scratch(Path(temporary) / "scratch.git", history.path)
        with durable_file(out, mode=0o644) as file:
            file.write(header.to_bytes())
            (git or Git()).pack(repository, header.refs.values(), known, file.write)


def _tags(history: History, last: FoundRelease, first: FoundRelease | None) -> dict[str, str]:
    """Ref to tag object of the releases after ``first`` up to ``last``; reads no others."""
    since = first.commit if first else None
    commits = list(takewhile(lambda commit: commit != since, history.walk(last.commit)))
    found = dict(filter(None, (_tag(history, commit) for commit in commits)))
    if len(found) < len(commits):  # the message of a commit says what it likes: every tag is asked
        tags, brought = history.refs.tags(), set(commits)
        named = [each.version for each in history.releases() if each.commit in brought]
        return {TAGS + version: tags[version] for version in named}
    return found


def _tag(history: History, commit: str) -> tuple[str, str] | None:
    """Ref and object of the tag that a release's message speaks of, if that is its tag."""
    version = history.commit(commit).message.split()[-1:]
    oid = history.refs.get(TAGS + version[0]) if version and is_version(version[0]) else None
    if oid is None or history.read_tag(version[0], oid).target != commit:
        return None
    return TAGS + version[0], oid
