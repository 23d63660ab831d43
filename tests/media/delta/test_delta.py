"""Deltas of pieces: pairing, patches and the table, on random and on hostile input."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.codec import sketch
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.media.delta.format import patch
from airstore.media.delta.format.layout import Head, Stream, StreamSegment
from airstore.media.delta.format.nested import VIEW
from airstore.media.delta.format.packing import Method
from airstore.media.delta.format.patch import PieceKind
from airstore.media.delta.format.table import (
    BaseBlob,
    Compressed,
    DeltaTable,
    NewBlob,
    NewPiece,
    decode,
    encode,
)
from airstore.media.delta.format.wire import Numbers, put, put_signed
from airstore.media.delta.making.pairing import File, general, pair
from airstore.media.delta.making.pool import Pool

_words = [f"{word}_{number}" for number in range(40) for word in ("get", "Response", "self", "name", "  ")]


def text(seed: int, words: int = 3000) -> bytes:
    """Source code, more or less; another one for each seed."""
    chosen = random.Random(seed)  # noqa: S311 - the same each time
    return "\n".join(" ".join(chosen.choices(_words, k=8)) for _ in range(words // 8)).encode()


def paired(news: dict[str, bytes], olds: dict[str, bytes]) -> dict[str, list[str]]:
    before, after = list(olds), list(news)
    found = pair(
        [File(path, len(data)) for path, data in news.items()],
        [File(path, len(data)) for path, data in olds.items()],
        lambda numbers: [news[after[number]] for number in numbers],
        lambda numbers: [olds[before[number]] for number in numbers],
        bool,
    )
    return {after[number]: [before[old] for old in bases] for number, bases in enumerate(found)}


@pytest.mark.parametrize(
    ("path", "like"),
    [
        ("usr/lib/libssl.so.3.0.11", "usr/lib/libssl.so.3.0.13"),
        ("static/main.4f2a91cc.js", "static/main.9d01ee27.js"),
        ("assets/index-BqK3x9_a.js", "assets/index-Dk20aaZZ.js"),
        ("lib/python3.11/x-1.2.3.dist-info/RECORD", "lib/python3.12/x-1.2.4rc1.dist-info/RECORD"),
        ("opt/app-2.0/bin/run", "opt/app-2.1/bin/run"),
    ],
)
def test_versions_and_hashes_in_a_path_do_not_count(path: str, like: str) -> None:
    new, old, other = text(1) + b"new", text(1), text(2)
    assert paired({path: new}, {like: old, "etc/other": other})[path][0] == like


def test_words_in_a_path_count() -> None:
    assert general("usr/share/deadbeats/facade.txt") == "usr/share/deadbeats/facade.txt"
    assert general("a/client.js") != general("a/server.js")


def test_what_moved_and_changed_its_name_is_found_by_its_content() -> None:
    olds = {f"old/{seed}": text(seed) for seed in range(20)}
    news = {
        f"elsewhere/{seed * 7 % 20}x": text(seed)[:9000] + b"\nadded\n" + text(seed)[9000:]
        for seed in range(20)
    }
    found = paired(news, olds)
    assert [found[name][0] for name in news] == [f"old/{seed}" for seed in range(20)]


def test_a_joined_file_finds_both_of_its_parts() -> None:
    olds = {"one": text(1), "two": text(2), "three": text(3)}
    assert set(paired({"both": text(1) + text(2)}, olds)["both"]) == {"one", "two"}


def test_what_shares_nothing_has_no_base() -> None:
    noise = random.Random(5)  # noqa: S311 - the same each time
    olds = {"a": noise.randbytes(50_000), "b": b"", "c": b"short"}
    assert paired({"new": noise.randbytes(50_000), "b": b"", "tiny": b"c"}, olds) == {
        "new": [],
        "b": [],
        "tiny": [],
    }
    assert Pool().nearest(sketch(text(1)), 2) == []


def test_the_same_path_is_not_compared_with_others() -> None:
    def never(_number: int) -> bytes:
        raise AssertionError("no content is needed")

    files = [File("same", 4000)]
    olds = [File("same", 5000, "b"), File("same", 4001, "b")]
    assert pair(files, olds, each(never), each(never), bool) == [[1]]


def test_the_same_place_comes_first() -> None:
    olds = [File("same", 9000, "a"), File("same", 70, "b")]
    found = pair([File("same", 9000, "b")], olds, _none, _none, bool)
    assert found == [[1]]


@pytest.mark.parametrize(("size", "looked"), [(100, 4), (1 << 20, 4), (4 << 20, 16), (100 << 20, 50)])
def test_what_is_looked_into_is_bounded_by_what_is_new_and_begins_with_what_is_gone(
    size: int, looked: int
) -> None:
    asked: list[int] = []

    def read(number: int) -> bytes:
        asked.append(number)
        return text(number)

    olds = [File(f"old/{number}", 9 << 20) for number in range(50)]
    found = pair([File("new", size)], olds, each(lambda _: text(40)), each(read), lambda number: number >= 40)
    assert asked == [*range(40, 50), *range(40)][:looked]
    assert found[0][0] == 40


def test_what_has_a_base_by_its_name_is_looked_for_only_in_what_is_gone() -> None:
    asked: list[int] = []

    def read(number: int) -> bytes:
        asked.append(number)
        return text(number)

    olds = [File("lib/x-1.0.js", 40_000), File("other", 40_000), File("gone", 40_000)]
    looked = [[2], [1, 2]]
    for name, expected in zip(("lib/x-1.1.js", "elsewhere"), looked, strict=True):
        pair([File(name, 40_000)], olds, each(lambda _: text(40)), each(read), lambda number: number == 2)
        assert sorted(set(asked) - {0}) == expected


def test_a_file_and_most_of_it_have_most_numbers_in_common() -> None:
    """Of the shorter one other pieces are looked at, too, which must not take the place of what both have."""
    whole = text(1, 2400).replace(b" self", b" file", 64)
    part = whole[: whole.rindex(b" file")]
    assert len(sketch(whole) & sketch(part)) > 60


def _none(numbers: Sequence[int]) -> Iterable[bytes]:
    return (b"" for _ in numbers)


def each(content: Callable[[int], bytes]) -> Callable[[Sequence[int]], Iterable[bytes]]:
    return lambda numbers: map(content, numbers)


_bytes = st.binary(max_size=400)


@given(_bytes, _bytes, _bytes, st.integers(0, 400))
def test_any_piece_comes_back(base: bytes, inserted: bytes, other: bytes, at: int) -> None:
    for new in (base[:at] + inserted + base[at:], other, base + base, b""):
        made = patch.make(new, [base])
        assert len(made.data) <= len(new)
        assert patch.apply(made.kind, made.data, [base], len(new)) == new


def test_a_changed_piece_costs_its_change() -> None:
    base = text(1, 200_000)
    made = patch.make(base[:70_000] + b"something new" + base[70_100:], [base])
    assert made.kind is PieceKind.PATCH
    assert len(made.data) < 100


@given(st.data())
def test_a_damaged_patch_is_an_error_or_another_piece_of_that_size(data: st.DataObject) -> None:
    """Which piece it is nobody asks here: the digest of the blob decides."""
    base = text(1, 400)
    new = base[:900] + text(2, 60) + base[1100:]
    kind, carried, _, control = patch.make(new, [base])
    assert (kind, control) == (PieceKind.PATCH, b"")
    at = data.draw(st.integers(0, len(carried) - 1))
    damaged = data.draw(
        st.sampled_from([carried[:at], carried[:at] + bytes([carried[at] ^ 1 << at % 8]) + carried[at + 1 :]])
    )
    with suppress(DamagedError):
        assert len(patch.apply(kind, damaged, [base], len(new))) == len(new)
    with pytest.raises(DamagedError, match="another base"):
        patch.apply(kind, carried, [base[:-1]], len(new))
    with pytest.raises(DamagedError):
        patch.apply(PieceKind.WHOLE, carried, [], len(new))


@given(st.lists(st.integers(0, 1 << 63) | st.integers(-(1 << 20), 1 << 20)))
def test_numbers_come_back(numbers: list[int]) -> None:
    written = b"".join(put(n) if n >= 0 else put_signed(n) for n in numbers)
    reader = Numbers(written)
    assert [reader.take(1 << 63) if n >= 0 else reader.take_signed(1 << 20) for n in numbers] == numbers
    assert reader.ended


@pytest.mark.parametrize(
    ("data", "take"),
    [
        (b"", lambda n: n.take(9)),
        (b"\x80", lambda n: n.take(9)),
        (b"\xff" * 20, lambda n: n.take(1 << 70)),
        (b"\x0a", lambda n: n.take(9)),
        (b"\x7f", lambda n: n.take_signed(9)),
        (b"ab", lambda n: n.bytes(3)),
    ],
)
def test_numbers_that_cannot_be_are_refused(data: bytes, take: Callable[[Numbers], object]) -> None:
    with pytest.raises(DamagedError):
        take(Numbers(data))


@st.composite
def tables(draw: st.DrawFn) -> DeltaTable:
    digests = st.binary(min_size=32, max_size=32).map(Digest.from_raw)
    bases = draw(st.lists(st.builds(BaseBlob, digests, st.integers(0, 5)), max_size=4))
    old = sum(base.pieces for base in bases)
    of = st.lists(st.integers(0, old - 1), max_size=3) if old else st.just([])
    sizes = st.integers(0, patch.PIECE)
    whole = sizes.map(lambda size: (size, PieceKind.WHOLE, size))
    carried = st.one_of(whole, st.tuples(sizes, st.just(PieceKind.PATCH), sizes))
    made = st.builds(lambda piece, bases: NewPiece(piece[0], piece[1], piece[2], tuple(bases)), carried, of)
    views = st.integers(1, VIEW)
    archive = st.tuples(sizes, views, sizes, of.map(tuple))
    opened = st.one_of(
        archive.map(lambda each: NewPiece(each[0], PieceKind.OPENED, each[1], each[3], each[1], each[2])),
        archive.map(lambda each: NewPiece(each[0], PieceKind.OPENED_PATCH, 7, each[3], each[1], each[2])),
    )
    pieces = draw(st.lists(made | opened, max_size=6))
    large = st.integers(0, 1 << 35)
    segments = st.lists(
        st.builds(StreamSegment, st.sampled_from(Stream), large, large, st.sampled_from(Method)), max_size=3
    )
    every = old + len(pieces)
    references = st.lists(st.integers(0, every - 1), max_size=8).map(tuple) if every else st.just(())
    compressed = st.builds(Compressed, st.integers(0, 1 << 35), st.text(max_size=20), references)
    blob = st.builds(
        NewBlob, digests, st.integers(0, 1 << 35), st.none() | compressed, references, st.none() | references
    )
    blobs = draw(st.lists(blob, max_size=4))
    return DeltaTable(tuple(draw(segments)), tuple(bases), tuple(pieces), tuple(blobs))


def headed(table: DeltaTable) -> Head:
    """What comes before a table says nothing of it but the version."""
    return Head(table.version, 24, (0, 0), ())


@given(tables())
def test_a_table_comes_back(table: DeltaTable) -> None:
    assert decode(encode(table), headed(table)) == table


@given(tables(), st.data())
def test_a_damaged_table_is_an_error_or_another_table(table: DeltaTable, data: st.DataObject) -> None:
    written = encode(table)
    at = data.draw(st.integers(0, len(written) - 1))
    damaged = written[:at] + bytes([written[at] ^ data.draw(st.integers(1, 255))]) + written[at + 1 :]
    for each in (damaged, written[:at], written + b"\0"):
        try:
            found = decode(each, headed(table))
        except DamagedError:
            continue
        every = found.old_pieces + len(found.pieces)
        for blob in found.blobs:
            references = (
                *blob.pieces,
                *(blob.bodies or ()),
                *(blob.compressed.side if blob.compressed else ()),
            )
            assert all(0 <= reference < every for reference in references)


def test_what_stays_costs_nearly_nothing() -> None:
    """12,000 files of which three are new: two bytes or less for each, before compression."""
    bodies = [*range(4000), 12_001, *range(4001, 8000), 12_002, 12_003, *range(8002, 12_000)]
    blob = NewBlob(Digest.of(b""), 1, None, (0,), tuple(bodies))
    pieces = tuple(NewPiece(9, PieceKind.WHOLE, 9) for _ in range(4))
    written = encode(DeltaTable((), (BaseBlob(Digest.of(b"x"), 12_000),), pieces, (blob,)))
    assert len(written) < 12_200
    assert written.count(b"\0") > 11_980
