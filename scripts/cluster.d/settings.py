"""Where the cluster's files, addresses and ports are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "airstore"
RUN = Path(os.environ.get("AIRSTORE_CLUSTER") or CACHE / "cluster-run").resolve()
TOOLS = Path(os.environ.get("AIRSTORE_TOOLS") or CACHE / "tools" / "bin")

# The node's address is that of the pods' bridge: the same on every machine, so certificates stay valid,
# and nothing listens on the machine's own network.
BRIDGE = "airstore0"
NODE = "airstore-node"
NODE_IP = "10.88.0.1"
PODS = "10.88.0.0/16"
SERVICES = "10.96.0.0/16"
FIRST_SERVICE = "10.96.0.1"
CGROUP = "airstore"
NAMESPACE = "airstore-cluster"

PAUSE = "airstore.invalid/pause:1"
BUSYBOX = "airstore.invalid/busybox:1"

PORTS = {
    "apiserver": 16443,
    "etcd": 12379,
    "etcd-peer": 12380,
    "kubelet": 11250,
    "kubelet-health": 11248,
    "controller-manager": 11257,
    "scheduler": 11259,
    "proxy-health": 11256,
    "proxy-metrics": 11249,
    "dns-health": 11253,
}


class ClusterError(Exception):
    """What went wrong, for the person at the terminal."""


@dataclass(frozen=True)
class Cluster:
    """One cluster: everything it keeps is in ``directory``.

    Attributes:
        directory: absolute path of the state directory.
        offset: added to every port of `PORTS`.
        programs: directory of the built programs; empty until they are known.
    """

    directory: Path
    offset: int = 0
    programs: Path = Path()

    def port(self, name: str) -> int:
        """Port of a listener."""
        return PORTS[name] + self.offset

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.directory / "pki"

    @property
    def config(self) -> Path:
        """Configuration files, kubeconfigs among them."""
        return self.directory / "config"

    @property
    def logs(self) -> Path:
        """One log per component, and the pods' own."""
        return self.directory / "log"

    @property
    def run(self) -> Path:
        """Records of running processes, and sockets."""
        return self.directory / "run"

    @property
    def hosts(self) -> Path:
        """containerd's registry configuration: ``HOST/hosts.toml``, read anew at every pull."""
        return self.directory / "hosts.d"

    @property
    def socket(self) -> Path:
        """containerd's socket."""
        return self.run / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "admin.kubeconfig"

    @property
    def api(self) -> str:
        """URL of the API server."""
        return f"https://{NODE_IP}:{self.port('apiserver')}"
