"""Writing a delta: what of some blobs a site lacks that has others (docs/formats-media.md)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from airstore.core.digest import Digest
from airstore.core.durable import storage_errors
from airstore.core.progress import Advance
from airstore.media.delta import patch
from airstore.media.delta.difference import Difference, bases, difference
from airstore.media.delta.layout import Stream, write_head
from airstore.media.delta.patch import BASE, Kind
from airstore.media.delta.table import BaseBlob, Compressed, NewBlob, NewPiece, Table, encode
from airstore.store.blobs import (
    WORKERS,
    BlobStore,
    ObjectReader,
    Outline,
    Piece,
    content,
    in_order,
    outline,
    solid_writer,
)

_COPY = 1 << 20


class Effort(StrEnum):
    """How much time smaller media are worth."""

    FAST = "fast"
    NORMAL = "normal"
    MAX = "max"

    @property
    def level(self) -> int:
        """Of zstd, for patches and for what has no base."""
        return {Effort.FAST: 3, Effort.NORMAL: 15, Effort.MAX: 22}[self]


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


def prepare(store: BlobStore, task: Task) -> Prepared:
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
    return Prepared(reader, new, old, difference(new, old, task.places))


@dataclass(frozen=True)
class Prepared:
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
        with storage_errors(out), ExitStack() as open_files:
            files = {kind: open_files.enter_context(TemporaryFile(dir=out.parent)) for kind in Kind}
            pieces = list(_written(self.reader, self.found, files, effort, advance))
            table = _only_used(_table(self.new, self.old, self.found, pieces))
            _publish(out, table, files, effort)


def _written(
    reader: ObjectReader,
    found: Difference,
    files: Mapping[Kind, BinaryIO],
    effort: Effort,
    advance: Advance,
) -> Iterator[NewPiece]:
    """Compress every new piece into one of two files, in order."""

    def make(job: tuple[Piece, tuple[int, ...]]) -> tuple[NewPiece, bytes]:
        piece, numbers = job
        base = b"".join(content(reader, found.olds[number].piece) for number in numbers)
        kind, carried = patch.make(content(reader, piece), base)
        used = numbers if kind is Kind.PATCH else ()
        return NewPiece(piece.size, kind, len(carried), used), carried

    chosen = map(_fitting, bases(found, lambda piece: content(reader, piece)), [found] * len(found.news))
    jobs = zip((held.piece for held in found.news), chosen, strict=True)
    with (
        solid_writer(files[Kind.WHOLE], effort.level) as whole,
        solid_writer(files[Kind.PATCH], effort.level) as patches,
        ThreadPoolExecutor(WORKERS, thread_name_prefix="airstore-delta") as pool,
    ):
        sinks = {Kind.WHOLE: whole, Kind.PATCH: patches}
        for piece, carried in in_order(pool, make, jobs):
            sinks[piece.kind].write(carried)
            advance(piece.size)
            yield piece


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


def _table(
    new: Iterable[Outline], old: Iterable[Outline], found: Difference, pieces: Sequence[NewPiece]
) -> Table:
    return Table(
        tuple(BaseBlob(each.blob, len(list(each))) for each in old),
        tuple(pieces),
        tuple(_blob(each, found.references[each.blob]) for each in new),
    )


def _blob(each: Outline, references: Sequence[int]) -> NewBlob:
    numbers = iter(references)
    held = tuple(next(numbers) for _ in each.pieces)
    side = tuple(next(numbers) for _ in each.side)
    compressed = Compressed(each.opened.plain_size, each.opened.encoder, side) if each.opened else None
    bodies = tuple(numbers) if each.bodies is not None else None
    return NewBlob(each.blob, each.size, compressed, held, bodies)


def _only_used(table: Table) -> Table:
    """Without the base blobs that nothing refers to: their digests do not compress."""
    referred = {number for piece in table.pieces for number in piece.bases}
    for blob in table.blobs:
        referred |= {*blob.pieces, *(blob.bodies or ()), *(blob.compressed.side if blob.compressed else ())}
    kept, numbers, at = list[BaseBlob](), dict[int, int](), 0
    for base in table.bases:
        own = range(at, at + base.pieces)
        if not referred.isdisjoint(own):
            start = len(numbers)
            numbers |= {number: start + number - at for number in own}
            kept.append(base)
        at += base.pieces
    numbers |= {at + new: len(numbers) + new for new in range(len(table.pieces))}
    return _renumbered(replace(table, bases=tuple(kept)), numbers)


def _renumbered(table: Table, numbers: Mapping[int, int]) -> Table:
    def all_of(references: Iterable[int]) -> tuple[int, ...]:
        return tuple(numbers[each] for each in references)

    pieces = tuple(replace(piece, bases=all_of(piece.bases)) for piece in table.pieces)
    blobs = tuple(
        replace(
            blob,
            pieces=all_of(blob.pieces),
            bodies=None if blob.bodies is None else all_of(blob.bodies),
            compressed=blob.compressed and replace(blob.compressed, side=all_of(blob.compressed.side)),
        )
        for blob in table.blobs
    )
    return replace(table, pieces=pieces, blobs=blobs)


def _publish(out: Path, table: Table, files: Mapping[Kind, BinaryIO], effort: Effort) -> None:
    plain = encode(table)
    compressed = io.BytesIO()
    with solid_writer(compressed, effort.level) as sink:
        sink.write(plain)
    sizes = {kind: sum(piece.carried for piece in table.pieces if piece.kind is kind) for kind in Kind}
    streams = [Stream(compressed.tell(), len(plain))]
    streams += [Stream(files[kind].tell(), sizes[kind]) for kind in Kind]
    with out.open("xb") as file:
        file.write(write_head(streams))
        file.write(compressed.getvalue())
        for kind in Kind:
            files[kind].seek(0)
            while data := files[kind].read(_COPY):
                file.write(data)
