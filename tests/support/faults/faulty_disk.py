"""A disk that fails, or ends the process, at one of its operations."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from airstore.core.durable import LocalDisk


class FaultyDisk(LocalDisk):
    """A real disk on which ``fail`` is called at the ``nth`` write, sync or rename, counted from 1.

    Attributes:
        count: operations so far.
    """

    def __init__(self, nth: int, fail: Callable[[], None] | None = None) -> None:
        self.nth, self.count = nth, 0
        self._fail = fail or full

    @property
    def failed(self) -> bool:
        return self.count >= self.nth

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        if self._due():
            super().write(file, data[: len(data) // 2])  # a full disk takes a part
            self._fail()
            data = data[len(data) // 2 :]
        super().write(file, data)

    def sync(self, file: BinaryIO) -> None:
        if self._due():
            self._fail()
        super().sync(file)

    def publish(self, temporary: Path, final: Path) -> None:
        if self._due():
            self._fail()
        super().publish(temporary, final)

    def _due(self) -> bool:
        self.count += 1
        return self.count == self.nth


def full() -> None:
    raise OSError(errno.ENOSPC, "injected")


def interrupt() -> None:
    raise KeyboardInterrupt


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
