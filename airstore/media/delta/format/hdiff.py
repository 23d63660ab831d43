"""A patch of HDiffPatch's in its parts: its format HDIFF13, uncompressed, without its magic. Pure.

Covers say which bytes of the old side each run of the new one is compared with; controls and data are the
differences between them, as runs, over the whole of the new side; what no cover has is carried as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

_FIELDS = 11  # numbers before the sections: sizes of both sides, covers, and two for each section
_COUNT = 2  # where the number of covers is among them
_SECTIONS = (3, 5, 7, 9)  # where the sizes of covers, controls, bytes and what is new are among them
_BACK = 0x80  # the first bit of a cover: it begins before the end of the last one
_FEW = 256  # numbers whose controls are kept


class Kind(IntEnum):
    """Of runs of differences, in the two highest bits of a control."""

    ZEROS = 0
    ONES = 1
    SAME = 2
    SPELLED = 3


class Cover(NamedTuple):
    """Bytes of the new side that are compared with as many of the old one: where both begin, and how many."""

    old: int
    new: int
    size: int


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
        """Take one apart, as HDiffPatch made it."""
        at, fields = 0, list[int]()
        for _ in range(_FIELDS):
            value, at = number(data, at, data[at] & 0x7F, 0x80)
            fields.append(value)
        sections = list[bytes]()
        for size in (fields[field] for field in _SECTIONS):
            sections.append(data[at : at + size])
            at += size
        return cls(fields, *sections)

    @classmethod
    def of(
        cls, sizes: tuple[int, int], covers: Sequence[Cover], differences: tuple[bytes, bytes], new: bytes
    ) -> Parts:
        """One that is put together.

        Args:
            sizes: of the new side and of the old one.
            covers: in the order of the new side.
            differences: controls and data.
            new: what no cover has.
        """
        return cls([*sizes, len(covers), *(_FIELDS - 3) * [0]], _written(covers), *differences, new)

    def written(self) -> bytes:
        """The patch again, with the sizes of its sections as they are."""
        fields = list(self.fields)
        for field, section in zip(_SECTIONS, self[1:], strict=True):
            fields[field] = len(section)
        return b"".join(map(packed, fields)) + b"".join(self[1:])

    def read_covers(self) -> list[Cover]:
        """Its covers, in the order of the new side."""
        data, at, old, new, found = self.covers, 0, 0, 0, list[Cover]()
        for _ in range(self.fields[_COUNT]):
            back = data[at] & _BACK
            distance, at = number(data, at, data[at] & 0x3F, 0x40)
            gap, at = number(data, at, data[at] & 0x7F, 0x80)
            size, at = number(data, at, data[at] & 0x7F, 0x80)
            found.append(Cover(old - distance if back else old + distance, new + gap, size))
            old, new = found[-1].old + size, new + gap + size
        return found


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
    return _CONTROLS[kind][size - 1] if size <= _FEW else packed(size - 1, 5, kind << 6)


_CONTROLS = [[packed(size, 5, kind << 6) for size in range(_FEW)] for kind in Kind]


def _written(covers: Iterable[Cover]) -> bytes:
    out, old, new = bytearray(), 0, 0
    for cover in covers:
        distance = cover.old - old
        out += packed(abs(distance), 6, _BACK if distance < 0 else 0)
        out += packed(cover.new - new) + packed(cover.size)
        old, new = cover.old + cover.size, cover.new + cover.size
    return bytes(out)
