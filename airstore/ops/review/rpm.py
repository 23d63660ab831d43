"""rpm's database in its SQLite form (rpm 4.16 and newer): names and versions out of the packages' headers.

A header is two numbers, both big-endian: how many index entries, how many bytes of data. Entries are tag,
type, offset, count, four bytes each; then the data (rpm, docs/manual/format_header.md). Only strings (type 6)
and the epoch (a 32-bit number, type 4) are looked at.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing

from airstore.core.errors import DamagedError

_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_COUNTS, _ENTRY, _NUMBER = struct.Struct(">II"), struct.Struct(">IIII"), struct.Struct(">I")
_STRING, _INT32 = 6, 4
_KEYS = "gpg-pubkey"  # not a package: a key that is trusted


def installed(database: bytes) -> Iterator[tuple[str, str]]:
    """Name and version (``[EPOCH:]VERSION-RELEASE``) of each package in ``rpmdb.sqlite``.

    Raises:
        DamagedError: it is no such database.
    """
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            # Read-only and without a journal: the file was copied out of an image while nobody wrote it.
            connection.deserialize(_without_journal(database))
            rows = connection.execute("SELECT blob FROM Packages").fetchall()
    except (sqlite3.Error, MemoryError) as fault:
        raise DamagedError(f"rpm's database cannot be read: {fault}") from fault
    for (header,) in rows:
        found = _package(header if isinstance(header, bytes) else b"")
        if found and found[0] != _KEYS:
            yield found


def _without_journal(database: bytes) -> bytes:
    """The same, not in write-ahead mode: SQLite opens no such database in memory (fileformat2, 1.3.3)."""
    return database[:18] + b"\1\1" + database[20:] if database[18:20] == b"\2\2" else database


def _package(header: bytes) -> tuple[str, str] | None:
    try:
        count, size = _COUNTS.unpack_from(header)
        start = _COUNTS.size + count * _ENTRY.size
        if start + size > len(header):
            return None
        found = {
            tag: _value(header, start + offset, kind)
            for tag, kind, offset, _ in _ENTRY.iter_unpack(header[_COUNTS.size : start])
            if tag in {_NAME, _VERSION, _RELEASE, _EPOCH}
        }
    except (struct.error, ValueError):  # cut off, or a text without its end
        return None
    if _NAME not in found:
        return None
    epoch = f"{found[_EPOCH]}:" if found.get(_EPOCH, "0") != "0" else ""
    return found[_NAME], f"{epoch}{found.get(_VERSION, '')}-{found.get(_RELEASE, '')}"


def _value(header: bytes, at: int, kind: int) -> str:
    if kind == _INT32:
        return str(_NUMBER.unpack_from(header, at)[0])
    return header[at : header.index(b"\0", at)].decode(errors="replace") if kind == _STRING else ""
