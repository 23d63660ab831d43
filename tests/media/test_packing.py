"""Segments of a delta by zstd and by xz: they come back, and none makes a reader take more than it said."""

from __future__ import annotations

import io
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.media.delta.effort import Effort
from airstore.media.delta.format.packing import MachineCode, Method, Packing, unpack
from airstore.media.delta.reader import Delta
from tests.media.delta.test_delta import text
from tests.media.delta.test_delta_blobs import NEW, OLD, Pair, pair, restore

__all__ = ["pair"]  # a fixture

PACKINGS = [
    *(Packing(Method.ZSTD, 3), Packing(Method.XZ, 7), Packing(Method.XZ, 9)),
    *(Packing(Method.XZ, 6, code) for code in MachineCode),
]
SAMPLE = text(3)


def unpacked(frame: bytes, size: int, method: Method = Method.XZ, stored: int | None = None) -> bytes:
    return b"".join(unpack(io.BytesIO(frame), method, len(frame) if stored is None else stored, size))


@given(st.sampled_from(PACKINGS), st.lists(st.binary(max_size=300), max_size=5))
def test_what_was_packed_comes_back(packing: Packing, parts: list[bytes]) -> None:
    plain = b"".join(parts)
    assert unpacked(packing.compress(parts), len(plain), packing.method) == plain


def test_a_frame_is_read_up_to_its_end() -> None:
    """What follows it in the file is not looked at."""
    frame = PACKINGS[1].compress([SAMPLE])
    file = io.BytesIO(frame + b"the next one")
    assert b"".join(unpack(file, Method.XZ, len(frame), len(SAMPLE))) == SAMPLE
    assert file.read() == b"the next one"


@pytest.mark.parametrize("more", [-1, 1])
def test_a_frame_of_another_size_is_damaged(more: int) -> None:
    with pytest.raises(DamagedError, match=r"holds more|does not end"):
        unpacked(PACKINGS[1].compress([SAMPLE]), len(SAMPLE) + more)


@given(st.data())
def test_a_damaged_frame_is_an_error(data: st.DataObject) -> None:
    frame = PACKINGS[1].compress([SAMPLE])
    at = data.draw(st.integers(0, len(frame) - 1))
    flipped = bytes([frame[at] ^ data.draw(st.integers(1, 255))])
    for damaged in (frame[:at], frame[:at] + flipped + frame[at + 1 :], frame + flipped):
        with pytest.raises(DamagedError):
            unpacked(damaged, len(SAMPLE))


def test_a_frame_that_asks_for_much_memory_is_refused() -> None:
    """The encoder of so few bytes needs none of it; the reader takes all at once."""
    small = lzma.compress(b"small", check=lzma.CHECK_CRC32, filters=[_dictionary(1 << 16)])
    assert unpacked(small, 5) == b"small"
    large = lzma.compress(b"small", check=lzma.CHECK_CRC32, filters=[_dictionary(1 << 28)])
    with pytest.raises(DamagedError, match=r"[Mm]emory"):
        unpacked(large, 5)


def test_a_bomb_stops_where_its_table_says() -> None:
    bomb = PACKINGS[1].compress([bytes(50_000_000)])
    assert len(bomb) < 10_000
    read = list[int]()
    with pytest.raises(DamagedError, match="holds more"):
        read.extend(map(len, unpack(io.BytesIO(bomb), Method.XZ, len(bomb), 1_000_000)))
    assert sum(read) <= 1_000_000


def test_patches_take_no_more_memory_than_is_counted() -> None:
    """The dictionary is as large as the data, not as large as the preset has it."""
    for packing in PACKINGS:
        assert packing.memory(1 << 20) < packing.memory(64 << 20) < 1 << 30
    assert Packing(Method.XZ, 9).memory(1 << 16) < 20 << 20


@pytest.mark.parametrize("effort", [Effort.NORMAL, Effort.MAX])
def test_a_damaged_delta_of_xz_changes_nothing(pair: Pair, effort: Effort) -> None:
    """A reader that does not know the digest of the file gets an error, or the right blob."""
    path = pair.write([NEW], [OLD], effort)
    pair.put(pair.site, OLD)
    whole = path.read_bytes()
    assert Method.XZ in {segment.method for segment in Delta(path, pair.site.reader).table.segments}

    @given(st.integers(0, len(whole) - 1), st.integers(1, 255))
    def tried(at: int, mask: int) -> None:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :])
        restore(pair, path)

    tried()
    path.write_bytes(whole)
    pair.take_in(path, NEW)


def _dictionary(size: int) -> dict[str, int]:
    return {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": size}
