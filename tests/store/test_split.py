"""Splitting loses no byte, whatever the input; real tars are cut at their file bodies."""

from __future__ import annotations

import io
import struct
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.store.format.objects import PIECE, ObjectKind
from airstore.store.ingest.feed import Feed
from airstore.store.ingest.split import join, split
from tests.store.store_support import PROPERTY, chunked, make_tar, noise, text

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
FILES = {
    "bin/tool": noise(3_000, 1),
    "etc/empty": b"",
    "usr/block": noise(512, 2),
    "usr/share/doc": text(70_000, 3),
    "lib/big": noise(PIECE * 2 + 17, 4),
}


def rebuilt(data: bytes, chunk: int = 70_001) -> bytes:
    return b"".join(join(split(chunked(data, chunk))))


def bodies(data: bytes) -> list[bytes]:
    """All contents of the segments, where the input was taken as a tar."""
    segments = list(split(chunked(data)))
    assert all(segment.kind is ObjectKind.BODY for segment in segments)
    return [step for segment in segments for step in segment.steps if isinstance(step, bytes)]


def octal_header(name: bytes, size: bytes, type_: bytes = b"0") -> bytearray:
    block = bytearray(512)
    block[: len(name)] = name
    block[124 : 124 + len(size)] = size
    block[156:157] = type_
    block[257:265] = b"ustar\x0000"
    return block


def sealed(block: bytearray, *, signed: bool = False) -> bytes:
    block[148:156] = b" " * 8
    total = sum(struct.unpack("512b", block)) if signed else sum(block)
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


@given(data=st.binary(max_size=5_000), chunk=st.integers(1, 1_500))
@PROPERTY
def test_any_bytes_are_rebuilt(data: bytes, chunk: int) -> None:
    assert rebuilt(data, chunk) == data


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=220)
    files = draw(st.dictionaries(names, st.binary(max_size=1_300), max_size=6))
    return make_tar({name: body for name, body in files.items() if name.strip("/")}, tarfile.PAX_FORMAT)


@given(data=tars(), chunk=st.integers(1, 3_000))
@PROPERTY
def test_real_tars_are_rebuilt(data: bytes, chunk: int) -> None:
    assert rebuilt(data, chunk) == data


@given(data=tars(), cut=st.floats(0, 1))
@PROPERTY
def test_truncated_tars_are_rebuilt(data: bytes, cut: float) -> None:
    short = data[: int(len(data) * cut)]
    assert rebuilt(short) == short


@given(
    data=tars(), edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8)
)
@PROPERTY
def test_mutated_tars_are_rebuilt(data: bytes, edits: list[tuple[float, int]]) -> None:
    changed = bytearray(data)
    for where, byte in edits:
        changed[int(where * len(changed))] = byte
    assert rebuilt(bytes(changed)) == changed


@given(
    size=st.binary(min_size=12, max_size=12),
    type_=st.binary(min_size=1, max_size=1),
    tail=st.binary(max_size=2_000),
)
@PROPERTY
def test_headers_with_any_size_and_type_are_rebuilt(size: bytes, type_: bytes, tail: bytes) -> None:
    data = sealed(octal_header(b"file", size, type_)) + tail
    assert rebuilt(data) == data


@pytest.mark.parametrize("format_", FORMATS)
def test_bodies_of_every_format_are_found(format_: int) -> None:
    long_name = "d" * 90 + "/" + "n" * 90
    data = make_tar({**FILES, long_name: b"long"}, format_)
    assert rebuilt(data) == data
    found = bodies(data)
    assert found[:3] == [FILES["bin/tool"], FILES["usr/block"], FILES["usr/share/doc"]]
    assert b"".join(found[3:]) == FILES["lib/big"] + b"long"
    assert max(map(len, found)) <= PIECE


def test_members_without_bodies_do_not_shift_the_rest() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for type_ in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"member{type_!r}")
            info.type, info.linkname = type_, "bin/tool"
            tar.addfile(info)
        info = tarfile.TarInfo("last")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"body"))
    assert bodies(out.getvalue()) == [b"body"]


def test_base_256_sizes_are_read() -> None:
    size = b"\x80" + (700).to_bytes(11, "big")
    data = sealed(octal_header(b"file", size)) + noise(1024, 5) + bytes(1024)
    assert bodies(data) == [noise(1024, 5)[:700]]
    assert rebuilt(data) == data


def test_negative_base_256_sizes_are_not_believed() -> None:
    data = sealed(octal_header(b"file", b"\xff" * 12)) + noise(1024, 5)
    assert rebuilt(data) == data
    assert next(split([data])).kind is ObjectKind.RAW


def test_sizes_beyond_the_end_stop_there() -> None:
    data = sealed(octal_header(b"file", b"\x80" + b"\x0f" * 11)) + b"all that is left"
    assert bodies(data) == [b"all that is left"]


def test_pax_sizes_override_the_header() -> None:
    record = b"12 size=700\n"
    pax = sealed(octal_header(b"pax", b"%011o" % len(record), b"x")) + record.ljust(512, b"\0")
    data = pax + sealed(octal_header(b"file", b"00000000001")) + noise(1024, 6) + make_tar({"next": b"next"})
    assert bodies(data) == [noise(1024, 6)[:700], b"next"]
    assert rebuilt(data) == data


def test_signed_checksums_are_accepted() -> None:
    data = sealed(octal_header(b"\xe9t\xe9", b"00000000004"), signed=True) + b"body".ljust(512, b"\0")
    assert bodies(data) == [b"body"]


def test_gnu_sparse_maps_are_skeleton() -> None:
    block = octal_header(b"sparse", b"00000000004", b"S")
    block[482] = 1
    extension = bytearray(512)
    extension[504] = 1
    data = (
        sealed(block) + bytes(extension) + bytes(512) + b"body".ljust(512, b"\0") + make_tar({"n": b"next"})
    )
    assert bodies(data) == [b"body", b"next"]
    assert rebuilt(data) == data


def test_trailing_garbage_is_skeleton_in_bounded_segments() -> None:
    garbage = noise(3 * PIECE, 7)
    data = make_tar({"a": b"body"}) + garbage
    segments = list(split(chunked(data)))
    assert bodies(data) == [b"body"]
    assert b"".join(join(segments)) == data
    assert max(len(segment.skeleton) for segment in segments) <= 2 * PIECE


def test_a_tar_behind_another_is_split_too() -> None:
    assert bodies(make_tar({"a": b"first"}) + make_tar({"b": b"second"})) == [b"first", b"second"]


def test_other_content_is_cut_into_equal_pieces() -> None:
    data = noise(2 * PIECE + 5, 8)
    segments = list(split(chunked(data)))
    assert [segment.kind for segment in segments] == [ObjectKind.RAW] * 3
    assert [len(segment.steps[0]) for segment in segments if isinstance(segment.steps[0], bytes)] == [
        PIECE,
        PIECE,
        5,
    ]


def test_an_empty_blob_has_no_segments() -> None:
    assert list(split([])) == []
    assert list(split([b"", b""])) == []


@given(chunks=st.lists(st.binary(max_size=20)), bites=st.lists(st.tuples(st.booleans(), st.integers(0, 25))))
@PROPERTY
def test_feed_gives_what_was_asked(chunks: list[bytes], bites: list[tuple[bool, int]]) -> None:
    whole, at, feed = b"".join(chunks), 0, Feed(chunks)
    for peek, count in bites:
        assert (feed.peek if peek else feed.take)(count) == whole[at : at + count]
        at += 0 if peek else min(count, len(whole) - at)
