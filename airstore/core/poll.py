"""Asking again and again until something is so, or the time is over."""

from __future__ import annotations

import time
from collections.abc import Iterator


def poll(seconds: float, pause: float) -> Iterator[bool]:
    """One round for each time to ask: at once, then after every pause; whoever has an answer leaves the loop.

    What is yielded says whether the time is over and this round the last one. A last round always comes, and
    begins only after the time: what becomes so in the last moment is still seen.

    Args:
        seconds: to go on for.
        pause: seconds between rounds.
    """
    deadline = time.monotonic() + seconds
    while True:
        last = time.monotonic() >= deadline
        yield last
        if last:
            return
        time.sleep(pause)
