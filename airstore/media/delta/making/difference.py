"""What of some blobs is not in others: their pieces, told apart and paired. Pure but for reading contents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.media.delta.making.pairing import File, pair
from airstore.store.blobs import Outline, Piece


@frozen
class PlacedPiece:
    """A piece and what it is a piece of.

    Attributes:
        place: what tells layers apart.
    """

    piece: Piece
    file: File


@frozen
class Target:
    """A piece that has to be made somewhere.

    Attributes:
        number: of the old piece that it is, where some sites hold it; None where none does.
        lacking: the kinds of sites that lack it, as bits.
    """

    held: PlacedPiece
    number: int | None = None
    lacking: int = 1


@dataclass
class Difference:
    """New blobs as references to old and new pieces.

    Sites that hold the same blobs are of one kind; kinds are bits of a number.

    Attributes:
        olds: pieces that are there, in order.
        holders: the kinds of sites that hold each old blob.
        everyone: all kinds of sites.
        firsts: of each of them the number of the first one that is the same.
        kinds: which sites hold each of them; of pieces that are the same, all say so.
        targets: pieces that are not everywhere, in order, each once.
        kept: old pieces that are in the new blobs, or in some that are wanted as they are.
        references: for each piece of the new blobs, in order, its number; those that no site has follow the
            old ones in the order of the targets.
    """

    olds: list[PlacedPiece]
    holders: Sequence[int] = (1,)
    everyone: int = 1
    firsts: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    kept: set[int] = field(default_factory=set)
    references: dict[Digest, list[int]] = field(default_factory=dict)


def difference(
    new: Iterable[Outline],
    old: Sequence[Outline],
    places: Mapping[Digest, str],
    holders: Sequence[int],
    everyone: int = 1,
    kept: Collection[Digest] = (),
) -> Difference:
    """Tell apart what is there and what is not, by the objects that pieces consist of.

    Args:
        new: blobs that have to be made.
        old: blobs that are there.
        places: of a blob; blobs of the same place in two releases are like each other.
        holders: the kinds of sites that hold each old blob, as bits.
        everyone: all kinds of sites.
        kept: old blobs that are wanted as they are, beside the new ones.
    """
    found = Difference([held for each in old for held in _held(each, places)], holders, everyone)
    numbers = {held.piece.keys: number for number, held in reversed(list(enumerate(found.olds)))}
    found.firsts = [numbers[held.piece.keys] for held in found.olds]
    found.kinds = _kinds(found.firsts, old, holders)
    known, end = set[int](), len(found.olds)
    for each in new:
        references = found.references.setdefault(each.blob, [])
        for held in _held(each, places):
            number = numbers.setdefault(held.piece.keys, end + len(found.targets))
            lacking = everyone & ~found.kinds[number] if number < end else everyone
            if lacking and number not in known:
                found.targets.append(Target(held, number if number < end else None, lacking))
                known.add(number)
            references.append(number)
    found.kept = {number for each in found.references.values() for number in each if number < end}
    found.kept |= {
        first for first, blob in zip(found.firsts, _owners(old), strict=True) if old[blob].blob in kept
    }
    return found


def bases(found: Difference, read: Callable[[Sequence[Piece]], Iterable[bytes]]) -> list[list[int]]:
    """For each target the numbers of old pieces that a patch may rest on, where all sites hold all."""
    return paired(found, range(len(found.targets)), range(len(found.olds)), read)


def paired(
    found: Difference,
    targets: Sequence[int],
    olds: Sequence[int],
    read: Callable[[Sequence[Piece]], Iterable[bytes]],
) -> list[list[int]]:
    """For some targets the numbers of those of some old pieces that a patch may rest on; see `pair`."""
    pairs = pair(
        [found.targets[number].held.file for number in targets],
        [found.olds[number].file for number in olds],
        lambda news: read([found.targets[targets[at]].held.piece for at in news]),
        lambda others: read([found.olds[olds[at]].piece for at in others]),
        lambda at: found.firsts[olds[at]] not in found.kept,
    )
    return [[olds[at] for at in each] for each in pairs]


def _kinds(firsts: Sequence[int], old: Iterable[Outline], holders: Sequence[int]) -> list[int]:
    """Which sites hold each old piece, in whatever blob."""
    found = Counter[int]()
    for first, blob in zip(firsts, _owners(old), strict=True):
        found[first] |= holders[blob]
    return [found[first] for first in firsts]


def _owners(old: Iterable[Outline]) -> Iterable[int]:
    """For each piece the position of its blob."""
    return chain.from_iterable(repeat(number, len(list(each))) for number, each in enumerate(old))


def _held(blob: Outline, places: Mapping[Digest, str]) -> Iterable[PlacedPiece]:
    """Every piece, in the order in which both sides know them; what is no file has a name with a NUL."""
    place, seen = places.get(blob.blob, ""), Counter[str]()
    content = zip(repeat("\0content"), blob.pieces)
    side = zip(repeat("\0side data"), blob.side)
    for name, piece in chain(content, side, ((body.name, body) for body in blob.bodies or ())):
        seen[name] += 1
        yield PlacedPiece(piece, File(f"{name}\0{seen[name]}", piece.size, place))
