"""The files of media as one run of bytes, whatever of them can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from airstore.core.frozen import frozen
from airstore.media.index import MediaIndex
from airstore.media.volumes.slices import Slice


@frozen
class PlacedSlice:
    """One slice, and where it begins in the run."""

    piece: Slice
    start: int

    def overlap(self, start: int, size: int) -> tuple[int, int]:
        """The bytes from ``start`` on that are in this part: where they begin in the run, and end."""
        return max(start, self.start), min(start + size, self.start + self.piece.size)


class Body:
    """Slices one after the other.

    Args:
        parts: of the files, in order.
        place: where a slice is, or would be.
    """

    def __init__(self, parts: list[PlacedSlice], place: Callable[[Slice], Path]) -> None:
        self.parts, self.place = parts, place

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(part.piece.size for part in self.parts)

    def read(self, start: int, size: int) -> bytes:
        """Bytes, with zeros for what cannot be read and for what is beyond the end."""
        data = bytearray(size)
        for part in self.within(start, size):
            first, last = part.overlap(start, size)
            found = _read(self.place(part.piece), first - part.start, last - first)
            data[first - start : first - start + len(found)] = found
        return bytes(data)

    def within(self, start: int, size: int) -> Iterator[PlacedSlice]:
        """The parts that have some of these bytes."""
        for part in self.parts:
            if part.start < start + size and part.start + part.piece.size > start:
                yield part


def files_of(index: MediaIndex, place: Callable[[Slice], Path]) -> Body:
    """All files that parity is computed of, in the order of their paths."""
    return Body(_parts(index, sorted(index.contents)), place)


def shards_of(index: MediaIndex, place: Callable[[Slice], Path]) -> Body:
    """The recovery shards."""
    return Body(_parts(index, [index.parity.shards] if index.parity else []), place)


def _parts(index: MediaIndex, paths: list[str]) -> list[PlacedSlice]:
    parts, start = [], 0
    for piece in (piece for path in paths for piece in index.slices(path)):
        parts.append(PlacedSlice(piece, start))
        start += piece.size
    return parts


def _read(path: Path, offset: int, size: int) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            return file.read(size) or b""
    except OSError:
        return b""  # a rotten sector or a missing file is what parity is for; digests tell
