"""Programs that need no network have none: a chart that makes Helm fetch something gets nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
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
        Helm(helm).template(chart, "shop", "default")
    with pytest.raises(TimeoutError):
        server.accept()


def test_landlock_takes_tcp_away_where_namespaces_are_forbidden(server: socket.socket) -> None:
    """As on a machine where no ordinary program gets a namespace: only the second way is left."""
    words = (
        f"import sys; sys.path.insert(0, {str(Path(offline.__file__).parent)!r}); import landlock\n"
        "taken = landlock.forbid_tcp()\n"
        "print(taken, flush=True)\n"
        f"sys.argv[1:] = ['{server.getsockname()[1]}']\n{CONNECT}"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=False)
    taken, _, rest = done.stdout.partition("\n")
    assert taken in {"True", "False"}
    assert ("through" in rest) == (taken == "False")


def test_a_machine_that_forbids_both_ways_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: socket.socket
) -> None:
    for name in ("supervisor.py", "offline.py", "landlock.py"):
        text = (Path(offline.__file__).parent / name).read_text()
        text = text.replace("libc = ctypes.CDLL(None, use_errno=True)", "return False")
        (tmp_path / name).write_text(text.replace("libc = _libc()", "return False"))
    monkeypatch.setattr(guard, "_SUPERVISOR", tmp_path / "supervisor.py")
    monkeypatch.setattr(confinement, "__file__", str(tmp_path / "confinement.py"))
    confinement.network_taken_by.cache_clear()
    assert confinement.network_taken_by() is None
    confinement.network_taken_by.cache_clear()
    assert reach(server, without=True).stdout == b"through\n"


def test_a_program_dies_with_whoever_ran_it_and_with_its_supervisor(tmp_path: Path) -> None:
    """As Helm does: none goes on with values that nobody waits for any more."""
    for victim in ("caller", "supervisor"):
        note = tmp_path / victim
        code = (
            "from airstore.process.program import run\nimport sys\n"
            f"run(['/bin/sh', '-c', 'echo $$ $PPID > {note}.tmp; mv {note}.tmp {note}; exec sleep 300'],"
            " {'PATH': '/bin:/usr/bin'}, timeout=300)\n"
        )
        with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as caller:
            until(note.exists)
            child, supervisor = map(int, note.read_text().split())
            os.kill(caller.pid if victim == "caller" else supervisor, signal.SIGKILL)
            until(lambda pid=child: is_gone(pid))
            caller.kill()


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
    helm4: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes a process of its own, and every command that runs Helm would pay for it."""
    asked = list[str]()

    def note() -> str:
        asked.append("once")
        return ""

    monkeypatch.setattr(confinement, "network_taken_by", note)
    Helm(helm4).version()
    assert not asked
    with caplog.at_level("DEBUG", "airstore"):
        Helm(helm4).version()
    assert asked
