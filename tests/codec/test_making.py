"""Patches that the codec makes: any two sides come back by them, as by the library whose format they have."""

from __future__ import annotations

import io
import random

import hdiffpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.codec import make_patch, patch, shared

_MAGIC = b"HDIFF13&\0"
_MOST = 1 << 27  # bytes of a base


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - the same each time


def addresses(base: int) -> bytes:
    """A table as programs have them: each entry is some way behind the last one."""
    return b"".join((base + 37 * n + n * n % 97).to_bytes(8, "little") for n in range(4000))


_OLD = noise(1, 60_000) + bytes(9000) + b"abc" * 4000 + addresses(1 << 32) + noise(2, 20_000)
_parts = st.one_of(
    st.tuples(st.integers(0, len(_OLD)), st.integers(0, 40_000)).map(lambda at: _OLD[at[0] : sum(at)]),
    st.binary(max_size=300),
    st.integers(0, 9000).map(bytes),
    st.integers(0, 9000).map(lambda size: b"\xff" * size),
    st.integers(0, 4000).map(lambda size: bytes(byte + 7 & 0xFF for byte in _OLD[:size])),
    st.sampled_from([addresses(1 << 32 | 0x40), addresses(1 << 33)]),
)
_sides = st.lists(_parts, max_size=6).map(b"".join)


def made(old: bytes, new: bytes, own: int | None = None) -> bytes:
    """A patch, by which the new side came back from both readers."""
    data, out = make_patch(old, new, own), io.BytesIO()
    patch(old, data, len(new), out)
    assert out.getvalue() == new
    if old and new:
        assert hdiffpatch.apply(old, _MAGIC + data) == new
    return data


@given(_sides, _sides, st.integers(0, 100_000))
def test_any_side_comes_back_from_any_other(old: bytes, new: bytes, own: int) -> None:
    made(old, new, min(own, len(old)))


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_short_sides_come_back(old: bytes, new: bytes) -> None:
    made(old, new)


@given(st.integers(1, 40), st.integers(1, 400), st.data())
def test_what_repeats_itself_comes_back(period: int, every: int, data: st.DataObject) -> None:
    unit = data.draw(st.binary(min_size=period, max_size=period))
    old = unit * (30_000 // period)
    new = bytearray(old)
    new[::every] = bytes(byte ^ 1 for byte in new[::every])
    made(old, bytes(new))
    made(bytes(new), old)


def test_what_changed_in_a_few_places_costs_a_few_bytes() -> None:
    new = _OLD[90_000:] + b"put in" + _OLD[:50_000] + bytes([_OLD[50_000] ^ 1]) + _OLD[50_001:90_000]
    assert len(made(_OLD, new)) < 60


def test_the_same_sides_make_the_same_patch() -> None:
    new = noise(3, 500) + addresses(1 << 32 | 0x40) + _OLD[:30_000]
    assert make_patch(_OLD, new) == make_patch(_OLD, new)


def test_what_is_shared_is_told_by_where_it_was() -> None:
    new = _OLD[10_000:40_000] + noise(4, 1000) + _OLD[-19_000:]
    assert shared(_OLD, new, len(_OLD) - 20_000) == (49_000, 19_000)
    assert shared(_OLD, new[:9000], 0) == (0, 0)


def test_a_base_that_no_reader_believes_is_refused() -> None:
    base = bytes(_MOST + 1)
    with pytest.raises(RuntimeError, match="too large"):
        make_patch(base, b"new")
    with pytest.raises(RuntimeError, match="too large"):
        shared(base, b"new", 0)
