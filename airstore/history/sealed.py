"""What holds the ledger together: each entry names the one before it, its own files, and is signed.

git's SHA-1 links commits, too; trust does not rest on it. An entry that an airstore of before wrote has no
seal; the first sealed one after it pins it by content.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.parsing import strictjson
from airstore.history.repository import History

BRANCH = "ledger"
ENTRY, SIGNATURE = "entry.json", "entry.json.sig"
GAP = "gap"  # an entry that says which ones are lost


@frozen
class LedgerPlace:
    """One entry's place in the ledger.

    Attributes:
        number: counted from 1, lost ones too.
        digest: of its ``entry.json``.
    """

    number: int
    digest: Digest


@frozen
class Sealed:
    """One entry as it lies there, not verified.

    Attributes:
        data: its ``entry.json``.
        number: None in entries of before there were seals.
        previous: digest of the ``entry.json`` before; None for the first one.
        files: path to digest of what else belongs to it.
        signature: armored; None where there is none.
        gap: whether it says that entries before it are lost.
    """

    commit: str
    data: bytes
    number: int | None
    previous: Digest | None
    files: Mapping[str, Digest]
    signature: str | None
    gap: bool

    @property
    def digest(self) -> Digest:
        """What names it."""
        return Digest.of(self.data)


def links(history: History, files: Mapping[str, bytes], after: int | None) -> dict[str, Any]:
    """What a new entry says of the one before it and of its own files.

    Args:
        history: that it is written to.
        files: path to content of all but ``entry.json``.
        after: how many there were before, where some are lost; None where all are here.
    """
    before = tip(history)
    count = after if after is not None else before.number if before else 0
    return {
        "number": count + 1,
        "previous": str(before.digest) if before else None,
        "files": {path: str(Digest.of(content)) for path, content in sorted(files.items())},
    }


def tip(history: History, commit: str | None = None) -> LedgerPlace | None:
    """The place of the newest entry, or of one that is named; None where there is none.

    Raises:
        DamagedError: it does not read.
    """
    older = 0
    first: Sealed | None = None
    for sealed in walk(history, commit):
        first = first or sealed
        if sealed.number is not None:
            return LedgerPlace(sealed.number + older, first.digest)
        older += 1
    return LedgerPlace(older, first.digest) if first else None


def walk(history: History, commit: str | None = None) -> Iterator[Sealed]:
    """Every entry, newest first, or from one that is named.

    Raises:
        DamagedError: one does not read.
    """
    for each in history.ancestry(commit) if commit else history.entries(BRANCH):
        yield read(history, each)


def read(history: History, commit: str) -> Sealed:
    """One entry.

    Raises:
        DamagedError: it does not read.
    """
    what = f"ledger entry {commit[:12]}"
    try:
        data = history.read(commit, ENTRY)
    except NotFoundError as fault:
        raise DamagedError(f"{what} has no {ENTRY}") from fault
    document = strictjson.load_object(data, what)
    number, previous, files = (document.get(name) for name in ("number", "previous", "files"))
    if number is not None and not (isinstance(number, int) and isinstance(files, dict)):
        raise DamagedError(f"{what} is not of its form")
    return Sealed(
        commit,
        data,
        number,
        Digest(str(previous)) if previous else None,
        {path: Digest(str(digest)) for path, digest in (files or {}).items()},
        _signature(history, commit),
        document.get("action") == GAP,
    )


def file_faults(history: History, sealed: Sealed) -> Iterator[str]:
    """What of an entry's files is not as it says.

    Raises:
        DamagedError: an object does not read.
    """
    held = history.files(sealed.commit)
    own = {path: Digest.of(data) for path, data in held.items() if path not in {ENTRY, SIGNATURE}}
    yield from (path for path in sorted(own.keys() | sealed.files) if own.get(path) != sealed.files.get(path))


def _signature(history: History, commit: str) -> str | None:
    try:
        return history.read(commit, SIGNATURE).decode(errors="replace")
    except NotFoundError:
        return None
