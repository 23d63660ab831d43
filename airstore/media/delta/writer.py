"""Writing a delta: what of some blobs a site lacks that has others (docs/formats-media.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from airstore.core.durable import storage_errors
from airstore.core.image.digest import Digest
from airstore.core.progress import Advance
from airstore.media.delta import patch
from airstore.media.delta.difference import Difference, PlacedPiece, bases, difference
from airstore.media.delta.layout import Stream, write_head
from airstore.media.delta.notes import write_notes
from airstore.media.delta.patch import BASE, Carried
from airstore.media.delta.segments import SegmentWriter
from airstore.media.delta.table import STREAM, NewPiece, encode
from airstore.media.delta.tabling import tabled
from airstore.store.blobs import (
    WORKERS,
    BlobStore,
    ObjectReader,
    Outline,
    compress_solid,
    content,
    in_order,
    outline,
)

_COPY = 1 << 20


class Effort(StrEnum):
    """How much time smaller media are worth."""

    FAST = "fast"
    NORMAL = "normal"
    MAX = "max"

    @property
    def levels(self) -> dict[Stream, int]:
        """Of zstd, for each stream.

        What has no base may be gigabytes: 15 made 1 % less of a Debian root than 12, in four times as long.
        """
        patches = {Effort.FAST: 3, Effort.NORMAL: 17, Effort.MAX: 22}[self]
        whole = {Effort.FAST: 3, Effort.NORMAL: 12, Effort.MAX: 19}[self]
        return {Stream.WHOLE: whole, Stream.PATCHES: patches, Stream.NOTES: patches, Stream.CONTROLS: patches}


@dataclass(frozen=True)
class Task:
    """What a delta is about.

    Attributes:
        new: blobs that the site lacks.
        base: blobs that it has.
        places: of a blob; those of the same place in two releases are like each other.
    """

    new: Sequence[Digest]
    base: Sequence[Digest]
    places: Mapping[Digest, str]


def prepare(store: BlobStore, task: Task) -> PreparedDelta:
    """Find out what has to be carried.

    Args:
        store: has all blobs, those of the base included.
        task: which.

    Raises:
        NotFoundError, DamagedError: the store lacks a blob, or cannot read it.
    """
    reader = store.reader()
    new = [outline(reader, digest, named=True) for digest in task.new]
    old = [outline(reader, digest, named=True) for digest in task.base]
    return PreparedDelta(reader, new, old, difference(new, old, task.places))


@dataclass(frozen=True)
class PreparedDelta:
    """A delta that is about to be written."""

    reader: ObjectReader
    new: Sequence[Outline]
    old: Sequence[Outline]
    found: Difference

    @property
    def plain_bytes(self) -> int:
        """Bytes that the site lacks."""
        return sum(held.piece.size for held in self.found.news)

    def write(self, out: Path, effort: Effort, advance: Advance) -> None:
        """Write it to a file.

        Args:
            out: the file; its directory is there.
            effort: of compression.
            advance: called with every count of new plain bytes that were dealt with.

        Raises:
            DamagedError: the store cannot read a blob.
            StorageError: the disk is full or failed.
        """
        with (
            storage_errors(out),
            TemporaryFile(dir=out.parent) as file,
            ThreadPoolExecutor(WORKERS, thread_name_prefix="airstore-delta") as pool,
        ):
            sink = SegmentWriter(file, pool, effort.levels, WORKERS, advance)
            try:
                chosen = _chosen(self.reader, self.found)
                pieces = list(_written(self.reader, self.found, chosen, sink, pool, effort))
                sink.finish()
                notes = write_notes(self.found, chosen, pieces, sink.segments)
                sink.write(Stream.NOTES, notes, 0)
                sink.finish()
            finally:
                sink.cancel()
            table = tabled((self.new, self.old), self.found, pieces, sink.segments)
            _publish(out, encode(table), file, effort)


def _chosen(reader: ObjectReader, found: Difference) -> list[tuple[int, ...]]:
    """For each new piece the old ones that a patch is tried on."""
    numbers = bases(found, lambda piece: content(reader, piece))
    return [_fitting(each, found) for each in numbers]


def _fitting(numbers: Iterable[int], found: Difference) -> tuple[int, ...]:
    """As many bases as a site holds in memory."""
    taken: list[int] = []
    size = 0
    for number in numbers:
        size += found.olds[number].piece.size
        if size > BASE:
            break
        taken.append(number)
    return tuple(taken)


def _written(
    reader: ObjectReader,
    found: Difference,
    chosen: Iterable[tuple[int, ...]],
    sink: SegmentWriter,
    pool: Executor,
    effort: Effort,
) -> Iterator[NewPiece]:
    """Hand every new piece to the sink, in order."""

    def make(job: tuple[PlacedPiece, tuple[int, ...]]) -> tuple[NewPiece, Carried]:
        held, numbers = job
        new = content(reader, held.piece)
        olds = [content(reader, found.olds[number].piece) for number in numbers]
        made = patch.make(new, olds, open_archives=effort is not Effort.FAST)
        used = numbers if STREAM[made.kind] is Stream.PATCHES else ()
        return NewPiece(len(new), made.kind, len(made.data), used, made.view, len(made.control)), made

    for piece, made in in_order(pool, make, zip(found.news, chosen, strict=True)):
        sink.write(STREAM[piece.kind], made.data, piece.size)
        sink.write(Stream.CONTROLS, made.control, 0)
        yield piece


def _publish(out: Path, table: bytes, segments: BinaryIO, effort: Effort) -> None:
    compressed = compress_solid([table], effort.levels[Stream.PATCHES])
    segments.seek(0)
    with out.open("xb") as file:
        file.write(write_head(len(compressed), len(table)))
        file.write(compressed)
        while data := segments.read(_COPY):
            file.write(data)
