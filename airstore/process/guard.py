"""A program that dies with us: it never goes on changing a cluster after its airstore process is gone.

`supervisor.py` stands between: it holds a shared lock, starts the program, and kills its process group as
soon as our end of a pipe closes, which the kernel does even for a ``kill -9``. Whoever then takes the lock
exclusively knows that nothing of the dead run is left.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import LockedError
from airstore.core.poll import poll
from airstore.process.confinement import Confinement
from airstore.process.supervisor import OFFLINE, ONLINE

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_PAUSE = 0.1  # seconds


@contextmanager
def guarded(
    argv: Sequence[str], lock: Path | None, limits: Confinement | None = None
) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """A command line that runs ``argv`` guarded while the block lasts, and the handles it must inherit.

    Args:
        argv: the program and its arguments.
        lock: held while it runs; None for none, it dies with this process all the same.
        limits: what is taken from it, where the machine allows that.
    """
    if lock:
        _make_place(lock)
    read, write = os.pipe()
    try:
        limits, held = limits or Confinement(), str(lock.absolute()) if lock else ""
        rules = [OFFLINE if limits.offline else ONLINE, *(limits.files.words() if limits.files else ())]
        words = [sys.executable, "-I", "-S", str(_SUPERVISOR), held, str(read), *rules, "--", *argv]
        yield words, (read,)
    finally:
        os.close(read)
        os.close(write)


def await_end(lock: Path, timeout: float) -> None:
    """Wait until no guarded program of an earlier run is left.

    Raises:
        LockedError: one still runs after ``timeout`` seconds.
    """
    _make_place(lock)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not any(_try_lock(handle) for _ in poll(timeout, _PAUSE)):
            raise LockedError(
                f"a program started by an earlier airstore process still runs (it holds {lock})",
                hint="wait for it to end, or end it, then try again",
            )
    finally:
        os.close(handle)


def _make_place(lock: Path) -> None:
    """Its directory; a site's first command may be one that changes nothing else."""
    with storage_errors(lock):
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
