"""How much memory making a delta takes, and how workers share it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from airstore.core.errors import UsageError
from airstore.core.limits import GIB, MIB
from airstore.media.delta.format.nested import VIEW
from airstore.media.delta.format.packing import Method, Packing
from airstore.media.delta.format.patch import PIECE
from airstore.media.delta.format.segments import SEGMENT

DEFAULT = 2 * GIB
SITE = 512 * MIB  # what an import takes at most
LARGEST = 80 * MIB  # bytes of all bases of a patch that is made, so that this holds; readers believe `BASE`
WEIGHED = Packing(Method.XZ, 9)  # how patches are weighed whose differences may be spelled out
_PROCESS = 160 * MIB  # the interpreter, the store's index, the release and its files' names
_STREAMS = 3  # that may each have a segment open
_INDEX = 5  # bytes at most for each byte of a base of a patch being made (codec's differ/index.rs)
_COPIES = 3  # of a base: as it is, joined with the others, and with its archives opened


class Memory(NamedTuple):
    """Shares of it, in bytes.

    Attributes:
        segments: of a stream that wait to be compressed or written; each takes its bytes twice.
        bodies: what patches under way, or not yet taken, may hold.
        working: what making patches and compressing may take beside that.
        base: what one patch may rest on.
    """

    segments: int
    bodies: int
    working: int
    base: int

    @property
    def total(self) -> int:
        """All of it."""
        return _PROCESS + _STREAMS * SEGMENT + 2 * self.segments * SEGMENT + self.bodies + self.working

    @classmethod
    def shared(cls, total: int, packings: Collection[Packing]) -> Memory:
        """The shares of so many bytes.

        Args:
            total: bytes.
            packings: of the streams.

        Raises:
            UsageError: that is too little.
        """
        for segments, base in ((2, LARGEST), (1, LARGEST), (1, PIECE)):
            working = max(patch_memory(VIEW, base), packing_memory(packings))
            least = cls(segments, body_memory(PIECE, base), working, base)
            if least.total <= total:
                spare = total - least.total
                return least._replace(bodies=least.bodies + spare // 2, working=least.working + spare // 2)
        need = -(-least.total // MIB)
        raise UsageError(
            f"--memory {total // MIB}M is too little: this effort takes {need}M at least",
            hint="give more, or a lower --effort",
        )


def body_memory(new: int, base: int) -> int:
    """Bytes that a piece and its bases are held in, with archives in them opened, and what comes of them."""
    return 2 * (new + VIEW) + _COPIES * base if base else 2 * new + VIEW


def patch_memory(new: int, base: int) -> int:
    """Bytes that making a patch takes beside both sides."""
    return _INDEX * base + new


def site_memory(base: int, packings: Iterable[Packing]) -> int:
    """Bytes that a site takes at most for a patch: what reading streams takes, the bases twice, the patch."""
    streams = _STREAMS * max(packing.reading(SEGMENT) for packing in packings)
    return _PROCESS // 2 + streams + 2 * base + VIEW


def packing_memory(packings: Iterable[Packing]) -> int:
    """Bytes that compressing a segment takes beside it, of the stream that takes most."""
    return max(packing.memory(SEGMENT) for packing in packings)


class Workplace:
    """Where patches are made and segments compressed: threads take memory, and give it back.

    Args:
        shares: how much there is.
        pool: the threads that compress.
    """

    def __init__(self, shares: Memory, pool: Executor) -> None:
        self.shares, self._pool = shares, pool
        self._working = Budget(shares.working)

    @property
    def base(self) -> int:
        """See `airstore.media.delta.format.patch.Room`."""
        return self.shares.base

    def patching(self, new: int, base: int) -> AbstractContextManager[object]:
        """See `airstore.media.delta.format.patch.Room`."""
        return self._working.taken(patch_memory(new, base))

    def spelling(self, size: int) -> AbstractContextManager[object]:
        """See `airstore.media.delta.format.patch.Room`."""
        return self._working.taken(WEIGHED.memory(size))

    def compress(self, parts: Sequence[bytes], packing: Packing) -> Future[bytes]:
        """Begin to compress a segment."""
        return self._pool.submit(self._compressed, parts, packing)

    def _compressed(self, parts: Sequence[bytes], packing: Packing) -> bytes:
        with self._working.taken(packing.memory(sum(map(len, parts)))):
            return packing.compress(parts)


class Budget:
    """Bytes that threads take and give back; who needs more than there is waits for others to finish.

    Args:
        total: bytes; only one that is alone may take more.
    """

    def __init__(self, total: int) -> None:
        self._total, self._taken = total, 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, count: int) -> Iterator[None]:
        """Take bytes for the length of a block; blocks must not be within each other."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + count <= self._total)
            self._taken += count
        try:
            yield
        finally:
            with self._changed:
                self._taken -= count
                self._changed.notify_all()
