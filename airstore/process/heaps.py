"""What the C library keeps of memory that was freed: with a heap for each thread, what each once held."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of glibc's malloc.h, see mallopt(3)
_LARGE = (1 << 20) + (1 << 16)  # bytes; an object or a frame, at most 1 MiB, is not
_KEPT = 16 << 20  # bytes at the end of the heap that are not given back
_OFTEN = 0.15  # seconds from one time that pages are given back to the next


def one_heap() -> None:
    """Have threads that are started from now on share one heap, and give back what is large once it is freed.

    An import of layers that are rebuilt took 172 MB at its peak with a heap for each thread and 115 with one,
    for a tenth more CPU time. Once what is large was freed glibc takes the next from the heap as well, where
    its place stays: an import of a delta took 35 MB more. What is not large is taken again and again:
    from the heap, as the system would clear new pages each time, a third of an import's CPU time. Other C
    libraries, such as musl, have one heap, and no `mallopt`.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, _KEPT)


@contextmanager
def small_heap() -> Iterator[None]:
    """As `one_heap`, and pages within it that nothing is in are given back while a block runs.

    Between objects of 1 MiB lie little ones that stay, so that glibc gives back none of what was freed before
    them: an import of a delta took 132 MB at its peak, and takes 119 so. A twentieth of an import's time
    goes into it.
    """
    one_heap()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        yield
        return
    over = Event()

    def give_back() -> None:
        while not over.wait(_OFTEN):
            trim(0)

    thread = Thread(target=give_back, name="airstore-heap", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
