"""Running one program and measuring it: wall and CPU seconds, peak memory of it and of its children."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_EVERY = 0.01  # seconds between two looks at memory; the kernel keeps the peak, so only the last look counts
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """What one run took.

    Attributes:
        wall: seconds.
        cpu: seconds, user and system, of the program and its children.
        servers: CPU seconds that servers it talked to spent meanwhile.
        peak: bytes resident at most, of the program itself.
        child_peak: the same of its largest child; 0 without children. Children that lived for less than 10 ms
            may be missed.
    """

    wall: float
    cpu: float
    servers: float
    peak: int
    child_peak: int
    output: str


def measure(
    command: Iterable[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    servers: Iterable[int] = (),
) -> Measured:
    """Run a command to its end; leaves the script with its messages where it fails.

    Args:
        command: program and arguments.
        environment: added to this process's own.
        servers: process ids whose CPU time is counted, their children's included.
    """
    words = [str(word) for word in command]
    watched = list(servers)
    before = sum(map(_cpu_of, watched))
    start = time.perf_counter()
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | dict(environment or {}),
    )
    output: list[str] = []
    assert process.stdout  # noqa: S101 - a pipe was asked for
    reader = threading.Thread(target=lambda: output.extend(process.stdout or ()))
    reader.start()
    memory = _Memory(process.pid)
    # Not waited for with wait4 at once: the memory of an ended process can no longer be looked at.
    while not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        memory.look()
        time.sleep(_EVERY)
    wall = time.perf_counter() - start
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    if process.returncode:
        sys.exit(f"{' '.join(words)}\nended with {process.returncode}:\n{''.join(output)}")
    spent = sum(map(_cpu_of, watched)) - before
    return Measured(wall, used.ru_utime + used.ru_stime, spent, memory.own, memory.children, "".join(output))


class _Memory:
    """Peaks of a process and its descendants, from ``VmHWM``: it starts anew with each program, while
    ``ru_maxrss`` also counts what the parent had when it forked."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.own = self.children = 0

    def look(self) -> None:
        self.own = max(self.own, _peak_of(self._pid))
        self.children = max([self.children, *map(_peak_of, descendants(self._pid))])


def descendants(pid: int) -> list[int]:
    """Process ids of all living children and their children."""
    found: list[int] = []
    for task in _listed(Path(f"/proc/{pid}/task")):
        for child in _read(task / "children").split():
            found += [int(child), *descendants(int(child))]
    return found


def _listed(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:  # it ended
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it ended
        return ""


def _peak_of(pid: int) -> int:
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process, its living descendants, and those of its children that it waited for."""
    return sum(map(_own_cpu, [pid, *descendants(pid)]))


def _own_cpu(pid: int) -> float:
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICK if fields else 0.0
