"""Writing a delta: what of some blobs a site lacks that has others (docs/formats-media.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from airstore.core.durable import storage_errors
from airstore.core.image.digest import Digest
from airstore.core.progress import Advance
from airstore.media.delta.carried import CarriedPieces
from airstore.media.delta.difference import Difference, Target, difference
from airstore.media.delta.layout import Stream, write_head
from airstore.media.delta.memory import DEFAULT, Memory, Workplace, body_memory
from airstore.media.delta.notes import write_notes
from airstore.media.delta.segments import SegmentWriter
from airstore.media.delta.table import STREAM, DeltaTable, encode
from airstore.media.delta.tabling import tabled
from airstore.media.delta.ways import Offer, Way, choose, maker, offers
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

    def shares(self, memory: int) -> Memory:
        """How so many bytes of memory are shared.

        Raises:
            UsageError: that is too little.
        """
        return Memory.shared(memory, max(self.levels.values()))


@dataclass(frozen=True)
class Task:
    """What a delta is about.

    Attributes:
        new: blobs that a site lacks.
        base: blobs that it has.
        places: of a blob; those of the same place in two releases are like each other.
        kinds: what of the base each kind of sites has, those that are behind most first; empty where all
            sites have all of it.
    """

    new: Sequence[Digest]
    base: Sequence[Digest]
    places: Mapping[Digest, str]
    kinds: Sequence[frozenset[Digest]] = ()

    @property
    def holders(self) -> list[int]:
        """The kinds of sites that have each blob of the base, as bits."""
        return [sum((blob in kind) << n for n, kind in enumerate(self.kinds)) or 1 for blob in self.base]


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
    kinds = max(len(task.kinds), 1)
    found = difference(new, old, task.places, task.holders, (1 << kinds) - 1)
    return PreparedDelta(reader, new, old, task, found)


@dataclass(frozen=True)
class PreparedDelta:
    """A delta that is about to be written."""

    reader: ObjectReader
    new: Sequence[Outline]
    old: Sequence[Outline]
    task: Task
    found: Difference

    @property
    def plain_bytes(self) -> int:
        """Bytes that a site lacks."""
        return sum(target.held.piece.size for target in self.found.targets)

    def write(self, out: Path, effort: Effort, advance: Advance, memory: int = DEFAULT) -> None:
        """Write it to a file.

        Args:
            out: the file; its directory is there.
            effort: of compression.
            advance: called with every count of new plain bytes that were dealt with.
            memory: bytes that all workers together take at most.

        Raises:
            UsageError: that is too little.
            DamagedError: the store cannot read a blob.
            StorageError: the disk is full or failed.
        """
        shares = effort.shares(memory)
        with (
            storage_errors(out),
            TemporaryFile(dir=out.parent) as file,
            ThreadPoolExecutor(WORKERS, thread_name_prefix="airstore-delta") as pool,
        ):
            place = Workplace(shares, pool)
            sink = SegmentWriter(file, place.compress, effort.levels, shares.segments, advance)
            try:
                carried = self._carried(sink, pool, place, effort)
                sink.finish()
                notes = write_notes(carried.noted, carried.pieces, sink.segments)
                sink.write(Stream.NOTES, notes, 0)
                sink.finish()
            finally:
                sink.cancel()
            table = tabled((self.new, self.old), self.found, carried, sink.segments)
            _publish(out, table, file, effort)

    def _carried(
        self, sink: SegmentWriter, pool: Executor, place: Workplace, effort: Effort
    ) -> CarriedPieces:
        """Hand every new piece to the sink, in order."""
        found, kinds = self.found, max(len(self.task.kinds), 1)
        offered = offers(found, kinds, lambda piece: content(self.reader, piece), place.base)

        def work(job: tuple[Target, tuple[Offer, ...]]) -> list[Way]:
            target, offered = job
            new = content(self.reader, target.held.piece)
            make = maker(new, self._old, place, open_archives=effort is not Effort.FAST)
            return choose(target, offered, make)

        carried, within = CarriedPieces(found), (self._weight, place.shares.bodies)
        jobs = list(zip(found.targets, offered, strict=True))
        for job, ways in zip(jobs, in_order(pool, work, jobs, within=within), strict=True):
            for way in carried.add(*job, ways):
                sink.write(STREAM[way.carried.kind], way.carried.data, carried.pieces[-1].size)
                sink.write(Stream.CONTROLS, way.carried.control, 0)
        return carried

    def _weight(self, job: tuple[Target, tuple[Offer, ...]]) -> int:
        """Bytes that a job holds while it is under way, and what comes of it."""
        target, offered = job
        new, olds = target.held.piece.size, self.found.olds
        bases = [sum(olds[n].piece.size for n in offer.bases) for offer in offered]
        return body_memory(new, max(bases)) + new * len(offered)

    def _old(self, number: int) -> bytes:
        return content(self.reader, self.found.olds[number].piece)


def _publish(out: Path, table: DeltaTable, segments: BinaryIO, effort: Effort) -> None:
    plain = encode(table)
    compressed = compress_solid([plain], effort.levels[Stream.PATCHES])
    segments.seek(0)
    with out.open("xb") as file:
        file.write(write_head(len(compressed), len(plain), table.version))
        file.write(compressed)
        while data := segments.read(_COPY):
            file.write(data)
