"""Another attempt after a passing fault: exponential backoff with jitter, bounded in number and length."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from airstore.core.frozen import frozen
from airstore.registry.faults import TransientError

_LONGEST = 60.0  # seconds; also where a registry asks for more
_T = TypeVar("_T")


@frozen
class Retry:
    """How often and how long to wait.

    Attributes:
        retries: attempts after the first one.
        pause: seconds before the first of them; doubled each time.
    """

    retries: int = 4
    pause: float = 0.5

    def run(self, attempt: Callable[[], _T]) -> _T:
        """Call ``attempt`` until it returns, or fails for good, or the retries are used up.

        Raises:
            TransferError: the last attempt's; other errors are passed on at once.
        """
        for number in range(self.retries):
            try:
                return attempt()
            except TransientError as fault:
                time.sleep(self.wait(number, fault))
        return attempt()

    def wait(self, number: int, fault: TransientError) -> float:
        """Seconds to wait after failed attempt ``number`` (from 0)."""
        backoff: float = self.pause * 2**number * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
        return min(_LONGEST, max(backoff, fault.wait or 0.0))
