"""Long runs of bytes that both sides of a patch have: what need not be looked for by sorting. Pure.

Blocks of the old side at some distance are known by what they hold. The new side is asked for them at as many
places in a row as that distance has bytes, which finds any run that is there, and again a good way on: a
run that matters is longer. So what is not found costs little, and what is found is compared, not looked for.
"""

from __future__ import annotations

from itertools import islice

from airstore.core.limits import KIB
from airstore.media.delta.format.hdiff import Cover

LEAST = (
    16 * KIB
)  # bytes of a run; shorter ones are found by HDiffPatch, which also weighs what is around them
_BLOCK, _EVERY = 64, 256  # bytes of a block of the old side, and from one to the next
_STEP = 8 * KIB  # bytes of the new side from where some places are asked to where the next ones are
_TRIES = 4  # blocks that are looked at in one place: what repeats itself is at many
_LONGEST = 256 * KIB  # bytes that are compared at once


def shared_runs(old: bytes, new: bytes) -> list[Cover]:
    """Runs of `LEAST` bytes and more that both have, in the order of the new side and apart there."""
    search, found, at = _Search(old, new), list[Cover](), 0
    while at <= len(new) - _BLOCK:
        run = search.near(at, found[-1] if found else Cover(0, 0, 0))
        if run:
            found.append(run)
        at = run.new + run.size if run else at + _STEP
    return found


class _Search:
    """Both sides, and where blocks of the old one are: the first of those that are the same."""

    def __init__(self, old: bytes, new: bytes) -> None:
        self._old, self._new = old, new
        last = (len(old) - _BLOCK) // _EVERY * _EVERY
        self._places = {old[at : at + _BLOCK]: at for at in range(last, -1, -_EVERY)}

    def near(self, at: int, last: Cover) -> Cover | None:
        """The first run that begins before, or at, one of the next places; behind the last one."""
        places = range(at, min(at + _EVERY, len(self._new) - _BLOCK + 1))
        blocks = [self._new[place : place + _BLOCK] for place in places]
        if self._places.keys().isdisjoint(blocks):
            return None
        known = (pair for pair in zip(places, blocks, strict=True) if pair[1] in self._places)
        for place, block in islice(known, _TRIES):
            run = self._grown(self._old_place(block, place, last), place, last.new + last.size)
            if run.size >= LEAST:
                return run
        return None

    def _old_place(self, block: bytes, place: int, last: Cover) -> int:
        """Where a block is on the old side: as far on as on the new one, if it is there."""
        on = last.old - last.new + place
        return on if on >= 0 and self._old[on : on + _BLOCK] == block else self._places[block]

    def _grown(self, old: int, new: int, end: int) -> Cover:
        """All that is the same around two places, on the new side from ``end`` on."""
        before = _same(self._old, old, self._new, new, min(old, new - end), behind=True)
        after = _same(self._old, old, self._new, new, min(len(self._old) - old, len(self._new) - new))
        return Cover(old - before, new - before, before + after)


def _same(left: bytes, at: int, right: bytes, start: int, most: int, *, behind: bool = False) -> int:
    """How many bytes from two places on, or before them, are the same: by ever more, then by halves."""
    same, step, growing = 0, _BLOCK, True
    while same < most:
        size = min(step, most - same)
        skip = -same - size if behind else same
        if left[at + skip : at + skip + size] == right[start + skip : start + skip + size]:
            same += size
        elif size == 1:
            break
        else:
            growing = False
        step = min(step * 4, _LONGEST) if growing else (size + 1) // 2
    return same
