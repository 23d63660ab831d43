"""What moved from one piece of a large file into the next: found there, and taken from there."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from airstore.media.delta.format import patch
from airstore.media.delta.format.patch import NO_BOUNDS, PieceKind
from airstore.media.delta.making.difference import Difference, PlacedPiece, Target
from airstore.media.delta.making.pairing import File
from airstore.media.delta.making.ways import Search, choose, maker, offers
from airstore.store.blobs import Piece
from airstore.store.format.objects import ObjectKey, ObjectKind

_MIB = 1 << 20


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - the same each time


def changed(old: bytes, every: int) -> bytes:
    """The same with a byte changed in each part of so many."""
    new = bytearray(old)
    new[::every] = bytes(byte ^ 1 for byte in new[::every])
    return bytes(new)


def test_of_what_was_beside_a_base_what_moved_from_there_is_taken() -> None:
    file = noise(7, 16 * _MIB)
    before, own = file[: 8 * _MIB], file[8 * _MIB :]
    new = file[8 * _MIB - 400_000 : -400_000]  # so much was put in somewhere before it
    alone = patch.make(new, [own])
    assert len(alone.data) > 400_000
    made = patch.make(new, [own], near=before)
    assert len(made.data) < 1000
    assert patch.apply(made.kind, made.data, [own, before], len(new)) == new


@pytest.mark.parametrize(
    ("size", "moved", "reached"),
    [
        (5 * _MIB, 3 * _MIB, True),
        (3 * _MIB, 3 * _MIB, False),
        (5 * _MIB, 2 * _MIB, False),
        (5 * _MIB, 0, False),
    ],
    ids=["mostly moved", "small", "mostly new", "not from there"],
)
def test_a_neighbour_is_asked_where_much_of_a_large_piece_is_the_same(
    size: int, moved: int, reached: bool
) -> None:
    base, beside = noise(5, 6 * _MIB), noise(6, 6 * _MIB)
    new = beside[-moved:] + noise(7, size - moved) if moved else base[:size]
    assert patch.reaches(new, base, beside) is reached


def held(path: str, size: int) -> PlacedPiece:
    key = ObjectKey(ObjectKind.BODY, path.encode(), size)
    return PlacedPiece(Piece("file", (key,)), File(path, size, "image"))


def found(paths: Sequence[str], size: int = 8 * _MIB) -> Difference:
    """Old pieces of some paths, and a new one of the second's."""
    olds = [held(path, size) for path in paths]
    targets = [Target(held(paths[1], size))]
    numbers = list(range(len(olds)))
    return Difference(olds, firsts=numbers, kinds=[1] * len(olds), targets=targets, kept=set())


_THREE = ["data\x001", "data\x002", "data\x003"]


def read_none(_piece: Piece) -> bytes:
    raise AssertionError("what has its path in the base is not looked into")


def test_pieces_of_the_same_file_are_beside_each_other() -> None:
    [[offer]] = offers(found(_THREE), 1, read_none)
    assert (offer.bases, offer.beside) == ((1,), (0, 2))


@pytest.mark.parametrize(
    ("paths", "size", "beside"),
    [
        (["other\x001", "data\x001", "data\x002"], 8 * _MIB, (2,)),
        (["other\x001", "data\x001"], 8 * _MIB, ()),
        (_THREE, 50 * _MIB, ()),
    ],
    ids=["another file", "the last one", "no room for two"],
)
def test_others_are_not(paths: list[str], size: int, beside: tuple[int, ...]) -> None:
    [[offer]] = offers(found(paths, size), 1, read_none)
    assert (offer.bases, offer.beside) == ((1,), beside)


@pytest.mark.parametrize(
    ("moved", "bases"), [(-300_000, (1, 0)), (300_000, (1, 2)), (0, (1,))], ids=["on", "back", "not at all"]
)
def test_a_piece_rests_on_what_moved_into_it(moved: int, bases: tuple[int, ...]) -> None:
    size, file = 8 * _MIB, noise(8, 24 * _MIB)
    read: Callable[[int], bytes] = lambda number: file[number * size : (number + 1) * size]  # noqa: E731
    new = changed(file[size + moved : 2 * size + moved], 2 * _MIB)
    difference = found(_THREE)
    [offered] = offers(difference, 1, read_none)
    search = Search(open_archives=False, spell=False)
    [way] = choose(difference.targets[0], offered, maker(new, read, NO_BOUNDS, search))
    assert way.bases == bases
    assert way.carried.kind is PieceKind.PATCH
    assert len(way.carried.data) < 1000
    assert patch.apply(way.carried.kind, way.carried.data, [read(n) for n in bases], len(new)) == new


def test_a_piece_with_an_archive_rests_on_one_base_alone() -> None:
    size = 8 * _MIB
    file = noise(9, 24 * _MIB)
    entry = b"PK\3\4" + bytes(4) + b"\x08\0" + bytes(20)  # of a zip file, deflated
    new = file[size - 300_000 : 2 * size - 300_000 - len(entry)] + entry
    [offered] = offers(found(_THREE), 1, read_none)
    for opening, bases in ((True, (1,)), (False, (1, 0))):
        search = Search(open_archives=opening, spell=False)
        read = lambda number: file[number * size : (number + 1) * size]  # noqa: E731
        [way] = choose(found(_THREE).targets[0], offered, maker(new + b"x", read, NO_BOUNDS, search))
        assert way.bases == bases
