"""Stretches of files."""

from __future__ import annotations

import io

import pytest

from airstore.core.limits import MIB
from airstore.core.pieces import pieces


@pytest.mark.parametrize("count", [-1, 0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB - 4, 9 * MIB])
def test_so_much_is_read_as_was_asked_for_and_is_there(count: int) -> None:
    data = bytes(range(256)) * (3 * MIB // 256)
    file = io.BytesIO(data)
    file.seek(4)
    found = list(pieces(file, count))
    assert b"".join(found) == data[4 : max(4, 4 + count)]
    assert all(0 < len(each) <= MIB for each in found)
    assert file.tell() == min(4 + max(count, 0), len(data))
