"""Old files that new ones are compared with, by what the codec says they are made of. Pure."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_LEAST = 2  # numbers in common that are more than chance


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
