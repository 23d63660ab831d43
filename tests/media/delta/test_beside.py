"""Patches of sides with long runs in common: found, left out of what is sorted, and put together again."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import hdiffpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.media.delta.format import patch
from airstore.media.delta.format.beside import diff_beside
from airstore.media.delta.format.hdiff import Cover, Kind, Parts, control
from airstore.media.delta.format.patch import NO_BOUNDS, PieceKind
from airstore.media.delta.format.runs import LEAST, shared_runs
from airstore.media.delta.making.difference import Difference, PlacedPiece, Target
from airstore.media.delta.making.pairing import File
from airstore.media.delta.making.ways import Search, choose, maker, offers
from airstore.store.blobs import Piece
from airstore.store.format.objects import ObjectKey, ObjectKind

_MAGIC = b"HDIFF13&\0"
_MIB = 1 << 20


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - the same each time


def diff(old: bytes, new: bytes) -> bytes:
    made: bytes = hdiffpatch.diff(old, new, validate=False)
    return made.removeprefix(_MAGIC)


_OLD = noise(1, 150_000) + bytes(40_000) + noise(2, 50_000)
_parts = st.one_of(
    st.tuples(st.integers(0, len(_OLD)), st.integers(0, 90_000)).map(lambda at: _OLD[at[0] : sum(at)]),
    st.binary(max_size=300),
    st.integers(0, 40_000).map(bytes),
    st.integers(0, 40_000).map(lambda size: bytes(byte ^ 7 for byte in _OLD[:size])),
)


@given(st.lists(_parts, max_size=7).map(b"".join), st.integers(0, len(_OLD)), st.integers(0, len(_OLD)))
def test_whatever_was_moved_repeated_or_changed_comes_back(new: bytes, size: int, own: int) -> None:
    old = _OLD[size:]
    made = diff_beside(old, new, shared_runs(old, new), min(own, len(old)), diff)
    assert hdiffpatch.apply(old, _MAGIC + made) == new


_RUN, _LEFT, _RIGHT = noise(11, 2 * LEAST), noise(12, LEAST // 2), noise(13, LEAST // 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [(_LEFT + _RUN + _RIGHT, _RUN + _LEFT + _RIGHT), (_RUN + _LEFT + _RIGHT, _LEFT + _RUN + _RIGHT)],
    ids=["apart in the old side", "apart in the new side"],
)
def test_a_match_of_what_is_joined_is_cut_where_it_was_apart(old: bytes, new: bytes) -> None:
    [run] = shared_runs(old, new)
    assert run.size == len(_RUN)
    made = diff_beside(old, new, [run], len(old), diff)
    assert len(made) < 100
    assert hdiffpatch.apply(old, _MAGIC + made) == new


@pytest.mark.parametrize(
    ("kind", "differences", "data"),
    [
        (Kind.SAME, b"\5" * LEAST, b"\5"),
        (Kind.ONES, b"\xff" * LEAST, b""),
        (Kind.SPELLED, noise(14, LEAST), noise(14, LEAST)),
    ],
)
def test_a_run_of_differences_is_cut_where_it_was_apart(kind: Kind, differences: bytes, data: bytes) -> None:
    joined = bytes(a + b & 0xFF for a, b in zip(_LEFT + _RIGHT, differences, strict=True))
    old, new = _LEFT + _RUN + _RIGHT, joined[: len(_LEFT)] + _RUN + joined[len(_LEFT) :]
    parts = Parts.of((LEAST, LEAST), [Cover(0, 0, LEAST)], (control(LEAST, kind), data), b"")
    made = diff_beside(old, new, shared_runs(old, new), len(old), lambda _old, _new: parts.written())
    assert hdiffpatch.apply(old, _MAGIC + made) == new


@given(st.integers(0, 3000), st.integers(0, 30_000), st.integers(0, 30_000), st.integers(0, 50_000))
def test_every_long_run_is_found_to_its_last_byte(at: int, before: int, after: int, more: int) -> None:
    run = _OLD[at + 1 : at + 1 + LEAST + more]
    new = (
        noise(3, before)
        + b"%c" % (_OLD[at] ^ 1)
        + run
        + b"%c" % (_OLD[at + 1 + len(run)] ^ 1)
        + noise(4, after)
    )
    assert shared_runs(_OLD, new) == [Cover(at + 1, before + 1, len(run))]


@given(st.lists(_parts, max_size=7).map(b"".join))
def test_runs_are_the_same_long_and_in_order(new: bytes) -> None:
    end = 0
    for run in shared_runs(_OLD, new):
        assert run.size >= LEAST
        assert run.new >= end
        assert _OLD[run.old : run.old + run.size] == new[run.new : run.new + run.size]
        end = run.new + run.size


def test_runs_of_what_repeats_itself_do_not_meet() -> None:
    first, second = shared_runs(noise(1, 1000) + bytes(40_000) + b"end", bytes(70_000))
    assert second.new == first.new + first.size


def test_a_run_that_is_shorter_is_left_to_others() -> None:
    new = noise(3, 20_000) + _OLD[1000 : 1000 + LEAST - 1] + noise(4, 20_000)
    assert shared_runs(_OLD, new) == []


def changed(old: bytes, every: int) -> bytes:
    """The same with a byte changed in each part of so many."""
    new = bytearray(old)
    new[::every] = bytes(byte ^ 1 for byte in new[::every])
    return bytes(new)


@pytest.fixture
def sorted_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of the old sides that HDiffPatch was given."""
    sizes, real = list[int](), hdiffpatch.diff

    def watched(old: bytes, new: bytes, *, validate: bool) -> bytes:
        sizes.append(len(old))
        made: bytes = real(old, new, validate=validate)
        return made

    monkeypatch.setattr(hdiffpatch, "diff", watched)
    return sizes


def test_what_is_the_same_in_a_large_piece_is_not_sorted(sorted_sizes: list[int]) -> None:
    old = noise(5, 6 * _MIB)
    new = noise(6, 5000) + changed(old, 500_000)
    made = patch.make(new, [old])
    assert sum(sorted_sizes) < _MIB
    assert len(made.data) < 6000
    assert patch.apply(made.kind, made.data, [old], len(new)) == new


@pytest.mark.parametrize(
    ("size", "same"), [(5 * _MIB, 2 * _MIB), (3 * _MIB, 3 * _MIB)], ids=["mostly changed", "small"]
)
def test_a_piece_that_is_small_or_changed_for_the_most_part_is_sorted_whole(
    size: int, same: int, sorted_sizes: list[int]
) -> None:
    old = noise(5, size)
    new = old[:same] + changed(old[same:], LEAST // 2) + b"new"
    made = patch.make(new, [old])
    assert sorted_sizes == [len(old)]
    assert patch.apply(made.kind, made.data, [old], len(new)) == new


def test_a_patch_of_another_format_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdiffpatch, "diff", lambda *_sides, **_how: b"HDIFF14&\0")
    with pytest.raises(ValueError, match="another format"):
        patch.make(noise(5, 100), [noise(6, 100)])


def test_of_what_was_beside_a_base_no_more_is_sorted_than_is_near(sorted_sizes: list[int]) -> None:
    file = noise(7, 16 * _MIB)
    before, own = file[: 8 * _MIB], file[8 * _MIB :]
    new = file[8 * _MIB - 400_000 : -400_000]  # so much was put in somewhere before it
    alone = patch.make(new, [own])
    assert len(alone.data) > 400_000
    made = patch.make(new, [own], near=before)
    assert len(made.data) < 1000
    assert sorted_sizes[-1] < _MIB
    assert patch.apply(made.kind, made.data, [own, before], len(new)) == new


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


def read_none(pieces: Sequence[Piece]) -> list[bytes]:
    assert not pieces, "what has its path in the base is not looked into"
    return []


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
