"""Machine code that has no base: found by the heads of ELF files, and compressed in its own way."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable

import pytest

from airstore.core.image.digest import Digest
from airstore.media.delta import effort as effort_module
from airstore.media.delta.effort import Effort
from airstore.media.delta.format.layout import Stream, StreamSegment
from airstore.media.delta.format.packing import MachineCode, Method, Packing
from airstore.media.delta.making.difference import PlacedPiece
from airstore.media.delta.making.machine import code_of, codes
from airstore.media.delta.making.pairing import File
from airstore.media.delta.reader import Delta
from airstore.store.blobs import Piece
from airstore.store.format.objects import ObjectKey, ObjectKind
from tests.media.delta.test_delta import text
from tests.media.delta.test_delta_blobs import Pair, layer, pair

__all__ = ["pair"]  # a fixture

X86_64, I386, AARCH64, S390X = 62, 3, 183, 22


def head(machine: int, order: str = "<") -> bytes:
    ident = b"\x7fELF" + bytes([2, 1 if order == "<" else 2, 1]) + bytes(9)
    return ident + struct.pack(f"{order}HH", 2, machine) + bytes(44)


def program(calls: int = 20_000) -> bytes:
    """Calls of few functions from many places: their relative addresses differ, the absolute ones do not."""
    numbers = random.Random(7)  # noqa: S311 - the same each time
    targets = [numbers.randrange(calls * 8) for _ in range(60)]
    code = bytearray(head(X86_64))
    for _ in range(calls):
        code += b"\xe8" + struct.pack("<i", numbers.choice(targets) - len(code)) + b"\x89\xc3\x90"
    return bytes(code)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (head(X86_64), MachineCode.X86),
        (head(I386), MachineCode.X86),
        (head(AARCH64), MachineCode.OTHER),
        (head(S390X, ">"), MachineCode.OTHER),
        (head(X86_64, ">"), MachineCode.X86),
        (head(X86_64)[:19], None),
        (b"", None),
        (b"#!/bin/sh\n" + bytes(99), None),
    ],
)
def test_code_is_known_by_its_head(data: bytes, code: MachineCode | None) -> None:
    assert code_of(data) is code


def piece(path: str, size: int = 1 << 20, place: str = "app") -> PlacedPiece:
    key = ObjectKey(ObjectKind.BODY, Digest.of(path.encode()).raw, size)
    return PlacedPiece(Piece(path, (key,)), File(path, size, place))


def known(heads: dict[str, bytes], carried: Iterable[tuple[PlacedPiece, bool]]) -> list[MachineCode | None]:
    return list(codes(carried, lambda each: heads[each.name]))


def test_all_pieces_of_a_file_are_what_its_first_one_is() -> None:
    heads = {"a\0" + "1": head(X86_64), "b\0" + "1": b"text", "a\0" + "2": b"anything"}
    pieces = [(piece(path), False) for path in ("a\x001", "a\x002", "a\x003", "b\x001", "b\x002")]
    assert known(heads, pieces) == [MachineCode.X86, MachineCode.X86, MachineCode.X86, None, None]


def test_the_same_path_elsewhere_is_another_file() -> None:
    heads = {"a\x001": head(X86_64), "a\x002": b"no head"}
    pieces = [(piece("a\x001"), False), (piece("a\x002", place="other"), False)]
    assert known(heads, pieces) == [MachineCode.X86, None]


def test_neither_what_has_a_base_nor_what_is_small_is_looked_at() -> None:
    assert known({}, [(piece("a\x001"), True), (piece("b\x001", 65_535), False)]) == [None, None]


@pytest.mark.parametrize(
    ("effort", "plain", "code", "packing"),
    [
        (Effort.NORMAL, 100, {MachineCode.X86: 51}, Packing(Method.XZ, 6, MachineCode.X86)),
        (Effort.NORMAL, 100, {MachineCode.X86: 50}, Packing(Method.ZSTD, 12)),
        (Effort.NORMAL, 5, {MachineCode.X86: 4}, Packing(Method.ZSTD, 12)),
        (
            Effort.NORMAL,
            100,
            {MachineCode.X86: 20, MachineCode.OTHER: 40},
            Packing(Method.XZ, 6, MachineCode.OTHER),
        ),
        (Effort.NORMAL, 100, {}, Packing(Method.ZSTD, 12)),
        (Effort.MAX, 100, {MachineCode.X86: 100}, Packing(Method.XZ, 9, MachineCode.X86)),
        (Effort.FAST, 100, {MachineCode.X86: 100}, Packing(Method.ZSTD, 3)),
    ],
)
def test_what_most_of_a_segment_is_says_how_it_is_compressed(
    effort: Effort, plain: int, code: dict[MachineCode, int], packing: Packing
) -> None:
    found = {each: size << 20 for each, size in code.items()}
    assert effort.packing(Stream.WHOLE, plain << 20, found) == packing
    assert effort.packing(Stream.PATCHES, plain << 20, found) == effort.packings[Stream.PATCHES]


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little code is compressed as much would be: xz takes seconds for that."""
    monkeypatch.setattr(effort_module, "_LITTLE_CODE", 0)


def carried_whole(pair: Pair, files: dict[str, bytes], effort: Effort) -> StreamSegment:
    path = pair.write([layer(files)], [], effort)
    segments = Delta(path, pair.site.reader).table.segments
    (whole,) = (segment for segment in segments if segment.stream is Stream.WHOLE)
    pair.take_in(path, layer(files))
    return whole


@pytest.mark.usefixtures("little")
def test_calls_are_smaller_by_their_absolute_addresses(pair: Pair) -> None:
    code = program()
    whole = carried_whole(pair, {"usr/bin/app": code}, Effort.NORMAL)
    assert whole.method is Method.XZ
    assert whole.stored < 0.8 * len(Packing(Method.XZ, 6).compress([code]))


def test_little_code_is_like_all_else(pair: Pair) -> None:
    assert carried_whole(pair, {"usr/bin/app": program()}, Effort.NORMAL).method is Method.ZSTD


@pytest.mark.usefixtures("little")
def test_a_program_among_more_of_other_things_is_one_of_them(pair: Pair) -> None:
    files = {"usr/bin/app": program(), **{f"usr/share/{n}": text(n) * 3 for n in range(20)}}
    assert carried_whole(pair, files, Effort.NORMAL).method is Method.ZSTD


@pytest.mark.usefixtures("little")
def test_the_fastest_effort_has_no_way_for_code(pair: Pair) -> None:
    assert carried_whole(pair, {"usr/bin/app": program()}, Effort.FAST).method is Method.ZSTD
