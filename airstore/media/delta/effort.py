"""How much time smaller media are worth: what is tried for each piece, and how streams are compressed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from airstore.core.limits import MIB
from airstore.media.delta.format.layout import Stream
from airstore.media.delta.format.packing import MachineCode, Method, Packing
from airstore.media.delta.format.segments import SEGMENT
from airstore.media.delta.making.memory import Memory
from airstore.media.delta.making.ways import Search

_LITTLE_CODE = 4 * MIB  # bytes
# Bytes of patches that xz compresses as one: the first while others are still made, the last on several
# cores. Of 23 MB 1.3 % more than as a whole, in three quarters of the CPU time.
_PATCHES = 4 * MIB


class Effort(StrEnum):
    """How much time smaller media are worth."""

    FAST = "fast"
    NORMAL = "normal"
    MAX = "max"

    @property
    def packings(self) -> dict[Stream, Packing]:
        """How each stream is compressed.

        What has no base may be gigabytes: 15 made 1 % less of a Debian root than 12, in four times as long.
        Patches are 8 to 14 % smaller in xz than in zstd 17, in about the time. Machine code: see `packing`.
        """
        whole, patches, rest = _PACKINGS[self]
        return {
            Stream.WHOLE: whole,
            Stream.PATCHES: patches,
            Stream.NOTES: rest,
            Stream.CONTROLS: patches,
        }

    @property
    def code(self) -> Mapping[MachineCode, Packing]:
        """How segments are compressed that are machine code for the most part; none where like all others.

        It takes eight times as long as zstd: for little code that is more than the bytes are worth.
        """
        level = {Effort.NORMAL: 6, Effort.MAX: 9}.get(self)
        return {code: Packing(Method.XZ, level, code) for code in MachineCode} if level else {}

    @property
    def every(self) -> set[Packing]:
        """All of them."""
        return {*self.packings.values(), *self.code.values(), self.table}

    def most(self, stream: Stream) -> int:
        """See `Packer`."""
        return _PATCHES if self is Effort.NORMAL and stream is Stream.PATCHES else SEGMENT

    def packing(self, stream: Stream, plain: int, code: Mapping[MachineCode, int]) -> Packing:
        """How a segment is compressed; see `Packer`."""
        if stream is Stream.WHOLE and sum(code.values()) > max(plain // 2, _LITTLE_CODE):
            return self.code.get(max(code, key=code.__getitem__), self.packings[stream])
        return self.packings[stream]

    @property
    def search(self) -> Search:
        """What is tried for each piece."""
        return Search(open_archives=self is not Effort.FAST, spell=self is Effort.MAX)

    @property
    def table(self) -> Packing:
        """How the table is compressed."""
        return _PACKINGS[self].rest

    def shares(self, memory: int) -> Memory:
        """How so many bytes of memory are shared.

        Raises:
            UsageError: that is too little.
        """
        return Memory.shared(memory, self.every)


class _Packings(NamedTuple):
    """For what is carried whole, for patches and what puts archives back, and for the rest."""

    whole: Packing
    patches: Packing
    rest: Packing


_PACKINGS = {
    Effort.FAST: _Packings(Packing(Method.ZSTD, 3), Packing(Method.ZSTD, 3), Packing(Method.ZSTD, 3)),
    Effort.NORMAL: _Packings(Packing(Method.ZSTD, 12), Packing(Method.XZ, 7), Packing(Method.ZSTD, 17)),
    Effort.MAX: _Packings(Packing(Method.XZ, 9), Packing(Method.XZ, 9), Packing(Method.ZSTD, 22)),
}
