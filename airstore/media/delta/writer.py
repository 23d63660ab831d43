"""Writing a delta: what of some blobs a site lacks that has others (docs/formats-media.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import field, replace
from functools import cache, partial
from itertools import chain, repeat
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

from airstore.core.durable import storage_errors
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.progress import Advance, Progress
from airstore.media.delta.effort import Effort
from airstore.media.delta.format.layout import Stream, write_head
from airstore.media.delta.format.packing import MachineCode
from airstore.media.delta.format.segments import SegmentWriter
from airstore.media.delta.format.table import STREAM, DeltaTable, encode
from airstore.media.delta.making.carried import CarriedPieces
from airstore.media.delta.making.difference import Difference, Target, difference
from airstore.media.delta.making.machine import codes
from airstore.media.delta.making.memory import DEFAULT, Workplace, body_memory
from airstore.media.delta.making.narrowing import narrowed
from airstore.media.delta.making.tabling import tabled
from airstore.media.delta.making.ways import Offer, Way, choose, maker, offers
from airstore.media.delta.making.work import Work
from airstore.media.delta.notes import write_notes
from airstore.store.blobs import (
    WORKERS,
    BlobStore,
    ObjectReader,
    Outline,
    Piece,
    content,
    contents,
    in_order,
    outline,
)

_COPY = 1 << 20
_GROUP, _MOST = 256 << 10, 100  # bytes and pieces that are worked on together
_AHEAD = 64  # groups made before a large piece is, so that its worker is not alone; memory bounds them


@frozen
class Task:
    """What a delta is about.

    Attributes:
        new: blobs that a site lacks.
        base: blobs that it has.
        places: of a blob; those of the same place in two releases are like each other.
        kinds: what of the base each kind of sites has, those that are behind most first; empty where all
            sites have all of it.
        kept: what of the base is in the release as it is.
        older: what of the base only releases before the last one that sites have.
        copied: blobs that travel beside the delta as the registry has them, and their bytes; its notes tell.
    """

    new: Sequence[Digest]
    base: Sequence[Digest]
    places: Mapping[Digest, str]
    kinds: Sequence[frozenset[Digest]] = ()
    kept: frozenset[Digest] = frozenset()
    older: frozenset[Digest] = frozenset()
    copied: Mapping[Digest, int] = field(default_factory=dict)

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
    outlined = cache(partial(outline, reader, named=True))
    new = [outlined(digest) for digest in task.new]
    if task.kept or task.older:
        held = dict(zip(task.base, task.holders, strict=True))
        base = narrowed(reader, outlined, new, held, task.kept, task.older, task.places)
        task = replace(task, base=base)
    old = [outlined(digest) for digest in task.base]
    kinds = max(len(task.kinds), 1)
    found = difference(new, old, task.places, task.holders, (1 << kinds) - 1, task.kept)
    return PreparedDelta(reader, new, old, task, found)


@frozen
class PreparedDelta:
    """A delta that is about to be written."""

    reader: ObjectReader
    new: Sequence[Outline]
    old: Sequence[Outline]
    task: Task
    found: Difference

    def write(self, out: Path, effort: Effort, progress: Progress, memory: int = DEFAULT) -> None:
        """Write it to a file.

        Args:
            out: the file; its directory is there.
            effort: of compression.
            progress: shows it, by the work that pieces are.
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
            ExitStack() as stack,
            ThreadPoolExecutor(WORKERS, thread_name_prefix="airstore-delta") as pool,
        ):
            jobs = self._jobs(effort, shares.base, progress)
            place = Workplace(shares, pool)
            advance = stack.enter_context(progress.work("writing media", sum(sum(job.work) for job in jobs)))
            sink = SegmentWriter(file, place.compress, effort, shares.segments, advance)
            try:
                carried = self._carried(jobs, sink, (pool, place), advance, effort)
                sink.finish()
                copied = [(self.task.places.get(blob, ""), n) for blob, n in self.task.copied.items()]
                notes = write_notes(carried.noted, carried.pieces, sink.segments, copied)
                sink.write(Stream.NOTES, notes, 0)
                sink.finish()
            finally:
                sink.cancel()
            table = tabled((self.new, self.old), self.found, carried, sink.segments)
            _publish(out, table, file, effort)

    def _jobs(self, effort: Effort, most: int, progress: Progress) -> list[_Job]:
        """Every target with what patches are tried on; bases are looked for here."""
        found, kinds = self.found, max(len(self.task.kinds), 1)
        # How much is read is not known before: what is not found by its path is looked into.
        with progress.task("looking for bases", None) as advance:

            def read(pieces: Sequence[Piece]) -> Iterator[bytes]:
                for data in contents(self.reader, pieces):
                    advance(len(data))
                    yield data

            offered = offers(found, kinds, read, most)
        carried = [
            (target.held, any(offer.bases for offer in each))
            for target, each in zip(found.targets, offered, strict=True)
        ]
        known = (
            codes(carried, lambda piece: self.reader.object(piece.keys[0])) if effort.code else repeat(None)
        )
        return [
            _Job.of(target, each, found, effort, code)
            for target, each, code in zip(found.targets, offered, known, strict=False)
        ]

    def _carried(
        self,
        jobs: Sequence[_Job],
        sink: SegmentWriter,
        workers: tuple[Executor, Workplace],
        advance: Advance,
        effort: Effort,
    ) -> CarriedPieces:
        """Hand every new piece to the sink, in order."""
        pool, place = workers

        def work(group: Sequence[_Job]) -> list[tuple[_Job, list[Way]]]:
            news = contents(self.reader, [job.target.held.piece for job in group])
            return [
                (job, choose(job.target, job.offered, maker(new, self._old, place, effort.search)))
                for job, new in zip(group, news, strict=True)
            ]

        carried = CarriedPieces(self.found)
        within = (lambda group: sum(job.weight for job in group), place.shares.bodies)
        for job, ways in chain.from_iterable(in_order(pool, work, _grouped(jobs), _AHEAD, within)):
            advance(job.work.making)
            packing = job.work.packing
            for way in carried.add(job.target, job.offered, ways):
                sink.write(STREAM[way.carried.kind], way.carried.data, packing, job.code)
                sink.write(Stream.CONTROLS, way.carried.control, 0)
                packing = 0
        return carried

    def _old(self, number: int) -> bytes:
        return content(self.reader, self.found.olds[number].piece)


class _Job(NamedTuple):
    """One target that is worked on.

    Attributes:
        weight: bytes that it holds while it is under way, and what comes of it.
        code: the machine code that it is; None for others.
    """

    target: Target
    offered: tuple[Offer, ...]
    weight: int
    work: Work
    code: MachineCode | None

    @classmethod
    def of(
        cls,
        target: Target,
        offered: tuple[Offer, ...],
        found: Difference,
        effort: Effort,
        code: MachineCode | None,
    ) -> _Job:
        new = target.held.piece.size
        bases = [
            sum(found.olds[n].piece.size for n in offer.bases)
            + max((found.olds[n].piece.size for n in offer.beside), default=0)
            for offer in offered
        ]
        weight = body_memory(new, max(bases)) + new * len(offered)
        packing = effort.code[code] if code else None
        return cls(target, offered, weight, Work.of(new, sum(bases), effort.packings, packing), code)


def _grouped(jobs: Iterable[_Job]) -> Iterator[Sequence[_Job]]:
    """Jobs in their order, small ones together: asking the index for each by itself would take longest."""
    group, size = list[_Job](), 0
    for job in jobs:
        if group and (size + job.target.held.piece.size > _GROUP or len(group) == _MOST):
            yield group
            group, size = [], 0
        group.append(job)
        size += job.target.held.piece.size
    if group:
        yield group


def _publish(out: Path, table: DeltaTable, segments: BinaryIO, effort: Effort) -> None:
    plain = encode(table)
    compressed = effort.table.compress([plain])
    segments.seek(0)
    with out.open("xb") as file:
        file.write(write_head(len(compressed), len(plain), table.version))
        file.write(compressed)
        while data := segments.read(_COPY):
            file.write(data)
