"""How a server that waits for its end is told."""

from __future__ import annotations

import os
import signal
from contextlib import suppress


class Stop:
    """Ends a server that waits for it, also by signals.

    A signal that comes just before the wait begins, or to another thread, must end it as well. Neither a lock
    nor an event does that: Python runs handlers in the main thread only, when that runs Python again. The
    signal itself writes into a pipe here, and the pipe is what is waited for.
    """

    def __init__(self) -> None:
        self._told, self._tell = os.pipe()
        os.set_blocking(self._tell, False)

    def on_signals(self, *numbers: int) -> None:
        """End the wait when one of these signals comes; of the main thread only."""
        for number in numbers:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)

    def set(self) -> None:
        """End the wait; once is enough."""
        with suppress(BlockingIOError):  # full of what ends it already
            os.write(self._tell, b"\0")

    def wait(self) -> None:
        """Wait until it is set, or was."""
        os.read(self._told, 1)
