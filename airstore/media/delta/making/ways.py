"""How a new piece is made at sites that hold different pieces: in the way that carries least. Pure.

A patch may rest on what all of them hold; each kind of sites may have a patch of its own; or those with an
older version get a patch to a newer one that others hold, and go on from there; or it is carried whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from airstore.media.delta.format import patch
from airstore.media.delta.format.layout import Stream
from airstore.media.delta.format.nested import may_have_streams
from airstore.media.delta.format.patch import BASE, Carried, Room
from airstore.media.delta.format.table import STREAM
from airstore.media.delta.making.difference import Difference, PlacedPiece, Target, bases, paired
from airstore.media.delta.making.spelling import spelled
from airstore.store.blobs import Piece, compress_solid


class Offer(NamedTuple):
    """Old pieces that a patch may rest on.

    Attributes:
        bases: their numbers; none where nothing like the new piece was found.
        wanting: kinds of sites that have nothing better.
        able: kinds of sites that hold them.
        beside: old pieces next to the only one, of the same file: what moved within it may be there.
    """

    bases: tuple[int, ...]
    wanting: int
    able: int
    beside: tuple[int, ...] = ()


class Way(NamedTuple):
    """One piece that is carried.

    Attributes:
        makes: number of the old piece that it stands for; None where it is one that no site has.
        bases: numbers of the old pieces that it rests on.
    """

    makes: int | None
    bases: tuple[int, ...]
    carried: Carried


class Make(Protocol):
    """Makes ways of one target."""

    def __call__(self, number: int | None, on: Sequence[int], beside: Sequence[int] = ()) -> Way:
        """Of an old piece, or of the target, on old ones, and on one of those beside where that helps."""


def offers(
    found: Difference, kinds: int, read: Callable[[Sequence[Piece]], Iterable[bytes]], most: int = BASE
) -> list[tuple[Offer, ...]]:
    """For each target what patches may rest on, that of the first kind of sites first.

    Args:
        found: what has to be made.
        kinds: how many kinds of sites there are; the first one is of those that are behind most.
        read: the bytes of some pieces.
        most: bytes that one patch may rest on.
    """
    if kinds == 1:
        fitting = [_fitting(numbers, found, most) for numbers in bases(found, read)]
        return [(Offer(numbers, 1, 1, _beside(numbers, found, most)),) for numbers in fitting]
    wanting: list[dict[tuple[int, ...], int]] = [defaultdict(int) for _ in found.targets]
    everyone = (1 << kinds) - 1
    for kind in [*(1 << n for n in range(kinds)), 0]:  # and on what all of them hold
        of = kind or everyone
        mine = [n for n, held in enumerate(found.kinds) if held & of == of and found.firsts[n] == n]
        lacking = [n for n, target in enumerate(found.targets) if target.lacking & kind or not kind]
        for target, numbers in zip(lacking, paired(found, lacking, mine, read), strict=True):
            wanting[target][_fitting(numbers, found, most)] |= kind
    return [tuple(_offers(each, found, everyone)) for each in wanting]


def _offers(wanting: Mapping[tuple[int, ...], int], found: Difference, everyone: int) -> Iterator[Offer]:
    """Those last that the newest kind of sites wants."""
    for numbers, kinds in sorted(wanting.items(), key=lambda each: (each[1], each[0])):
        able = everyone
        for number in numbers:
            able &= found.kinds[number]
        yield Offer(numbers, kinds, able)


def choose(target: Target, offered: Sequence[Offer], make: Make) -> list[Way]:
    """The ways that make a target at all sites that lack it, in the order in which they are gone."""
    if len(offered) == 1:
        return [make(target.number, offered[0].bases, offered[0].beside)]
    ways = {offer: make(target.number, offer.bases) for offer in offered}
    own = [offer for offer in offered if offer.wanting]
    plans = [[make(target.number, ())]]
    plans += [[way] for offer, way in ways.items() if offer.able & target.lacking == target.lacking]
    if all(offer.bases for offer in own):
        plans.append(list(_chained(own, ways, make)))
    return min(plans, key=lambda plan: (sum(map(weight, plan)), len(plan)))


def weight(way: Way) -> int:
    """About how many bytes it takes on media."""
    return len(compress_solid([way.carried.data, way.carried.control], 1))


def is_patch(way: Way) -> bool:
    """Whether it rests on anything after all."""
    return STREAM[way.carried.kind] is Stream.PATCHES


class Search(NamedTuple):
    """What is tried so that a piece takes less.

    Attributes:
        open_archives: see `patch.make`.
        spell: see `spelled`.
    """

    open_archives: bool
    spell: bool


def maker(new: bytes, read: Callable[[int], bytes], room: Room, search: Search) -> Make:
    """Makes ways of one target.

    Args:
        new: its bytes.
        read: the bytes of an old piece.
        room: the memory for it.
        search: what is tried.
    """

    def make(number: int | None, on: Sequence[int], beside: Sequence[int] = ()) -> Way:
        goal = new if number is None else read(number)
        olds = [read(n) for n in on]
        # With archives opened in it a piece rests on views of its bases: there is no room for those of more.
        opened = search.open_archives and may_have_streams(goal)
        more = ((other, read(other)) for other in beside if olds and not opened)
        moved = next((each for each in more if patch.reaches(goal, olds[0], each[1])), None)
        other, near = moved or (None, b"")
        on = on if other is None else (*on, other)
        carried = patch.make(goal, olds, near=near, open_archives=search.open_archives, room=room)
        way = Way(number, tuple(on), carried)
        if not is_patch(way):
            return way._replace(bases=())
        return way._replace(carried=spelled(carried, room)) if search.spell else way

    return make


def _chained(own: Sequence[Offer], ways: dict[Offer, Way], make: Make) -> Iterator[Way]:
    """For each kind of sites a patch to the target, or to what the next kind or the last one rests on."""
    for at, offer in enumerate(own):
        pivots = {pivot.bases for pivot in (*own[at + 1 : at + 2], *own[at + 1 :][-1:])}
        steps = [
            make(pivot[0], offer.bases)
            for pivot in sorted(pivots)
            if len(pivot) == 1 and pivot[0] not in offer.bases
        ]
        yield min([ways[offer], *steps], key=weight)


def _beside(numbers: Sequence[int], found: Difference, most: int) -> tuple[int, ...]:
    """The pieces before and behind a lone base, of the same file, for one of which there is room."""
    if len(numbers) != 1:
        return ()
    base = found.olds[numbers[0]]
    near = [n for n in (numbers[0] - 1, numbers[0] + 1) if 0 <= n < len(found.olds)]
    return tuple(
        n
        for n in near
        if _file(found.olds[n]) == _file(base) and found.olds[n].piece.size + base.piece.size <= most
    )


def _file(held: PlacedPiece) -> tuple[str, str]:
    return held.file.place, held.file.path.rpartition("\0")[0]


def _fitting(numbers: Iterable[int], found: Difference, most: int) -> tuple[int, ...]:
    """As many bases as are held in memory at both sides."""
    taken: list[int] = []
    size = 0
    for number in numbers:
        size += found.olds[number].piece.size
        if size > most:
            break
        taken.append(number)
    return tuple(taken)
