"""A patch in its parts: HDiffPatch's format HDIFF13, uncompressed, without its magic. Pure.

Covers say which bytes of the old side each run of the new one is compared with; controls and data are the
differences between them, as runs, over the whole of the new side; what no cover has is carried as it is.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

_FIELDS = 11  # numbers before the sections: sizes of both sides, covers, and two for each section
_SECTIONS = (3, 5, 7, 9)  # where the sizes of covers, controls, bytes and what is new are among them


class Kind(IntEnum):
    """Of runs of differences, in the two highest bits of a control."""

    ZEROS = 0
    ONES = 1
    SAME = 2
    SPELLED = 3


class Parts(NamedTuple):
    """A patch in its parts.

    Attributes:
        fields: the numbers at its beginning.
        covers, controls, data, new: its sections.
    """

    fields: list[int]
    covers: bytes
    controls: bytes
    data: bytes
    new: bytes

    @classmethod
    def read(cls, data: bytes) -> Parts:
        """Take one apart, as the codec made it."""
        at, fields = 0, list[int]()
        for _ in range(_FIELDS):
            value, at = number(data, at, data[at] & 0x7F, 0x80)
            fields.append(value)
        sections = list[bytes]()
        for size in (fields[field] for field in _SECTIONS):
            sections.append(data[at : at + size])
            at += size
        return cls(fields, *sections)

    def written(self) -> bytes:
        """The patch again, with the sizes of its sections as they are."""
        fields = list(self.fields)
        for field, section in zip(_SECTIONS, self[1:], strict=True):
            fields[field] = len(section)
        return b"".join(map(packed, fields)) + b"".join(self[1:])


def number(data: bytes, at: int, first: int, more: int) -> tuple[int, int]:
    """A number that begins with some bits of one byte; and where it ends."""
    going = data[at] & more
    at += 1
    while going:
        first = first << 7 | data[at] & 0x7F
        going = data[at] & 0x80
        at += 1
    return first, at


def packed(value: int, bits: int = 7, head: int = 0) -> bytes:
    """A number, seven bits a byte.

    Args:
        value: the number.
        bits: how many of it are in the first byte, behind what else is there and a bit that says: more.
        head: what else is there.
    """
    rest = list[int]()
    while value >> bits:
        rest.append(value & 0x7F | (0x80 if rest else 0))
        value >>= 7
    return bytes([head | value | (1 << bits if rest else 0), *reversed(rest)])


def control(size: int, kind: int) -> bytes:
    """That so many differences are a run of a kind."""
    return packed(size - 1, 5, kind << 6)
