"""Waiting for pods, and saying what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable

from airstore.core.errors import TransferError

_POLL, _SAY = 1.0, 15.0  # seconds between questions, and between equal answers that are said


class ReadinessWait:
    """How long to wait for something, with words for people.

    Args:
        say: told why.
        timeout: seconds.
        what: is waited for, as the subject of a sentence.
        hint: what to do when it does not come.
    """

    def __init__(self, say: Callable[[str], None], timeout: float, what: str, hint: str) -> None:
        self._say = say
        self._timeout = timeout
        self._what = what
        self._hint = hint
        self._said, self._when = "", 0.0
        self.renew()

    def renew(self) -> None:
        """Something has happened: all of the time is there again."""
        self._deadline = time.monotonic() + self._timeout

    def wait(self, why: str) -> None:
        """Wait a moment.

        Raises:
            TransferError: time is up.
        """
        now = time.monotonic()
        if now > self._deadline:
            raise TransferError(f"{self._what} did not become ready: {why}", hint=self._hint)
        # The kubelet words one and the same trouble differently from second to second.
        if why.partition(";")[0] != self._said or now - self._when > _SAY:
            self._say(f"  waiting: {why}")
            self._said, self._when = why.partition(";")[0], now
        time.sleep(_POLL)
