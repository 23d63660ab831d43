"""A stretch of a file, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from airstore.core.limits import MIB


def pieces(file: BinaryIO, count: int) -> Iterator[bytes]:
    """The next ``count`` bytes, at most a megabyte at once; fewer where the file ends before."""
    while count > 0 and (data := file.read(min(count, MIB))):
        count -= len(data)
        yield data
