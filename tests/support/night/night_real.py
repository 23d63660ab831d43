"""The bakery on the real cluster, with a registry of its own there that its nodes pull from."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.kubernetes.cluster_ingress import ingress_controller
from tests.support.kubernetes.cluster_server import free_ports
from tests.support.kubernetes.cluster_site import RealCluster, volume
from tests.support.night import bakery
from tests.support.night.night_world import RELEASES, Night, make_night, write_site_file
from tests.support.product.e2e_road import run

_UPSTREAM = "registry.example.com"  # whose images nodes find by their mirror


@contextmanager
def open_night(
    cluster: RealCluster,
    directory: Path,
    helm: Path,
    registry: Path,
    namespace: str,
    versions: Collection[str] = tuple(RELEASES),
) -> Iterator[Night]:
    """A site with some of the releases and a registry; nothing has been applied yet."""
    night = make_night(cluster, directory, helm, namespace, registry, versions)
    (port,) = free_ports(1)
    night.host = f"localhost:{port}"
    write_site_file(night, storageClass=namespace, storage="1Gi")
    for document in volume(namespace, directory / "volume"):
        cluster.kubectl("apply", "-f", "-", stdin=document)
    try:
        with ingress_controller(cluster.kubectl, f"{namespace}-registry", "registry", port, directory):
            _bootstrap(night)
            yield night
    finally:
        _clean(night)


def _bootstrap(night: Night) -> None:
    _configure_node(night)
    night.admin("bootstrap", "--containerd-socket", night.cluster.socket)
    _configure_node(night, "--credentials")
    shutil.copytree(night.site.path, night.directory / "pristine")


def _configure_node(night: Night, *words: str) -> None:
    files = night.directory / f"node{len(words)}"
    night.admin("mirror-config", "--runtime", "containerd", "--out", files, *words)
    night.cluster.configure(files)


def _clean(night: Night) -> None:
    for host in (night.host, _UPSTREAM):
        night.cluster.forget(host)
    names = (night.namespace, f"{night.namespace}-registry")
    night.cluster.kubectl("delete", "namespace", *names, "--ignore-not-found", "--wait=false")
    night.cluster.kubectl(
        "delete", f"pv/{night.namespace}", f"storageclass/{night.namespace}", "--wait=false"
    )
    night.cluster.kubectl("delete", "crd/boards.bakery.example.com", "--ignore-not-found", "--wait=false")
    night.cluster.kubectl("label", "nodes", "--all", "primary-registry-")


def power_cut(cluster: RealCluster) -> None:
    """End everything of the node at once, its pods among it, and start it again."""
    scripts = bakery.ROOT / "scripts"
    run(sys.executable, "-c", _CUT, str(scripts / "cluster.d"), str(cluster.directory))
    subprocess.run([str(scripts / "cluster"), "up"], check=True, capture_output=True, timeout=600)


_CUT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import processes
from settings import Cluster
for process in processes.marked(Cluster(Path(sys.argv[2]))):
    os.kill(process.pid, signal.SIGKILL)
"""
