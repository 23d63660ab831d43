"""The Range header (RFC 9110, section 14), for one range of bytes."""

from __future__ import annotations

import re

from airstore.core.frozen import frozen

# Eighteen digits are more than any file has bytes and cannot be used to burn time in int().
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


@frozen
class ByteRange:
    """Bytes from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int


class UnsatisfiableRangeError(ValueError):
    """The range lies outside the content."""


def parse_range(header: str, size: int) -> ByteRange | None:
    """The range that a header asks for of ``size`` bytes.

    Returns None, which means all of it, for what a server may ignore: no range, several, another unit,
    or a malformed one (RFC 9110, section 14.2).

    Raises:
        UnsatisfiableRangeError: nothing of the range is there.
    """
    match = _RANGE.fullmatch(header)
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if first and last and int(first) > int(last):
        return None
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if start >= stop:
        raise UnsatisfiableRangeError(header)
    return ByteRange(start, stop)
