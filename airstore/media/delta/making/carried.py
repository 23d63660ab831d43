"""The new pieces of a delta as they become known: their numbers, and what is said of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from airstore.media.delta.format.table import NewPiece
from airstore.media.delta.making.difference import Difference, PlacedPiece, Target
from airstore.media.delta.making.ways import Offer, Way


class Noted(NamedTuple):
    """What the notes say of a new piece.

    Attributes:
        base: what a patch was tried on; None where nothing like it was found.
    """

    held: PlacedPiece
    base: PlacedPiece | None


class CarriedPieces:
    """New pieces in their order.

    Args:
        found: what has to be made; new pieces have numbers behind its old ones.

    Attributes:
        pieces: as the table has them.
        noted: the same, for people.
        numbers: of each target that no site has, in the order of the targets; None for others.
    """

    def __init__(self, found: Difference) -> None:
        self._found = found
        self._steps = set[tuple[int | None, tuple[int, ...]]]()
        self.pieces: list[NewPiece] = []
        self.noted: list[Noted] = []
        self.numbers: list[int | None] = []

    def add(self, target: Target, tried: Sequence[Offer], ways: Sequence[Way]) -> Iterator[Way]:
        """Add the ways that make a target; gives those that have to be carried, each once it was added."""
        self.numbers.append(None)
        for way in ways:
            step = (way.makes, way.bases)
            if way.makes != target.number and step in self._steps:
                continue  # towards another target as well
            self._steps.add(step)
            self._add(target, tried, way)
            yield way

    def _add(self, target: Target, tried: Sequence[Offer], way: Way) -> None:
        own, stands_for = len(self._found.olds) + len(self.pieces), way.makes
        if way.makes is None:
            stands_for = self.numbers[-1]
            self.numbers[-1] = own if stands_for is None else stands_for
        held = target.held if way.makes is None else self._found.olds[way.makes]
        carried = way.carried
        self.pieces.append(
            NewPiece(
                held.piece.size, carried.kind, len(carried.data), way.bases, carried.view,
                len(carried.control), stands_for,
            )
        )  # fmt: skip
        near = way.bases or max((offer.bases for offer in tried), default=())
        self.noted.append(Noted(held, self._found.olds[near[0]] if near else None))
