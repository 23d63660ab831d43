"""From objects to frames to packs, compressing in worker threads while order and memory stay fixed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from typing import TypeVar

from airstore.core.limits import KIB
from airstore.store.format.frames import LEVEL, compress
from airstore.store.format.objects import FRAME, ObjectKey, ObjectKind
from airstore.store.format.pack import frame_entry
from airstore.store.format.packwriter import Frame, PackWriter

WORKERS = 2  # threads; hashing and zstd release the interpreter lock
_AHEAD = 4  # jobs under way or waiting to be taken; bounds memory to a few MiB
_SMALL = 64 * KIB  # bytes; at the end of a blob, fewer than these wait for neighbours from the next

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    pool: Executor,
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    ahead: int = _AHEAD,
    within: tuple[Callable[[_Item], int], int] | None = None,
) -> Generator[_Result, None, None]:
    """Results of work done in parallel, in the order of the items, at most ``ahead`` items early.

    Args:
        pool: does the work.
        work: on one item.
        items: all of them.
        ahead: how many may be under way or wait to be taken.
        within: what each item weighs, and what those may weigh together; one that is alone may weigh more.
    """
    weigh, most = within or (lambda _item: 0, 0)
    waiting: deque[tuple[Future[_Result], int]] = deque()
    total = 0
    try:
        for item in items:
            weight = weigh(item)
            while waiting and (total + weight > most or len(waiting) > ahead):
                future, lighter = waiting.popleft()
                yield future.result()
                total -= lighter
            waiting.append((pool.submit(work, item), weight))
            total += weight
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        for future, _ in waiting:
            future.cancel()


class _Batch:
    """Neighbouring objects of one kind that will share a frame."""

    def __init__(self) -> None:
        self.plain = 0
        self.keys: list[ObjectKey] = []
        self.data: list[bytes] = []


class FrameSink:
    """Takes objects and whole frames; the order in which they reach the packs depends on nothing else."""

    def __init__(self, pool: Executor, packs: PackWriter, ahead: int = _AHEAD, level: int = LEVEL) -> None:
        self._level = level
        self._pool = pool
        self._packs = packs
        self._ahead = ahead
        self._batches: dict[ObjectKind, _Batch] = {}
        self._waiting: deque[Future[Frame]] = deque()

    def add(self, key: ObjectKey, data: bytes) -> None:
        """Store an object next to the last one of its kind."""
        batch = self._batches.setdefault(key.kind, _Batch())
        if batch.plain and batch.plain + key.size > FRAME:
            self._flush(key.kind)
            batch = self._batches.setdefault(key.kind, _Batch())
        batch.keys.append(key)
        batch.data.append(data)
        batch.plain += key.size

    def add_frame(self, make: Callable[[], Frame]) -> None:
        """Store the frame that a job makes in a worker thread."""
        self._waiting.append(self._pool.submit(make))
        if len(self._waiting) > self._ahead:
            self._packs.append(self._waiting.popleft().result())

    def end_blob(self) -> None:
        """Keep this blob's objects apart from the next one's, unless they are few."""
        for kind in [kind for kind, batch in self._batches.items() if batch.plain >= _SMALL]:
            self._flush(kind)

    def finish(self) -> None:
        """Hand everything to the packs; recipes last, so that no pack has one without its objects."""
        for kind in sorted(self._batches):
            self._flush(kind)
        while self._waiting:
            self._packs.append(self._waiting.popleft().result())

    def cancel(self) -> None:
        """Drop what has not begun."""
        for future in self._waiting:
            future.cancel()

    def _flush(self, kind: ObjectKind) -> None:
        batch = self._batches.pop(kind)
        self.add_frame(lambda: _frame(kind, batch, self._level))


def _frame(kind: ObjectKind, batch: _Batch, level: int) -> Frame:
    stored = compress(b"".join(batch.data), level)
    return Frame(kind, stored, batch.plain, b"".join(map(frame_entry, batch.keys)))
