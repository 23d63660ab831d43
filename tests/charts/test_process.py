"""A program that is watched while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airstore.core.errors import DeployError
from airstore.process import supervisor
from airstore.process.guard import await_end
from airstore.process.program import run
from tests.support.tools.processes import wait_for


def _runs(pid: str) -> bool:
    """Not as a zombie: nobody may be there to collect it."""
    try:
        return bool(Path("/proc", pid, "cmdline").read_bytes())
    except OSError:
        return False


@pytest.mark.parametrize("guarded", [False, True])
def test_what_a_watch_raises_ends_the_program(guarded: bool, tmp_path: Path) -> None:
    """Guarded or not, with everything that it started."""
    guard = tmp_path / "guard" if guarded else None
    looks = list[float]()
    born = tmp_path / "born"

    def watch(looks: list[float] = looks) -> None:
        looks.append(time.monotonic())
        if len(looks) == 3:
            raise DeployError("it is of no use")

    script = f"sleep 60 & echo $! >{born}; sleep 60"
    begun = time.monotonic()
    with pytest.raises(DeployError, match="of no use"):
        run(["/bin/sh", "-c", script], {}, timeout=50, guard=guard, watch=watch)
    assert time.monotonic() - begun < 30
    if guard:
        await_end(guard, 10)
    wait_for(lambda: not _runs(born.read_text().strip()))


def test_a_watch_looks_on_and_changes_nothing() -> None:
    looks = list[int]()
    done = run(["/bin/sh", "-c", "echo a; sleep 2; echo b"], {}, timeout=50, watch=lambda: looks.append(1))
    assert (done.code, done.stdout) == (0, b"a\nb\n")
    assert len(looks) >= 2


_WITHOUT_PIDFD = (
    "import os, runpy; vars(os).pop('pidfd_open', None); runpy.run_path({!r}, run_name='__main__')"
)


def _supervised(tmp_path: Path, script: str) -> subprocess.Popen[bytes]:
    """A program under the supervisor, by a Python for systems older than pidfds, as a bundle carries it."""
    read, _write = os.pipe()  # the other end is held until this process ends
    os.set_inheritable(read, True)
    words = [sys.executable, "-I", "-c", _WITHOUT_PIDFD.format(supervisor.__file__)]
    words += [str(tmp_path / "lock"), str(read), supervisor.ONLINE, "--", "/bin/sh", "-c", script]
    return subprocess.Popen(words, pass_fds=[read], start_new_session=True)


def test_the_supervisor_says_how_a_program_ended_whatever_python_can_do(tmp_path: Path) -> None:
    for script, code in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)):
        assert _supervised(tmp_path, script).wait(timeout=60) == code


def test_a_program_that_is_stopped_and_goes_on_has_not_ended(tmp_path: Path) -> None:
    running = _supervised(
        tmp_path, f"echo $$ >{tmp_path}/pid; until [ -e {tmp_path}/go ]; do sleep 0.05; done; exit 3"
    )
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        time.sleep(0.01)
    for number in (signal.SIGSTOP, signal.SIGCONT):
        os.kill(int((tmp_path / "pid").read_text()), number)
        time.sleep(0.1)
        assert running.poll() is None
    (tmp_path / "go").touch()
    assert running.wait(timeout=60) == 3
