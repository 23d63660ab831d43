"""scripts/cluster down leaves nothing, whenever an `up` was killed; run where no cluster is up."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import host
import leftovers
import processes
import pytest
from settings import BRIDGE, CGROUP, Cluster

from tests.support.kubernetes.cluster_fixtures import CLUSTER

pytestmark = [pytest.mark.cluster, pytest.mark.root, pytest.mark.alone]
# What `up` says just before it is killed; at the last one pods have run.
MOMENTS = ("starting etcd", "starting kube-apiserver", "starting kube-proxy", "kubeconfig")


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """None yet."""
    if host.find_owner():
        pytest.skip(f"the cluster of {host.find_owner()} is up: scripts/cluster down")
    made = Cluster(tmp_path_factory.mktemp("c") / "run")
    yield made
    run("down", made)


def run(command: str, cluster: Cluster) -> subprocess.CompletedProcess[str]:
    argv = [str(CLUSTER), command, "--dir", str(cluster.directory)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def killed_at(moment: str, cluster: Cluster, later: float = 0.0) -> None:
    """Bring it up, and kill it some seconds after it has said so."""
    argv = [str(CLUSTER), "up", "--dir", str(cluster.directory)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout
        try:
            assert any(line.startswith(moment) for line in up.stdout), moment
            time.sleep(later)
        finally:
            up.send_signal(signal.SIGKILL)


def nothing_is_left(cluster: Cluster) -> None:
    assert processes.marked(cluster) == []
    assert [group for each in host.controllers() if (group := each / CGROUP).exists()] == []
    assert not cluster.directory.exists()
    assert not (Path("/sys/class/net") / BRIDGE).exists()
    assert host.find_owner() is None
    assert str(cluster.directory) not in Path("/proc/self/mountinfo").read_text()
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    assert "kube-proxy" not in tables.stdout


@pytest.mark.parametrize("moment", MOMENTS)
def test_down_after_a_kill(moment: str, cluster: Cluster) -> None:
    killed_at(moment, cluster, later=0.0 if moment.startswith("starting kube") else 0.5)
    assert processes.marked(cluster) != []
    done = run("down", cluster)
    assert (done.returncode, done.stderr) == (0, "")
    nothing_is_left(cluster)


def test_down_ends_what_was_never_recorded_and_up_does_so_first(cluster: Cluster) -> None:
    killed_at("starting containerd", cluster, later=1)
    for record in cluster.run.glob("*.json"):
        record.unlink()
    killed_at("starting kube-controller-manager", cluster)
    running = [_program(process.pid) for process in processes.marked(cluster)]
    assert running.count("etcd") == running.count("containerd") == 1
    assert run("down", cluster).returncode == 0
    nothing_is_left(cluster)


def test_down_of_a_directory_that_was_deleted(cluster: Cluster) -> None:
    killed_at("kubeconfig", cluster)
    leftovers.unmount(cluster.directory)
    aside = cluster.directory.with_name("aside")
    cluster.directory.rename(aside)
    done = run("down", cluster)
    assert (done.returncode, done.stderr) == (0, "")
    assert "there is no cluster" in done.stdout
    nothing_is_left(cluster)


def _program(pid: int) -> str:
    return Path(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()).name
