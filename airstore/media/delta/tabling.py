"""A delta's table from what was found out about blobs, and from how their pieces were carried. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from airstore.media.delta.difference import Difference
from airstore.media.delta.layout import StreamSegment
from airstore.media.delta.table import BaseBlob, Compressed, DeltaTable, NewBlob, NewPiece
from airstore.store.blobs import Outline


def tabled(
    outlines: tuple[Sequence[Outline], Sequence[Outline]],
    found: Difference,
    pieces: Sequence[NewPiece],
    segments: Sequence[StreamSegment],
) -> DeltaTable:
    """The table, without base blobs that nothing refers to: their digests do not compress.

    Args:
        outlines: of new blobs and of old ones.
        found: what of the new is not in the old.
        pieces: how the new ones are carried.
        segments: what they are in.
    """
    new, old = outlines
    bases = tuple(BaseBlob(each.blob, len(list(each))) for each in old)
    blobs = tuple(_blob(each, found.references[each.blob]) for each in new)
    table = DeltaTable(tuple(segments), bases, tuple(pieces), blobs)
    return _only_used(table)


def _blob(each: Outline, references: Sequence[int]) -> NewBlob:
    numbers = iter(references)
    held = tuple(next(numbers) for _ in each.pieces)
    side = tuple(next(numbers) for _ in each.side)
    compressed = Compressed(each.opened.plain_size, each.opened.encoder, side) if each.opened else None
    bodies = tuple(numbers) if each.bodies is not None else None
    return NewBlob(each.blob, each.size, compressed, held, bodies)


def _only_used(table: DeltaTable) -> DeltaTable:
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


def _renumbered(table: DeltaTable, numbers: Mapping[int, int]) -> DeltaTable:
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
