"""Several transfers at once, ended together at the first failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

_TIMEOUT = 3.0  # seconds that transfers get to end after an interrupt
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
        BaseException: the first that ``work`` raised, or an interrupt of the calling thread; items not begun
            by then are dropped.
    """
    failed = threading.Event()
    first: list[BaseException] = []
    results: dict[int, _Result] = {}
    waiting = list(enumerate(items))[::-1]
    taking = threading.Lock()

    def take() -> tuple[int, _Item] | None:
        with taking:
            return waiting.pop() if waiting and not failed.is_set() else None

    def loop() -> None:
        while entry := take():
            try:
                results[entry[0]] = work(entry[1])
            except BaseException as fault:  # noqa: BLE001 - raised again below, in the caller's thread
                first.append(fault)
                failed.set()
                stop()

    # Daemons, unlike an executor's threads: one that is stuck in the network must not outlive an interrupt.
    count = min(max(1, jobs), len(waiting))
    threads = [threading.Thread(target=loop, name=f"registry-{n}", daemon=True) for n in range(count)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        failed.set()
        stop()
        _wait(threads)
        raise
    if first:
        raise first[0]
    return [results[number] for number in range(len(results))]


def _wait(threads: Iterable[threading.Thread]) -> None:
    deadline = time.monotonic() + _TIMEOUT
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
