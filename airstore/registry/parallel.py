"""Several transfers at once, ended together at the first failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
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
        stop: called once when the block is left by a failure or an interrupt, to end what still runs.

    Raises:
        Exception: that of the item that failed first; items not begun are dropped.
    """
    with ThreadPoolExecutor(max_workers=max(1, jobs), thread_name_prefix="registry") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]
