"""A patch whose differences are spelled out, where that takes less once it is compressed. Pure.

HDiffPatch keeps the differences along its matches as runs: controls in one place, bytes in another. One
byte for each of the new, mostly zeros, is ten times as much, but what repeats in it is in one place. Two Go
programs took 13 % less so in xz, a Rust library as much as before. Either way it is a patch of the same
format, which the same reader applies.
"""

from __future__ import annotations

from typing import NamedTuple

from airstore.media.delta.format.nested import VIEW
from airstore.media.delta.format.patch import NO_BOUNDS, Carried, Room
from airstore.media.delta.making.memory import WEIGHED

_FIELDS = 11  # numbers before the sections: sizes of both sides, covers, and two for each section
_SECTIONS = (3, 5, 7, 9)  # where the sizes of covers, controls, bytes and what is new are among them
_CONTROLS, _BYTES = 5, 7
_ZEROS, _ONES, _SAME, _SPELLED = range(4)  # kinds of runs, in the two highest bits of a control


class _Patch(NamedTuple):
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
    def read(cls, data: bytes) -> _Patch:
        at, fields = 0, list[int]()
        for _ in range(_FIELDS):
            number, at = _number(data, at, data[at] & 0x7F, 0x80)
            fields.append(number)
        sections = list[bytes]()
        for size in (fields[field] for field in _SECTIONS):
            sections.append(data[at : at + size])
            at += size
        return cls(fields, *sections)

    def written(self) -> bytes:
        numbers = b"".join(map(_packed, self.fields))
        return numbers + self.covers + self.controls + self.data + self.new


def spelled(carried: Carried, room: Room = NO_BOUNDS) -> Carried:
    """The same patch, in whichever of both ways takes less.

    Args:
        carried: a patch.
        room: the memory for it.
    """
    other = spell(carried.data)
    with room.spelling(len(other)):
        less = len(other) <= VIEW and _weight(other) < _weight(carried.data)
    return carried._replace(data=other) if less else carried


def spell(data: bytes) -> bytes:
    """A patch as `patch.make` made it, with its differences as one run of bytes."""
    patch = _Patch.read(data)
    differences = _differences(patch.controls, patch.data)
    controls = _packed(len(differences) - 1, _SPELLED)
    fields = list(patch.fields)
    fields[_CONTROLS], fields[_BYTES] = len(controls), len(differences)
    return patch._replace(fields=fields, controls=controls, data=differences).written()


def _differences(controls: bytes, data: bytes) -> bytes:
    out, at, taken = bytearray(), 0, 0
    while at < len(controls):
        kind = controls[at] >> 6
        size, at = _number(controls, at, controls[at] & 0x1F, 0x20)
        size += 1
        if kind == _ZEROS:
            out += bytes(size)
        elif kind == _ONES:
            out += b"\xff" * size
        else:
            end = taken + (1 if kind == _SAME else size)
            out += data[taken:end] * (size if kind == _SAME else 1)
            taken = end
    return bytes(out)


def _number(data: bytes, at: int, number: int, more: int) -> tuple[int, int]:
    """A number that begins with some bits of one byte; and where it ends."""
    going = data[at] & more
    at += 1
    while going:
        number = number << 7 | data[at] & 0x7F
        going = data[at] & 0x80
        at += 1
    return number, at


def _packed(number: int, kind: int | None = None) -> bytes:
    """A number, seven bits a byte; with a kind, five bits in the first one behind it."""
    first = 7 if kind is None else 5
    rest = list[int]()
    while number >> first:
        rest.append(number & 0x7F | (0x80 if rest else 0))
        number >>= 7
    head = number | (1 << first if rest else 0) | (0 if kind is None else kind << 6)
    return bytes([head, *reversed(rest)])


def _weight(data: bytes) -> int:
    """Bytes that it takes compressed by itself."""
    return len(WEIGHED.compress([data]))
