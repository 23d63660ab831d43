"""Solid streams and tars that are joined again: what goes in comes out, and damage is an error."""

from __future__ import annotations

import io
import random
import tarfile
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.store.format.solid import compress_solid, solid_chunks
from airstore.store.ingest import tar
from airstore.store.ingest.feed import Feed


def solid(*parts: bytes, level: int = 3) -> bytes:
    return compress_solid(parts, level)


def read(data: bytes, size: int, length: int | None = None) -> bytes:
    return b"".join(solid_chunks(io.BytesIO(data), len(data) if length is None else length, size))


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(1, 19))
def test_a_solid_stream_comes_back(parts: list[bytes], level: int) -> None:
    plain = b"".join(parts)
    assert read(solid(*parts, level=level), len(plain)) == plain


def test_a_stream_ends_where_it_shall() -> None:
    file = io.BytesIO(solid(b"one") + solid(b"two"))
    assert b"".join(solid_chunks(file, len(solid(b"one")), 3)) == b"one"
    assert b"".join(solid_chunks(file, len(solid(b"two")), 3)) == b"two"


def test_a_match_far_away_is_used() -> None:
    far = random.Random(1).randbytes(1 << 20)  # noqa: S311 - the same each time
    between = random.Random(2).randbytes(20 << 20)  # noqa: S311 - the same each time
    assert len(solid(far, between, far)) < len(between) + len(far) + (64 << 10)


def test_a_reader_of_what_is_written_needs_32_mib_and_takes_more_of_what_was() -> None:
    size = 33 << 20
    assert zstandard.get_frame_parameters(solid(bytes(size))).window_size == 32 << 20
    older = zstandard.ZstdCompressionParameters.from_level(1, source_size=size, window_log=26)
    frame = zstandard.ZstdCompressor(compression_params=older).compress(bytes(size))
    assert zstandard.get_frame_parameters(frame).window_size > 32 << 20
    assert read(frame, size) == bytes(size)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_damaged_stream_is_an_error_or_the_right_bytes(plain: bytes, data: st.DataObject) -> None:
    whole = solid(plain)
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    for size in (len(plain) - 1, len(plain) + 1):
        with pytest.raises(DamagedError):
            read(whole, size)
    for damaged in (flipped, whole[:at], whole + b"x"):
        with suppress(DamagedError):
            assert read(damaged, len(plain)) == plain  # some bits of a frame say nothing of what it holds
    with pytest.raises(DamagedError):
        read(whole[: len(whole) - 5], len(plain))


def test_a_bomb_is_not_unpacked() -> None:
    bomb = solid(bytes(1 << 28))
    with pytest.raises(DamagedError, match="more than its table says"):
        read(bomb, 1000)


def a_tar(*members: tuple[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as made:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return file.getvalue()


_names = st.text("abc/é", min_size=1, max_size=150).filter(lambda name: name.strip("/"))
_members = st.lists(st.tuples(_names, st.binary(max_size=1500)), max_size=5)


@given(_members, st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]), st.integers(0, 12_000))
def test_a_tar_is_joined_from_skeleton_and_bodies(
    members: list[tuple[str, bytes]], form: int, cut: int
) -> None:
    for plain in (a_tar(*members, form=form), a_tar(*members, form=form)[:cut]):
        spans = list(tar.spans(Feed([plain])))
        skeleton = [span.data for span in spans if not span.body]
        bodies = [span.data for span in spans if span.body]
        assert b"".join(tar.join(Feed(skeleton), Feed(bodies))) == plain


@given(_members, st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_every_body_has_its_path(members: list[tuple[str, bytes]], form: int) -> None:
    plain = a_tar(*members, form=form)
    skeleton = [span.data for span in tar.spans(Feed([plain])) if not span.body]
    with tarfile.open(fileobj=io.BytesIO(plain)) as read_by_python:
        expected = [(each.name, each.size) for each in read_by_python if each.size]
    found = [(name.rstrip("/"), size) for name, size in tar.members(Feed(skeleton))]
    assert found == [(name.rstrip("/"), size) for name, size in expected]
