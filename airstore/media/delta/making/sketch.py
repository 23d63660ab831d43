"""What a file is made of, in few numbers: files that share content share some of them. Pure.

A bottom-k sketch (Broder, "On the resemblance and containment of documents", 1997) over short pieces that
begin where the content says so: what was inserted before them does not move them.
"""

from __future__ import annotations

import heapq
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SIZE = 64  # numbers of one sketch at most
READ = 4 << 20  # bytes of a file that are looked at, from its beginning
_LEAST = 2  # numbers in common that are more than chance
# A piece begins where one byte of the first kind is followed by one of the second. Such places are some 300
# bytes apart in text and in machine code: looking at each of a large file takes a tenth of the time that
# looking at all those below takes.
_RARE = re.compile(rb"[\x0a\x20\x48\x8b](?=([\x66\x77\x83\xec].{21}).)", re.DOTALL)
# Some 10 bytes apart in text, 30 in machine code: for files that have too few of the others.
_PIECE = re.compile(
    rb"[\x00\x0a\x20\x48\x89\x2e\x74\x5f\xe8\x8b\xff\x65](?=([\x01-\x08aceilmnoprstu-wABC].{21}).)", re.DOTALL
)
_BEHIND = 1 << 32  # pieces of the second kind count behind all of the first, in whatever file they are


def sketch(data: bytes) -> frozenset[int]:
    """Numbers of a file's content; empty for what is too short to be compared."""
    view = data[:READ]
    numbers = _numbers(_RARE, view)
    if len(numbers) >= _SIZE:
        return frozenset(numbers[:_SIZE])
    rest = _numbers(_PIECE, view)[: _SIZE - len(numbers)]
    return frozenset((*numbers, *(number + _BEHIND for number in rest)))


def _numbers(begins: re.Pattern[bytes], view: bytes) -> list[int]:
    """Of the pieces that begin so, in their order, spread so that the smallest are no special pieces.

    Knuth's multiplicative hash. There are millions of pieces in a release: no call of Python's own for each.
    """
    found = set(map(zlib.crc32, set(begins.findall(view))))
    return sorted([number * 2654435761 & 0xFFFFFFFF for number in found])


@dataclass
class Pool:
    """Old files that new ones are compared with.

    Attributes:
        holders: number to the files whose sketches have it.
    """

    holders: Mapping[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, file: int, numbers: Iterable[int]) -> None:
        """Have a file be compared with."""
        for number in numbers:
            self.holders[number].append(file)

    def nearest(self, numbers: Iterable[int], count: int) -> list[int]:
        """The files that share most, the nearest first; none that share nearly nothing."""
        shared: dict[int, int] = defaultdict(int)
        for number in numbers:
            for file in self.holders.get(number, ()):
                shared[file] += 1
        found = [(-times, file) for file, times in shared.items() if times >= _LEAST]
        return [file for _, file in heapq.nsmallest(count, found)]
