"""How a delta's streams are cut into segments."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airstore.core.limits import KIB, MIB
from airstore.media.delta.effort import Effort
from airstore.media.delta.format.layout import Stream
from airstore.media.delta.format.segments import SegmentWriter, read_streams

_PART = 700 * KIB + 1


@pytest.mark.parametrize(
    ("effort", "size", "cut"),
    [
        (Effort.NORMAL, 3 * MIB + 1, [3 * MIB // 2, 3 * MIB // 2 + 1]),
        (Effort.NORMAL, 2 * MIB - 1, [2 * MIB - 1]),
        (Effort.NORMAL, 6 * MIB, [5 * _PART, (6 * MIB - 5 * _PART) // 2, -(-(6 * MIB - 5 * _PART) // 2)]),
        (Effort.FAST, 3 * MIB, [3 * MIB]),
        (Effort.MAX, 3 * MIB, [3 * MIB]),
    ],
)
@pytest.mark.parametrize("workers", [1, 3])
def test_two_workers_share_the_last_patches(
    tmp_path: Path, effort: Effort, size: int, cut: list[int], workers: int
) -> None:
    """The stream is the same however it is cut, and so is what is said of the work."""
    plain = b"".join(n.to_bytes(4, "big") for n in range(size // 4 + 1))[:size]
    heard, path = list[int](), tmp_path / "segments"
    with ThreadPoolExecutor(workers) as pool, path.open("xb") as file:
        writer = SegmentWriter(
            file, lambda parts, packing: pool.submit(packing.compress, parts), effort, 2, heard.append
        )
        for start in range(0, size, _PART):
            writer.write(Stream.PATCHES, plain[start : start + _PART], 10)
        writer.finish()
    assert [segment.plain for segment in writer.segments] == cut
    assert sum(heard) == 10 * len(range(0, size, _PART))
    assert read_streams(path, 0, writer.segments)[Stream.PATCHES].take(size) == plain
