"""What a function writes, as an iterator: the function runs in a thread, a few chunks ahead at most."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from queue import Empty, Queue
from typing import NamedTuple

from airstore.codec.streams import Writable

_CHUNK = 1 << 18  # bytes; smaller writes are joined
_AHEAD = 4  # chunks


class _Ended(NamedTuple):
    """The end of what is written, and what the function raised."""

    fault: BaseException | None


class _GoneError(Exception):
    """Nobody takes the chunks any more."""


class Chunks:
    """Chunks as a stream to read from."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; none at the end."""
        while not self._chunk:
            following = next(self._chunks, None)
            if following is None:
                return b""
            self._chunk = memoryview(following)
        taken, self._chunk = self._chunk[:size], self._chunk[size:]
        return bytes(taken)


class _Pipe:
    """Takes what is written and hands it over in chunks."""

    def __init__(self) -> None:
        self._queue: Queue[bytes | _Ended] = Queue(_AHEAD)
        self._waiting = bytearray()
        self._gone = threading.Event()

    def write(self, data: bytes, /) -> None:
        self._waiting += data
        if len(self._waiting) >= _CHUNK:
            self._hand_over()

    def end(self, fault: BaseException | None) -> None:
        if fault is None:
            self._hand_over()
        self._queue.put(_Ended(fault))

    def _hand_over(self) -> None:
        if self._gone.is_set():
            raise _GoneError
        self._queue.put(bytes(self._waiting))
        self._waiting.clear()

    def chunks(self) -> Iterator[bytes]:
        while not isinstance(item := self._queue.get(), _Ended):
            if item:
                yield item
        if item.fault is not None:
            raise item.fault

    def leave(self) -> None:
        """Take nothing more; whoever is waiting to hand over goes on and is told."""
        self._gone.set()
        with suppress(Empty):
            while True:
                self._queue.get_nowait()


def pulled(work: Callable[[Writable], object]) -> Generator[bytes, None, None]:
    """What ``work`` writes to the stream it is given, in chunks; what it raises is raised here.

    When the iterator is closed early, ``work`` meets an exception at its next write, and is waited for.
    """
    pipe = _Pipe()

    def run() -> None:
        fault: BaseException | None = None
        try:
            work(pipe)
            pipe.end(None)
        except _GoneError:
            return
        except BaseException as raised:  # noqa: BLE001 - it belongs to whoever takes the chunks
            fault = raised
        if fault is not None:
            pipe.end(fault)

    thread = threading.Thread(target=run, name="airstore-codec", daemon=True)
    thread.start()
    try:
        yield from pipe.chunks()
    finally:
        while thread.is_alive():
            pipe.leave()
            thread.join(0.01)
