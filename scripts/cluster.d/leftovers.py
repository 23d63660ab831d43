"""End and remove what the components made: containers, mounts, network rules, files at fixed places."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import host
import processes
from settings import CGROUP, Cluster, ClusterError

_RESULTS = "/var/lib/cni/results"
_PLUGINS = "/var/lib/kubelet/device-plugins"
_PROXY_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))


def remove(cluster: Cluster) -> None:
    """Leave nothing behind; every step does nothing where there is nothing to do.

    One that fails does not keep the others from being done. What is another cluster's stays.

    Raises:
        ClusterError: something does not go away.
    """
    steps: list[Callable[[], None]] = [partial(end_processes, cluster)]
    shared: list[Callable[[], None]] = [partial(_remove_rules, cluster), partial(host.restore, cluster)]
    steps += [partial(_unlink_fixed, cluster), partial(unmount, cluster.directory)]
    steps += [_remove_groups, *shared] if host.is_free_for(cluster) else []
    faults = []
    for step in steps:
        try:
            step()
        except (ClusterError, OSError) as error:
            faults.append(str(error))
    if faults:
        raise ClusterError("\n".join(faults))


def end_processes(cluster: Cluster, grace: float = 5, seconds: float = 60) -> None:
    """End whatever carries the mark or is in a control group, and what those start while they end.

    Args:
        cluster: whose processes.
        grace: seconds between asking and killing.
        seconds: until it is given up.

    Raises:
        ClusterError: something does not end.
    """
    deadline = time.monotonic() + seconds
    while left := [*processes.marked(cluster), *containers(cluster)]:
        if time.monotonic() > deadline:
            raise ClusterError(f"processes do not end: {sorted({process.pid for process in left})}")
        processes.stop(left, grace)
        grace = 0
        time.sleep(0.05)


def containers(cluster: Cluster) -> list[processes.Process]:
    """Everything in the cluster's control groups: the pods' processes, and nothing else is in them."""
    pids = _members() if host.is_free_for(cluster) else set()
    return [process for pid in pids for process in processes.by_pid(pid)]


def _members() -> set[int]:
    return {
        int(line)
        for controller in host.controllers()
        for procs in (controller / CGROUP).glob("**/cgroup.procs")
        for line in procs.read_text().split()
    }


def _remove_groups() -> None:
    for controller in host.controllers():
        for path, _, _ in os.walk(controller / CGROUP, topdown=False):
            Path(path).rmdir()


def unmount(directory: Path) -> None:
    """Unmount everything below a directory, the last one mounted first."""
    prefix = f"{directory}/"
    for _ in range(10):
        mounts = [point for point in _mounts() if point.startswith(prefix)]
        if not mounts:
            return
        for point in reversed(mounts):
            subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
    raise ClusterError(f"still mounted: {', '.join(mounts)}")


def _mounts() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4].replace("\\040", " ") for line in lines]


def _remove_rules(cluster: Cluster) -> None:
    """kube-proxy's tables stay when it ends, so that connections live through its restart."""
    ours = host.find_owner() == cluster.directory or (cluster.run / "kube-proxy.json").exists()
    if not ours or not shutil.which("nft"):
        return
    for family, table in _PROXY_TABLES:
        subprocess.run(["nft", "delete", "table", family, table], capture_output=True, check=False)


def _unlink_fixed(cluster: Cluster) -> None:
    """Files whose place nobody can choose, as far as they are this cluster's."""
    inside = f"{cluster.directory}/"
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and str(link.readlink()).startswith(inside):
            link.unlink()
    # Network, sandbox, device. Where root's are out of reach, none are this user's.
    for path in Path(_RESULTS).glob("airstore-*-eth0") if os.access(_RESULTS, os.R_OK | os.X_OK) else ():
        sandbox = path.name.removeprefix("airstore-").removesuffix("-eth0")
        path.unlink()
        path.with_name(f"cni-loopback-{sandbox}-lo").unlink(missing_ok=True)
    for address in cluster.run.glob("containerd/io.containerd.runtime.v2.task/*/*/address"):
        Path(address.read_text().strip().removeprefix("unix://")).unlink(missing_ok=True)
    if host.was_absent(cluster, _PLUGINS):
        for path in Path(_PLUGINS).glob("*"):
            path.unlink()
