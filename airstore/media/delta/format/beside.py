"""A patch of two sides that have long runs in common: HDiffPatch gets what is beside them. Pure.

HDiffPatch sorts all suffixes of the old side, however little is new: most of the time that a patch takes.
What no run has is joined on either side, and the patch of that is put where it belongs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from airstore.core.limits import KIB
from airstore.media.delta.format.hdiff import Cover, Kind, Parts, control, number

_NEAR = 64 * KIB  # bytes around what is used of what was beside a base


def diff_beside(
    old: bytes, new: bytes, runs: Sequence[Cover], own: int, diff: Callable[[bytes, bytes], bytes]
) -> bytes:
    """A patch.

    Args:
        old: what it rests on.
        new: what it makes.
        runs: what both have, in the order of the new side, of which each byte is in one.
        own: bytes of the old side that are looked into; behind them only what is near to a run there.
        diff: makes a patch.
    """
    taken = [(run.old, run.old + run.size) for run in runs]
    olds = _Rest(sorted([*taken, *_far(taken, own, len(old))]), len(old))
    news = _Rest([(run.new, run.new + run.size) for run in runs], len(new))
    patch = Parts.read(diff(olds.of(old), news.of(new)))
    covers = sorted([*runs, *_placed(patch.read_covers(), olds, news)], key=lambda cover: cover.new)
    differences = _differences(patch, news, len(new))
    return Parts.of((len(new), len(old)), list(_joined(covers)), differences, patch.new).written()


def _far(taken: Iterable[tuple[int, int]], own: int, size: int) -> Iterator[tuple[int, int]]:
    """What of the old side, behind its own bytes, is not near to what runs have there."""
    used = [span for span in taken if span[1] > own]
    first = min((begin for begin, _ in used), default=size + _NEAR) - _NEAR
    last = max((end for _, end in used), default=size) + _NEAR
    return (span for span in ((own, first), (last, size)) if span[0] < span[1])


class _Rest:
    """What is beside some spans of one side, joined.

    Args:
        spans: begins and ends, in order.
        size: of the side.

    Attributes:
        parts: begins and ends of what is left.
    """

    def __init__(self, spans: Iterable[tuple[int, int]], size: int) -> None:
        self.parts, at = list[tuple[int, int]](), 0
        for begin, end in (*spans, (size, size)):
            if begin > at:
                self.parts.append((at, begin))
            at = max(at, end)
        self._ends = list(accumulate(end - begin for begin, end in self.parts))

    def of(self, side: bytes) -> bytes:
        """It, of the side itself."""
        return b"".join(side[begin:end] for begin, end in self.parts)

    def place(self, at: int) -> tuple[int, int]:
        """Where one of its bytes is on the side, and how many follow it there before something else does."""
        part = bisect_right(self._ends, at)
        left = self._ends[part] - at
        return self.parts[part][1] - left, left


def _placed(covers: Iterable[Cover], olds: _Rest, news: _Rest) -> Iterator[Cover]:
    """Covers of what is left as those of both sides, cut where parts end."""
    for old, new, size in covers:
        done = 0
        while done < size:
            (at, follow), (to, room) = olds.place(old + done), news.place(new + done)
            count = min(size - done, follow, room)
            yield Cover(at, to, count)
            done += count


def _joined(covers: Iterable[Cover]) -> Iterator[Cover]:
    """The same, with those as one that go on where another one ends."""
    last: Cover | None = None
    for cover in covers:
        if last and (last.old + last.size, last.new + last.size) == cover[:2]:
            last = last._replace(size=last.size + cover.size)
            continue
        if last:
            yield last
        last = cover
    if last:
        yield last


def _differences(patch: Parts, news: _Rest, size: int) -> tuple[bytes, bytes]:
    """Controls and data of a patch of what is left, with no difference where runs are."""
    runs, at = _Runs(patch), 0
    controls, data = bytearray(), bytearray()
    for begin, end in (*news.parts, (size, size)):
        if begin > at:
            controls += control(begin - at, Kind.ZEROS)
        more = runs.take(end - begin)
        controls += more[0]
        data += more[1]
        at = end
    return bytes(controls), bytes(data)


class _Runs:
    """Runs of differences that are taken in order.

    Args:
        patch: has them.
    """

    def __init__(self, patch: Parts) -> None:
        self._controls, self._data = patch.controls, patch.data
        self._at = self._used = 0  # of controls and of data
        self._kind = self._left = 0  # of a run that was cut

    def take(self, count: int) -> tuple[bytes, bytes]:
        """Controls and data of the next so many differences."""
        controls, data = bytearray(), bytearray()
        while count:
            if not self._left:
                count -= self._whole(count, controls, data)
            if count:
                size = min(self._left or self._begin(), count)
                controls += control(size, self._kind)
                data += self._part(size)
                count -= size
        return bytes(controls), bytes(data)

    def _whole(self, count: int, controls: bytearray, data: bytearray) -> int:
        """Take the runs that are no longer than so many differences; returns how many they have."""
        at, used, left = self._at, self._used, count
        while at < len(self._controls):
            first = self._controls[at]
            size, behind = number(self._controls, at, first & 0x1F, 0x20)
            if size >= left:
                break
            at, left = behind, left - size - 1
            if first >> 6 >= Kind.SAME:
                used += 1 if first >> 6 == Kind.SAME else size + 1
        controls += self._controls[self._at : at]
        data += self._data[self._used : used]
        self._at, self._used = at, used
        return count - left

    def _begin(self) -> int:
        """Begin with the next run, to take a part of it."""
        first = self._controls[self._at]
        size, self._at = number(self._controls, self._at, first & 0x1F, 0x20)
        self._kind, self._left = first >> 6, size + 1
        return self._left

    def _part(self, size: int) -> bytes:
        """The data of so many differences of the run that was begun."""
        self._left -= size
        begin = self._used
        if self._kind == Kind.SPELLED:
            self._used += size
            return self._data[begin : self._used]
        if self._kind == Kind.SAME:
            self._used += not self._left
            return self._data[begin : begin + 1]
        return b""
