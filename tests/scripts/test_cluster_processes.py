"""scripts/cluster ends what it started and nothing else; here with small processes instead of a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import processes
import pytest
from settings import Cluster

_STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "state")
    made.run.mkdir(parents=True)
    made.logs.mkdir()
    yield made
    processes.stop(processes.marked(made), grace=0)


def _started(cluster: Cluster, name: str, *argv: str) -> processes.Process:
    processes.start(cluster, name, list(argv), "print")
    found = processes.recorded(cluster, name)
    assert found
    return found


def test_a_started_process_is_known_and_ends(cluster: Cluster) -> None:
    process = _started(cluster, "one", "sleep", "600")
    assert process.print == "print"
    assert os.getsid(process.pid) == process.pid
    processes.stop([process])
    assert not process.is_alive()
    assert processes.recorded(cluster, "one") is None
    processes.stop([process])  # and again


def test_what_has_started_carries_its_mark(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has begun shows no environment for a moment: on a busy machine, one in twenty."""
    read, asked = processes._read, list[str]()
    late = [b"", b""]

    def slow(pid: int, name: str) -> bytes:
        asked.append(name)
        return late.pop() if late else read(pid, name)

    monkeypatch.setattr(processes, "_read", slow)
    process = _started(cluster, "one", "sleep", "600")
    assert asked == ["environ"] * 3
    assert [found.pid for found in processes.marked(cluster)] == [process.pid]


def _await_log(cluster: Cluster, text: str) -> None:
    deadline = time.monotonic() + 30
    while (cluster.logs / "one.log").read_text() != text:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_it_says_is_in_its_log(cluster: Cluster) -> None:
    process = _started(cluster, "one", "sh", "-c", "echo out; echo err >&2; exec sleep 600")
    _await_log(cluster, "out\nerr\n")
    processes.stop([process])


def test_a_process_runs_until_its_last_thread_ends(cluster: Cluster) -> None:
    """As one that was killed may: the first thread is gone, another still holds what the process had."""
    first_ends = "import ctypes; ctypes.CDLL(None).syscall(60, 0)"  # exit(2) on x86-64, of one thread
    thread = f"import threading, time; threading.Thread(target=time.sleep, args=(600,)).start(); {first_ends}"
    process = _started(cluster, "one", sys.executable, "-c", thread)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert process.is_alive()
    processes.stop([process], grace=0)
    assert not process.is_alive()


def test_a_process_that_does_not_listen_is_killed(cluster: Cluster) -> None:
    process = _started(cluster, "one", "sh", "-c", _STUBBORN)
    _await_log(cluster, "ready\n")
    begun = time.monotonic()
    processes.stop([process], grace=0.5)
    assert not process.is_alive()
    assert time.monotonic() - begun >= 0.5


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}])
def test_a_later_process_with_the_same_number_is_left_alone(
    cluster: Cluster, change: dict[str, int | str]
) -> None:
    process = _started(cluster, "one", "sleep", "600")
    earlier = replace(process, **change)  # type: ignore[arg-type]
    record = cluster.run / "one.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | change))
    assert processes.recorded(cluster, "one") is None
    processes.stop([earlier], grace=0)
    assert process.is_alive()


def test_marked_are_its_own_and_their_children_and_nobody_else(cluster: Cluster, tmp_path: Path) -> None:
    parent = _started(cluster, "one", "sh", "-c", "sleep 600 & wait")
    similar = {**os.environ, processes.MARK: f"{cluster.directory}-other"}
    with subprocess.Popen(["sleep", "600"], env=similar) as stranger:
        try:
            deadline = time.monotonic() + 30
            while len(found := processes.marked(cluster)) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert len(found) == 2
            assert parent.pid in {process.pid for process in found}
            processes.stop(found)
            assert processes.marked(cluster) == []
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_the_print_tells_other_arguments_and_other_files(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("a")
    first = processes.fingerprint(["x", "y"], [file])
    assert processes.fingerprint(["x", "y"], [file]) == first
    assert processes.fingerprint(["xy"], [file]) != first
    file.write_text("b")
    assert processes.fingerprint(["x", "y"], [file]) != first
