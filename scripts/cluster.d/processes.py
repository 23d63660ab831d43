"""Start processes that outlive us, know them again, and end exactly them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from settings import Cluster

# In the environment of everything that is started here, and of what that starts: containerd's shims, say.
MARK = "AIRSTORE_CLUSTER_PROCESS_OF"
_CHILDREN: list[subprocess.Popen[bytes]] = []  # of this process; not zombies only if somebody asks for them
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken for a later one with its number.

    Attributes:
        pid: its number.
        started: in clock ticks since boot, field 22 of ``/proc/PID/stat``.
        boot: of which boot.
        print: what it was started with; another one is a reason to start it anew.
    """

    pid: int
    started: int
    boot: str
    print: str = ""

    def is_alive(self) -> bool:
        """Whether it is still that process, and not a zombie."""
        return self.boot == _boot() and _started(self.pid) == self.started


def _boot() -> str:
    return _BOOT.read_text().strip()


def _started(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" and not _has_threads(pid) else int(fields[19])


def _has_threads(pid: int) -> bool:
    """Whether threads outlive the first one: its ports and locks are held until they have ended."""
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def fingerprint(argv: Iterable[str], files: Iterable[Path]) -> str:
    """Of a command line and the files it reads at its start."""
    state = hashlib.sha256("\0".join(argv).encode())
    for path in files:
        state.update(path.read_bytes())
    return state.hexdigest()


def recorded(cluster: Cluster, name: str) -> Process | None:
    """The component's process, if it runs."""
    try:
        process = Process(**json.loads((cluster.run / f"{name}.json").read_text()))
    except FileNotFoundError:
        return None
    return process if process.is_alive() else None


def start(cluster: Cluster, name: str, argv: list[str], print_: str) -> None:
    """Run a component in a session of its own, its output in its log."""
    environment = os.environ | {MARK: str(cluster.directory)}
    environment["PATH"] = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"
    with (cluster.logs / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=cluster.directory,
            start_new_session=True,
        )
    _CHILDREN.append(child)
    process = Process(child.pid, _started(child.pid) or 0, _boot(), print_)
    _wait_for_environment(process)
    record = cluster.run / f"{name}.json"
    record.with_suffix(".new").write_text(json.dumps(asdict(process)))
    record.with_suffix(".new").rename(record)


def _wait_for_environment(process: Process) -> None:
    """Popen returns when exec has closed files, before it lays out memory: `marked` would not find it yet."""
    for _ in range(1000):
        if _read(process.pid, "environ") or not process.is_alive():
            return
        time.sleep(0.001)


def strays(cluster: Cluster, argv: list[str]) -> list[Process]:
    """Processes of exactly this command: an `up` that was killed started them and recorded nothing."""
    wanted = b"".join(os.fsencode(word) + b"\0" for word in argv)
    return [process for process in marked(cluster) if _read(process.pid, "cmdline") == wanted]


def stop(processes: Iterable[Process], grace: float = 20) -> None:
    """Ask processes to end, wait, then insist."""
    left = _alive(processes)
    for order, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
        for process in left:
            _signal(process, order)
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            _reap()
            left = _alive(left)


def _alive(processes: Iterable[Process]) -> list[Process]:
    return [process for process in processes if process.is_alive()]


def _signal(process: Process, order: signal.Signals) -> None:
    """Signal that process only: the file descriptor keeps its number from being given to another one."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if process.is_alive():
            signal.pidfd_send_signal(handle, order)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def _reap() -> None:
    _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]


def marked(cluster: Cluster) -> list[Process]:
    """Every process that carries the cluster's mark: components, shims, and what they run."""
    mark = f"{MARK}={cluster.directory}".encode()
    found = []
    for pid in (int(entry.name) for entry in Path("/proc").glob("[0-9]*")):
        if pid != os.getpid() and mark in _read(pid, "environ").split(b"\0"):
            found += by_pid(pid)
    return found


def _read(pid: int, name: str) -> bytes:
    """A file about a process; empty if it has ended or is somebody else's."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def by_pid(pid: int) -> list[Process]:
    """The process that has the number now; none if it has ended."""
    started = _started(pid)
    return [] if started is None else [Process(pid, started, _boot())]
