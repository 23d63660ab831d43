"""Programs that need no network have none: a chart that makes Helm fetch something gets nothing."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from airstore.charts.helm.command import Helm
from airstore.core.errors import UsageError
from airstore.process import confinement, guard, offline, program
from airstore.process.confinement import Confinement
from airstore.process.program import run
from tests.charts.chart_parts import write_chart

CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5); print('through')"
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
CALLS = {"offline.py": "libc = ctypes.CDLL(None, use_errno=True)", "landlock.py": "libc = _libc()"}


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def reach(server: socket.socket, *, without: bool) -> program.Completed:
    words = [sys.executable, "-c", CONNECT, str(server.getsockname()[1])]
    return run(words, ENVIRONMENT, timeout=60, limits=Confinement(offline=without))


def test_a_program_without_network_reaches_nothing(server: socket.socket) -> None:
    assert reach(server, without=False).stdout == b"through\n"
    if not confinement.network_taken_by():
        pytest.skip("this machine lets nobody take the network away; doctor says so")
    denied = reach(server, without=True)
    assert denied.code != 0
    assert b"through" not in denied.stdout


def test_helm_that_renders_fetches_no_schema(server: socket.socket, tmp_path: Path, helm: Path) -> None:
    """Our own reader finds such references; this is what happens with one that it would not find."""
    if not confinement.network_taken_by():
        pytest.skip("this machine lets nobody take the network away; doctor says so")
    address = f"http://127.0.0.1:{server.getsockname()[1]}/s.json"
    chart = write_chart(tmp_path / "shop", "shop")
    (chart / "values.schema.json").write_text(f'{{"$ref": "{address}"}}')
    server.settimeout(0.2)
    with pytest.raises(UsageError, match=r"unreachable|refused|dial"):
        Helm(helm, timeout=60).template(chart, "shop", "default")
    with pytest.raises(TimeoutError):
        server.accept()


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Has the machine forbid what a module asks of it, as many do to an ordinary program."""
    place = Path(offline.__file__).parent
    for name in ("supervisor.py", "offline.py", "landlock.py"):
        (tmp_path / name).write_text((place / name).read_text())

    def forbid(module: str) -> None:
        text = (tmp_path / module).read_text()
        assert CALLS[module] in text
        (tmp_path / module).write_text(text.replace(CALLS[module], "return False"))
        confinement.network_taken_by.cache_clear()

    monkeypatch.setattr(guard, "_SUPERVISOR", tmp_path / "supervisor.py")
    monkeypatch.setattr(confinement, "__file__", str(tmp_path / "confinement.py"))
    yield forbid
    confinement.network_taken_by.cache_clear()


def test_landlock_takes_tcp_away_where_namespaces_are_forbidden(
    forbidden: Callable[[str], None], server: socket.socket
) -> None:
    forbidden("offline.py")
    assert reach(server, without=False).stdout == b"through\n"
    if not landlock_knows_tcp():
        assert confinement.network_taken_by() is None
        pytest.skip("this kernel's Landlock knows no TCP (before Linux 6.7), or there is none")
    assert confinement.network_taken_by() == confinement.LANDLOCK_TCP
    denied = reach(server, without=True)
    assert denied.code != 0
    assert b"PermissionError" in denied.stderr


def landlock_knows_tcp() -> bool:
    """As the kernel says: LANDLOCK_CREATE_RULESET_VERSION, number 444 on every architecture."""
    return int(ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)) >= 4


def test_a_machine_that_forbids_both_ways_goes_on(
    forbidden: Callable[[str], None], server: socket.socket
) -> None:
    forbidden("offline.py")
    forbidden("landlock.py")
    assert confinement.network_taken_by() is None
    assert reach(server, without=True).stdout == b"through\n"


@pytest.mark.parametrize("victim", ["caller", "supervisor"])
def test_a_program_dies_with_whoever_ran_it_and_with_its_supervisor(tmp_path: Path, victim: str) -> None:
    """As Helm does: none goes on with values that nobody waits for any more, nor does what it runs."""
    note = tmp_path / "note"
    script = f"sleep 300 & echo $PPID $$ $! > {note}.tmp; mv {note}.tmp {note}; wait"
    code = (
        "from airstore.process.program import run\n"
        f"run(['/bin/sh', '-c', {script!r}], {{'PATH': '/bin:/usr/bin'}}, timeout=300)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as caller:
        until(note.exists)
        supervisor, *started = map(int, note.read_text().split())
        try:
            os.kill(caller.pid if victim == "caller" else supervisor, signal.SIGKILL)
            for pid in started if victim == "caller" else started[:1]:
                until(lambda pid=pid: is_gone(pid))
        finally:
            for pid in (caller.pid, *started):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def until(holds: object) -> None:
    for _ in range(600):
        if holds():  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that within a minute")


def is_gone(pid: int) -> bool:
    """Gone, or waiting for somebody to read how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_what_is_no_program_is_said_before_anything_is_run(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    for path in (tmp_path / "none", tmp_path / "text", tmp_path):
        with pytest.raises(Exception, match="cannot run"):
            run([str(path)], {}, timeout=5)


def test_the_machine_is_not_asked_where_nobody_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes a process of its own, and every command that runs Helm would pay for it."""
    asked = list[str]()

    def note() -> str:
        asked.append("once")
        return ""

    monkeypatch.setattr(confinement, "network_taken_by", note)
    quiet, told = tmp_path / "quiet", tmp_path / "told"  # each of them is asked for its version once
    for each in (quiet, told):
        each.write_text("#!/bin/sh\necho v4.0.1\n")
        each.chmod(0o755)
    Helm(quiet).version()
    assert not asked
    with caplog.at_level("DEBUG", "airstore"):
        Helm(told).version()
    assert asked
