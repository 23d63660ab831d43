"""Which base blobs a delta has to name, and which of their pieces are the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain

from airstore.media.delta.format.references import Same
from airstore.media.delta.making.difference import Difference


def used_blobs(ranges: Sequence[range], referred: AbstractSet[int], found: Difference) -> list[int]:
    """Positions of old blobs in which every kind of sites finds all that it holds of what is used.

    Args:
        ranges: numbers of each blob's pieces.
        referred: numbers of the pieces that are used.
        found: all old pieces.
    """
    reached = dict.fromkeys(referred, 0)
    kept = list[int]()
    for at, numbers in enumerate(ranges):
        firsts = {found.firsts[number] for number in numbers} & referred
        names = not referred.isdisjoint(numbers)
        if names or any(found.holders[at] & ~reached[first] for first in firsts):
            kept.append(at)
            for first in firsts:
                reached[first] |= found.holders[at]
    return kept


def same_pieces(
    ranges: Sequence[range], numbers: Mapping[int, int], referred: AbstractSet[int], found: Difference
) -> tuple[Same, ...]:
    """Runs of pieces that are the same as used ones before them.

    Args:
        ranges: numbers of the pieces of each blob that is named.
        numbers: of these pieces, in the table.
        referred: numbers of the pieces that are used.
        found: all old pieces.
    """
    runs = list[Same]()
    for number in chain.from_iterable(ranges):
        first = found.firsts[number]
        if first == number or first not in referred:
            continue
        run = Same(numbers[first], numbers[number], 1)
        last = runs[-1] if runs else None
        if last and (run.first, run.other) == (last.first + last.count, last.other + last.count):
            run = Same(last.first, last.other, last.count + 1)
            runs.pop()
        runs.append(run)
    return tuple(runs)
