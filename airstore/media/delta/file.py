"""A delta's file: its head, its table and its streams, as they are on media."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError
from airstore.media.delta.format.layout import HEAD, Stream, check_segments, read_head
from airstore.media.delta.format.segments import read_streams
from airstore.media.delta.format.table import DeltaTable, decode
from airstore.store.blobs import Feed, solid_chunks


class DeltaFile:
    """A delta that is read; no store is needed.

    Raises:
        DamagedError: it is no delta, or its table is damaged.
        StorageError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with storage_errors(path), path.open("rb") as file:
            head = read_head(file.read(HEAD))
            file.seek(head.size)
            table = b"".join(solid_chunks(file, *head.table))
            self.table: DeltaTable = decode(table, head)
            check_segments(head, self.table.segments, path.stat().st_size)
        self._start = head.size + head.table[0]

    def streams(self, temporary: Path | None = None) -> dict[Stream, Feed]:
        """The plain bytes of each stream; see `read_streams`."""
        return read_streams(self._path, self._start, self.table.segments, temporary)

    def notes(self) -> dict[str, Any] | None:
        """What is said about it for people; None where an older version wrote it.

        Raises:
            DamagedError: it is no such document.
        """
        from airstore.media.delta.notes import LARGEST, read_notes  # noqa: PLC0415 - for `media inspect` alone

        size = sum(segment.plain for segment in self.table.segments if segment.stream is Stream.NOTES)
        if size > LARGEST:
            raise DamagedError(f"the notes of a delta are {size} bytes; at most {LARGEST} are read")
        return read_notes(self.streams()[Stream.NOTES].take(size)) if size else None
