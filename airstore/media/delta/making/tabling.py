"""A delta's table from what was found out about blobs, and from how their pieces were carried. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from airstore.media.delta.format.layout import StreamSegment
from airstore.media.delta.format.table import BaseBlob, Compressed, DeltaTable, NewBlob
from airstore.media.delta.making.carried import CarriedPieces
from airstore.media.delta.making.difference import Difference
from airstore.media.delta.making.sharing import same_pieces, used_blobs
from airstore.store.blobs import Outline


def tabled(
    outlines: tuple[Sequence[Outline], Sequence[Outline]],
    found: Difference,
    carried: CarriedPieces,
    segments: Sequence[StreamSegment],
) -> DeltaTable:
    """The table, without base blobs that nothing refers to: their digests do not compress.

    Args:
        outlines: of new blobs and of old ones.
        found: what of the new is not in the old.
        carried: how what is not there is carried.
        segments: what it is in.
    """
    new, old = outlines
    bases = tuple(BaseBlob(each.blob, len(list(each))) for each in old)
    blobs = tuple(_blob(each, _numbered(found.references[each.blob], found, carried)) for each in new)
    table = DeltaTable(tuple(segments), bases, tuple(carried.pieces), blobs)
    return _only_used(table, found)


def _numbered(references: Iterable[int], found: Difference, carried: CarriedPieces) -> Iterator[int]:
    """References to targets as those to the pieces that make them."""
    end = len(found.olds)
    for number in references:
        of = carried.numbers[number - end] if number >= end else number
        if of is None:
            raise ValueError(f"target {number - end} was not made")
        yield of


def _blob(each: Outline, references: Iterable[int]) -> NewBlob:
    numbers = iter(references)
    held = tuple(next(numbers) for _ in each.pieces)
    side = tuple(next(numbers) for _ in each.side)
    compressed = Compressed(each.opened.plain_size, each.opened.encoder, side) if each.opened else None
    bodies = tuple(numbers) if each.bodies is not None else None
    return NewBlob(each.blob, each.size, compressed, held, bodies)


def _only_used(table: DeltaTable, found: Difference) -> DeltaTable:
    referred = {number for piece in table.pieces for number in piece.bases}
    referred |= {piece.stands_for for piece in table.pieces if piece.stands_for is not None}
    for blob in table.blobs:
        referred |= {*blob.pieces, *(blob.bodies or ()), *(blob.compressed.side if blob.compressed else ())}
    ranges = list(_ranges(table))
    kept = used_blobs(ranges, referred, found)
    numbers: dict[int, int] = {}
    for at in kept:
        numbers |= {number: len(numbers) + number - ranges[at].start for number in ranges[at]}
    end = table.old_pieces
    shared = any(holder != found.everyone for holder in found.holders)
    same = same_pieces([ranges[at] for at in kept], numbers, referred, found) if shared else None
    numbers |= {end + new: len(numbers) + new for new in range(len(table.pieces))}
    used = replace(table, bases=tuple(table.bases[at] for at in kept), same=same)
    return _renumbered(used, numbers)


def _ranges(table: DeltaTable) -> Iterator[range]:
    at = 0
    for base in table.bases:
        yield range(at, at + base.pieces)
        at += base.pieces


def _renumbered(table: DeltaTable, numbers: Mapping[int, int]) -> DeltaTable:
    def all_of(references: Iterable[int]) -> tuple[int, ...]:
        return tuple(numbers[each] for each in references)

    pieces = tuple(
        replace(
            piece,
            bases=all_of(piece.bases),
            stands_for=None if piece.stands_for is None else numbers[piece.stands_for],
        )
        for piece in table.pieces
    )
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
