"""scripts/cluster down ends what a killed `up` left; here with small processes instead of a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import host
import leftovers
import processes
import pytest
from settings import Cluster, ClusterError

SCRIPTS = Path(__file__).parents[2] / "scripts" / "cluster.d"
# Told to end, it starts another one first.
_HYDRA = "trap 'sleep 600 & exit' TERM; echo ready; while :; do sleep 0.1; done"
_BUILD = "import processes, programs, sys; programs.build({processes.MARK: sys.argv[1]})"
_SLOW = "#!/bin/sh\nexec sleep 600\n"
_QUICK = '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho "$GOGC $CGO_ENABLED" >"$2"\n'


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Another one has the machine, as one may: its bridge and control group are not touched."""
    (tmp_path / "owner").symlink_to(tmp_path / "another" / "volumes")
    monkeypatch.setattr(host, "VOLUMES", tmp_path / "owner")
    made = Cluster(tmp_path / "state")
    made.run.mkdir(parents=True)
    made.logs.mkdir()
    yield made
    processes.stop(processes.marked(made), grace=0)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_was_never_recorded_is_found_and_ended(cluster: Cluster) -> None:
    argv = ["sleep", "600"]
    processes.start(cluster, "one", argv, "print")
    (cluster.run / "one.json").unlink()
    wait_for(lambda: processes.strays(cluster, argv))
    assert processes.strays(cluster, ["sleep", "60"]) == []
    leftovers.remove(cluster)
    assert processes.marked(cluster) == []


def test_what_starts_while_it_ends_is_ended_too(cluster: Cluster) -> None:
    processes.start(cluster, "one", ["sh", "-c", _HYDRA], "print")
    wait_for(lambda: (cluster.logs / "one.log").read_text() == "ready\n")
    leftovers.end_processes(cluster, grace=1)
    assert processes.marked(cluster) == []


def test_a_step_that_fails_is_named_and_the_others_are_done(cluster: Cluster) -> None:
    processes.start(cluster, "one", ["sleep", "600"], "print")
    task = cluster.run / "containerd" / "io.containerd.runtime.v2.task" / "k8s.io" / "x"
    (task / "address").mkdir(parents=True)
    with pytest.raises(ClusterError, match="Is a directory"):
        leftovers.remove(cluster)
    assert processes.marked(cluster) == []


def test_another_clusters_machine_is_left_alone(cluster: Cluster) -> None:
    assert not host.is_free_for(cluster)
    assert leftovers.containers(cluster) == []
    leftovers.remove(cluster)
    assert host.VOLUMES.is_symlink()
    host.VOLUMES.unlink()
    assert host.is_free_for(cluster)
    host.VOLUMES.symlink_to(cluster.directory / "volumes")
    assert host.is_free_for(cluster)


def _builder(cluster: Cluster, tmp_path: Path, go: str) -> subprocess.Popen[bytes]:
    """A build with another program for Go's, whose cache is here."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    (tmp_path / "bin" / "go").write_text(go)
    (tmp_path / "bin" / "go").chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    places = {
        "PYTHONPATH": str(SCRIPTS),
        "XDG_CACHE_HOME": str(tmp_path),
        "AIRSTORE_TOOLS": str(tmp_path / "t"),
    }
    return subprocess.Popen(
        [sys.executable, "-c", _BUILD, str(cluster.directory)], env={**os.environ, "PATH": path, **places}
    )


def test_a_compiler_does_not_outlive_the_cluster_it_builds_for(cluster: Cluster, tmp_path: Path) -> None:
    with _builder(cluster, tmp_path, _SLOW) as killed:
        wait_for(lambda: processes.marked(cluster))
        killed.send_signal(signal.SIGKILL)
    builds = tmp_path / "airstore" / "cluster"
    assert processes.marked(cluster) != []
    assert [path.name.startswith(".build-") for path in builds.iterdir()] == [True]
    leftovers.remove(cluster)
    assert processes.marked(cluster) == []
    with _builder(cluster, tmp_path, _QUICK) as again:
        assert again.wait(timeout=60) == 0
    (built,) = builds.iterdir()
    assert (built / "kube-apiserver").read_text() == "400 0\n"
    assert os.access(tmp_path / "t" / "kube-apiserver", os.R_OK)
