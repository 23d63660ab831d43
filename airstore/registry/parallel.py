"""Several transfers at once, ended together at the first failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def nothing() -> None:
    """What to do at a failure where the work in hand is short."""


def run_all(
    work: Callable[[_Item], _Result], items: Iterable[_Item], jobs: int, stop: Callable[[], None] = nothing
) -> list[_Result]:
    """Results of ``work`` for every item, in order, at most ``jobs`` at a time.

    Args:
        work: called in threads.
        items: what to call it with.
        jobs: number of threads.
        stop: called at a failure or an interrupt, to end what still runs; any thread may call it.

    Raises:
        Exception: the first that ``work`` raised; items not begun by then are dropped.
    """
    failed = threading.Event()
    first: list[Exception] = []

    def guarded(item: _Item) -> list[_Result]:
        if failed.is_set():
            return []
        try:
            return [work(item)]
        except Exception as fault:  # noqa: BLE001 - raised again below, in the caller's thread
            first.append(fault)
            failed.set()
            stop()
            return []

    with ThreadPoolExecutor(max_workers=max(1, jobs), thread_name_prefix="registry") as pool:
        futures = [pool.submit(guarded, item) for item in items]
        try:
            results = [result for future in futures for result in future.result()]
        except BaseException:  # an interrupt of the calling thread
            failed.set()
            stop()
            raise
    if first:
        raise first[0]
    return results
