"""What of some blobs is not in others: their pieces, told apart and paired. Pure but for reading contents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, repeat

from airstore.core.image.digest import Digest
from airstore.media.delta.pairing import File, pair
from airstore.store.blobs import Outline, Piece


@dataclass(frozen=True)
class PlacedPiece:
    """A piece and what it is a piece of.

    Attributes:
        place: what tells layers apart.
    """

    piece: Piece
    file: File


@dataclass
class Difference:
    """New blobs as references to old and new pieces.

    Attributes:
        olds: pieces that are there, in order.
        news: pieces that are not, in order, each once.
        references: for each piece of the new blobs, in order, its number; new ones follow the old ones.
    """

    olds: list[PlacedPiece]
    news: list[PlacedPiece] = field(default_factory=list)
    references: dict[Digest, list[int]] = field(default_factory=dict)


def difference(new: Iterable[Outline], old: Iterable[Outline], places: Mapping[Digest, str]) -> Difference:
    """Tell apart what is there and what is not, by the objects that pieces consist of.

    Args:
        new: blobs that have to be made.
        old: blobs that are there.
        places: of a blob; blobs of the same place in two releases are like each other.
    """
    found = Difference([held for each in old for held in _held(each, places)])
    numbers = {held.piece.keys: number for number, held in reversed(list(enumerate(found.olds)))}
    for each in new:
        references = found.references.setdefault(each.blob, [])
        for held in _held(each, places):
            number = numbers.setdefault(held.piece.keys, len(found.olds) + len(found.news))
            if number == len(found.olds) + len(found.news):
                found.news.append(held)
            references.append(number)
    return found


def bases(found: Difference, read: Callable[[Piece], bytes]) -> list[list[int]]:
    """For each new piece the numbers of old ones that a patch may rest on; see `pair`."""
    return pair(
        [held.file for held in found.news],
        [held.file for held in found.olds],
        lambda number: read(found.news[number].piece),
        lambda number: read(found.olds[number].piece),
    )


def _held(blob: Outline, places: Mapping[Digest, str]) -> Iterable[PlacedPiece]:
    """Every piece, in the order in which both sides know them; what is no file has a name with a NUL."""
    place, seen = places.get(blob.blob, ""), Counter[str]()
    content = zip(repeat("\0content"), blob.pieces)
    side = zip(repeat("\0side data"), blob.side)
    for name, piece in chain(content, side, ((body.name, body) for body in blob.bodies or ())):
        seen[name] += 1
        yield PlacedPiece(piece, File(f"{name}\0{seen[name]}", piece.size, place))
