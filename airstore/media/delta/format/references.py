"""References to pieces in a delta's table: small numbers where they follow each other. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.media.delta.format.wire import Numbers, put, put_signed

MOST = 1 << 24  # pieces of one side, and blobs


@frozen
class Same:
    """Old pieces that have the same bytes in two blobs, of which a site may have either.

    Attributes:
        first: number of the first one, by which it is referred to.
        other: number of the first one in the other blob.
        count: how many follow each other.
    """

    first: int
    other: int
    count: int


def encode_same(runs: Sequence[Same]) -> bytes:
    """Runs, in the order of their other pieces."""
    out, near, end = bytearray(put(len(runs))), 0, 0
    for run in runs:
        out += put(run.other - end) + put_signed(run.first - near) + put(run.count)
        near, end = run.first + run.count, run.other + run.count
    return bytes(out)


def decode_same(numbers: Numbers, old: int) -> Iterator[Same]:
    """The runs again, of so many old pieces.

    Raises:
        DamagedError: one leads nowhere, or to itself.
    """
    near, end = 0, 0
    for _ in range(numbers.take(MOST)):
        other = end + numbers.take(old - end)
        first, count = near + numbers.take_signed(MOST), numbers.take(old - other)
        near, end = first + count, other + count
        if not 0 <= first <= near <= other or not count:
            raise DamagedError("a delta's table says of pieces that they are the same as later ones")
        yield Same(first, other, count)


class Aliases:
    """The number by which any old piece is referred to."""

    def __init__(self, runs: Sequence[Same]) -> None:
        self._runs, self._starts = runs, [run.other for run in runs]

    def first(self, number: int) -> int:
        """That of the same piece in an earlier blob; the number itself where there is none."""
        at = bisect_right(self._starts, number) - 1
        if at >= 0 and number < self._runs[at].other + self._runs[at].count:
            return self._runs[at].first + number - self._runs[at].other
        return number


class Following:
    """References as steps: the next old piece, the next new one, or some other.

    Args:
        old: how many old pieces there are.
        new: how many new ones; none needed for encoding.
    """

    def __init__(self, old: int, new: int = 0) -> None:
        self._old, self._all = old, old + new
        self._next = [0, old]

    def encode(self, references: Sequence[int]) -> bytes:
        """A list of references."""
        return put(len(references)) + b"".join(map(self._step, references))

    def decode(self, numbers: Numbers) -> tuple[int, ...]:
        """The list again.

        Raises:
            DamagedError: one of them leads nowhere.
        """
        return tuple(self._taken(numbers) for _ in range(numbers.take(MOST)))

    def _step(self, reference: int) -> bytes:
        side = int(reference >= self._old)
        step, self._next[side] = reference - self._next[side], reference + 1
        return put(side) if step == 0 else put(2 + side) + put_signed(step)

    def _taken(self, numbers: Numbers) -> int:
        token = numbers.take(3)
        side = token & 1
        step = numbers.take_signed(MOST) if token & 2 else 0
        reference = within(self._next[side] + step, self._all)
        if (reference >= self._old) != bool(side):
            raise DamagedError("a delta's table refers to a piece of the wrong side")
        self._next[side] = reference + 1
        return reference


def within(number: int, end: int) -> int:
    """A number of a piece.

    Raises:
        DamagedError: there are no more than ``end``.
    """
    if not 0 <= number < end:
        raise DamagedError(f"a delta's table refers to piece {number} of {end}")
    return number
