"""Histories that another one is restored from: of another store, or the bundle on media."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import NotFoundError
from airstore.core.frozen import frozen
from airstore.core.leftovers import scratch_directory
from airstore.core.limits import LIMITS
from airstore.history.git.header import read_header
from airstore.history.git.names import HEADS
from airstore.history.git.program import Git
from airstore.history.git.scratch import scratch
from airstore.history.inspection import ref_files
from airstore.history.ledger import BRANCH
from airstore.history.repository import History

LEDGER = HEADS + BRANCH


@frozen
class Lender:
    """A history to restore from. Nothing of it is believed: ids say what an object is, signatures the rest.

    Attributes:
        path: of a bare repository.
        refs: what it calls what.
    """

    path: Path
    refs: Mapping[str, str]


def store_lender(history: Path, *, ledger: bool) -> Lender:
    """The history of another store; its ``ledger`` only where it is a copy of the same site.

    Raises:
        StorageError: it cannot be read.
    """
    refs = {ref: oid for ref, oid in ref_files(history).items() if oid and (ledger or ref != LEDGER)}
    return Lender(history, refs)


@contextmanager
def bundle_lender(bundle: Path, live: Path, git: Git | None = None) -> Iterator[Lender]:
    """What a bundle brings; it may rest on what the history that is restored still has.

    Raises:
        NotFoundError: no such bundle, or no usable git.
        DamagedError: it is not whole, or rests on what is damaged here.
        StorageError: the disk is full or failed.
    """
    with (
        tempfile.TemporaryDirectory(prefix="lender-", dir=bundle.parent) as directory,
        _opened(bundle) as number,
    ):
        with os.fdopen(os.dup(number), "rb") as file:
            header = read_header(file, str(bundle))
            repository = scratch(Path(directory) / "scratch.git", live)
            if not header.prerequisites:  # what is damaged here must not be in the way
                (repository / "objects" / "info" / "alternates").unlink()
            os.lseek(file.fileno(), file.tell(), os.SEEK_SET)
            (git or Git()).take_pack(repository, file, LIMITS.git_pack, str(bundle))
        yield Lender(repository, header.refs)


@contextmanager
def united(live: Path, lenders: Sequence[Lender], tags: Mapping[str, str]) -> Iterator[History]:
    """A throw-away repository that reads from all of them and knows just these tags, ref to object.

    Raises:
        StorageError: the disk is full or failed.
    """
    with scratch_directory("united") as directory:
        repository = scratch(Path(directory) / "scratch.git", live)
        lines = "".join(f"{path / 'objects'}\n" for path in [live, *(each.path for each in lenders)])
        with storage_errors(repository):
            (repository / "objects" / "info" / "alternates").write_text(lines)
            refs = "".join(f"{oid} {ref}\n" for ref, oid in sorted(tags.items()))
            (repository / "packed-refs").write_text(refs)
        yield History(repository)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as fault:
        raise NotFoundError(f"cannot read {path}: {fault.strerror}") from fault
    try:
        yield handle
    finally:
        os.close(handle)
