"""What the cluster needs of the machine outside its directory, made by `prepare` and unmade by `restore`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from settings import BRIDGE, CGROUP, NODE_IP, SERVICES, Cluster, ClusterError

VOLUMES = Path("/tmp/hostpath_pv")  # noqa: S108 - the provisioner has no other place

# kubelet sets most of these and knows no way back; the last two are what Services need.
_SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
    "net/bridge/bridge-nf-call-iptables",
)
_NEEDED = _SYSCTLS[-2:]

# Directories that components make at fixed places. Those that were not there before go away again.
_FIXED = (
    "/var/lib/kubelet/device-plugins",
    "/var/lib/cni/results",
    "/var/lib/cni/cache",
    "/var/log/containers",
    "/run/containerd/s",
    "/run/containerd/fifo",
    "/run/containerd/io.containerd.runtime.v1.linux",
    "/etc/cni/net.d",
)


def refuse_strangers(cluster: Cluster) -> None:
    """Another cluster, of another directory, would share the bridge and the control group.

    Raises:
        ClusterError: there is one.
    """
    owner = find_owner()
    if owner and owner != cluster.directory:
        raise ClusterError(f"the cluster of {owner} exists: scripts/cluster down --dir {owner}")


def prepare(cluster: Cluster) -> None:
    """Remember how the machine is, then change what must be changed; again does nothing."""
    _remember(cluster)
    for name in _NEEDED:
        if _sysctl(name).exists():
            _sysctl(name).write_text("1")
    _volumes(cluster)
    _bridge()
    for controller in controllers():
        _cgroup(controller)


def find_owner() -> Path | None:
    """Directory of the cluster that has the machine; made before anything else that clusters would share."""
    return VOLUMES.readlink().parent if VOLUMES.is_symlink() else None


def is_free_for(cluster: Cluster) -> bool:
    """Whether the bridge, the control group and the rest are this cluster's, or nobody's."""
    return find_owner() in {None, cluster.directory}


def _remember(cluster: Cluster) -> None:
    path = _memory(cluster)
    if path.exists():
        return
    memory = {
        "sysctls": {name: _sysctl(name).read_text().strip() for name in _SYSCTLS if _sysctl(name).exists()},
        "absent": [str(parent) for parent in _ancestry() if not parent.exists()],
    }
    path.with_suffix(".new").write_text(json.dumps(memory, indent=2))
    path.with_suffix(".new").rename(path)


def _memory(cluster: Cluster) -> Path:
    return cluster.directory / "host.json"


def _ancestry() -> list[Path]:
    """The fixed directories and what they are in, innermost first."""
    found = {parent for path in map(Path, _FIXED) for parent in (path, *path.parents)}
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def _sysctl(name: str) -> Path:
    return Path("/proc/sys") / name


def _volumes(cluster: Cluster) -> None:
    """The provisioner's directory is a link to ours."""
    target = cluster.directory / "volumes"
    target.mkdir(exist_ok=True)
    if VOLUMES.is_symlink() and VOLUMES.readlink() == target:
        return
    if VOLUMES.exists():
        raise ClusterError(f"{VOLUMES} is in the way: it is not this cluster's")
    VOLUMES.symlink_to(target)


def _bridge() -> None:
    """The pods' bridge, there before the first pod because the node's address is on it."""
    if not (Path("/sys/class/net") / BRIDGE).exists():
        ip("link", "add", BRIDGE, "type", "bridge")
    ip("address", "replace", f"{NODE_IP}/16", "dev", BRIDGE)
    ip("link", "set", BRIDGE, "up")
    # So that the node itself reaches Services, even on a machine without any network.
    ip("route", "replace", SERVICES, "dev", BRIDGE)


def ip(*words: str, check: bool = True) -> None:
    """Run ``ip``."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise ClusterError(f"ip {' '.join(words)} failed: {done.stderr.strip()}")


def controllers() -> list[Path]:
    """Roots of the control group hierarchies: one per controller (version 1), one for all (2), or both."""
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    return sorted({Path(words[1]) for words in map(str.split, mounts) if words[2] in {"cgroup", "cgroup2"}})


def _cgroup(controller: Path) -> None:
    group = controller / CGROUP
    group.mkdir(exist_ok=True)
    for name in ("cpuset.cpus", "cpuset.mems"):  # version 1: empty in a new group, and then useless
        mine = group / name
        if mine.exists() and not mine.read_text().strip():
            mine.write_text((controller / name).read_text())


def was_absent(cluster: Cluster, path: str) -> bool:
    """Whether a fixed directory was not there before the cluster."""
    return _memory(cluster).exists() and path in json.loads(_memory(cluster).read_text())["absent"]


def restore(cluster: Cluster) -> None:
    """Give the machine back as it was."""
    if (Path("/sys/class/net") / BRIDGE).exists():
        ip("link", "delete", BRIDGE)
    if find_owner() == cluster.directory:
        VOLUMES.unlink()
    if not _memory(cluster).exists():
        return
    memory = json.loads(_memory(cluster).read_text())
    for name, value in memory["sysctls"].items():
        if _sysctl(name).read_text().strip() != value:
            _sysctl(name).write_text(value)
    for path in map(Path, memory["absent"]):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
