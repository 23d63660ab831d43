"""SQLite connections: settings and errors in one place."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from airstore.core.errors import DamagedError, StorageError

_IN_MEMORY = 50_000  # keys, some 6 MB; SQLite takes ten times as long
REBUILD_HINT = "run 'airstore check --rebuild-index'; the packs hold everything that the index does"

_Item = TypeVar("_Item")

_HINTS = {
    sqlite3.SQLITE_FULL: "free some space and run the same command again",
    sqlite3.SQLITE_CANTOPEN: "run airstore as the owner of the store",
    sqlite3.SQLITE_READONLY: "run airstore as the owner of the store, on a disk that may be written",
}


@contextmanager
def sqlite_errors(what: str) -> Iterator[None]:
    """Turn SQLite's errors about a database into ours.

    Raises:
        StorageError: the disk is full, read-only or failed, or another process holds the database.
        DamagedError: the file is not what SQLite wrote.
    """
    try:
        yield
    except sqlite3.OperationalError as fault:
        hint = _HINTS.get(getattr(fault, "sqlite_errorcode", 0) & 0xFF, "")
        raise StorageError(f"cannot use {what}: {fault}", hint=hint) from fault
    except sqlite3.DatabaseError as fault:
        raise DamagedError(f"{what} is damaged: {fault}", hint=REBUILD_HINT) from fault


def connect(name: str, *, durable: bool) -> sqlite3.Connection:
    """A connection in autocommit mode that threads may share under a lock.

    Args:
        name: a path; empty for a private database that spills to disk and vanishes with the connection.
        durable: whether a committed transaction must survive a power cut.
    """
    connection = sqlite3.connect(name, timeout=60, isolation_level=None, check_same_thread=False)
    try:
        # FULL does not make durable that the journal has gone: after a power cut it may be there again, and
        # takes the transaction back.
        connection.execute(f"PRAGMA synchronous={'EXTRA' if durable else 'OFF'}")
        if not durable:
            connection.execute("PRAGMA journal_mode=MEMORY")
    except BaseException:  # such as a file that is none of SQLite's
        connection.close()
        raise
    return connection


def portions(values: Sequence[bytes], most: int = 250) -> Iterator[Sequence[bytes]]:
    """Values in as many at a time as one statement should take; SQLite allows 999."""
    return (values[at : at + most] for at in range(0, len(values), most))


def batches(items: Iterable[_Item], most: int = 250) -> Iterator[list[_Item]]:
    """The same of items that come one by one."""
    items = iter(items)
    while batch := list(islice(items, most)):
        yield batch


def marks(count: int, mark: str = "?") -> str:
    """So many parameters of a statement."""
    return ",".join([mark] * count)


class KeySet:
    """A set of byte strings that stays small in memory however many there are: the first ones are there."""

    def __init__(self) -> None:
        self._first: set[bytes] = set()
        with sqlite_errors("temporary key set"):
            self._connection = connect("", durable=False)
            self._connection.execute("CREATE TABLE keys(key BLOB PRIMARY KEY) WITHOUT ROWID")
            self._connection.execute("BEGIN")

    def add(self, key: bytes) -> bool:
        """Whether the key is new."""
        return bool(self.add_all([key]))

    def add_all(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of the keys that are new.

        Few large statements: each of SQLite's steps lets go of the interpreter lock, and getting it back
        from busy threads takes longer than the step.
        """
        new = set(keys) - self._first
        if len(self._first) < _IN_MEMORY:  # and for good no more once there are so many
            self._first |= new
            return new
        for part in portions(list(new)):
            with sqlite_errors("temporary key set"):
                run = self._connection.execute
                known = run(f"SELECT key FROM keys WHERE key IN ({marks(len(part))})", part).fetchall()  # noqa: S608
                new.difference_update(key for (key,) in known)
        for part in portions(list(new)):
            with sqlite_errors("temporary key set"):
                self._connection.execute(f"INSERT INTO keys VALUES {marks(len(part), '(?)')}", part)  # noqa: S608
        return new

    def __contains__(self, key: bytes) -> bool:
        if key in self._first:
            return True
        with sqlite_errors("temporary key set"):
            query = self._connection.execute("SELECT 1 FROM keys WHERE key=?", (key,))
            return query.fetchone() is not None

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()
