"""A real cluster (scripts/cluster), and a site whose release brings a real registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.images import fixture_images
from tests.support.product.e2e_road import Airstore, Store, publisher, site

API = "registry.example.com/shop/api:1.0.0"


@dataclass(frozen=True)
class RealCluster:
    """Files of a running cluster of one node that runs pods.

    Attributes:
        directory: state directory of scripts/cluster.
    """

    directory: Path

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "admin.kubeconfig"

    @property
    def socket(self) -> Path:
        """containerd's."""
        return self.directory / "run" / "containerd.sock"

    @property
    def hosts(self) -> Path:
        """containerd's ``config_path``."""
        return self.directory / "hosts.d"

    def kubectl(self, *words: str, stdin: object = None) -> str:
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *words],
            input=json.dumps(stdin) if stdin is not None else None,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(words)}\n{done.stderr}"
        return done.stdout

    def says_yes(self, *words: str) -> bool:
        """``kubectl auth can-i`` says yes or no, and ends with 1 for a no."""
        argv = ["kubectl", "--kubeconfig", str(self.kubeconfig), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout.strip() in {"yes", "no"}, done.stderr
        return done.stdout.strip() == "yes"

    def json(self, *words: str) -> Any:
        return json.loads(self.kubectl(*words, "-o", "json"))

    def configure(self, files: Path) -> None:
        """Give the node what ``mirror-config --out`` wrote."""
        source = files / "etc/containerd/certs.d"
        for file in filter(Path.is_file, source.rglob("*")):
            target = self.hosts / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.read_text().replace("/etc/containerd/certs.d", str(self.hosts)))
            target.chmod(0o600)

    def forget(self, host: str) -> None:
        """Take a host's configuration away from the node."""
        shutil.rmtree(self.hosts / host, ignore_errors=True)


def find_cluster() -> RealCluster | None:
    """The cluster that AIRSTORE_CLUSTER names or scripts/cluster has started."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = Path(os.environ.get("AIRSTORE_CLUSTER") or cache / "airstore" / "cluster-run")
    found = RealCluster(directory)
    return found if found.kubeconfig.exists() and found.socket.exists() else None


def make_site(
    airstore: Airstore, directory: Path, program: Path, registry: str, namespace: str, size: int = 0
) -> Store:
    """A site that has imported a release of two images; ``registry`` is one with this program.

    The other one's own layer has ``size`` plain MB.
    """
    product = directory / "product"
    product.mkdir(parents=True)
    fixture_images.build(product / "images", [registry, API], registry=program, size=size, plain=True)
    source = publisher(
        airstore,
        directory,
        {
            "images": {"include": [registry, API], "sources": {"*": "oci:images"}},
            "registry": {"image": registry, "namespace": namespace, "storage": "1Gi"},
        },
    )
    source("release", "create", "--version", "1.0.0")
    return site(source, directory, "1.0.0", effort="fast")  # a registry's program is most of it


def write_site_file(store: Store, **registry: object) -> None:
    """The site file, JSON being YAML."""
    document = {"apiVersion": "airstore/v1", "kind": "Site", "registry": registry}
    (store.path / "site.yaml").write_text(json.dumps(document))


def volume(name: str, directory: Path) -> list[dict[str, Any]]:
    """A storage class of its own and one volume of it, on the node's disk."""
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "kubernetes.io/no-provisioner",
    }
    spec = {
        "capacity": {"storage": "2Gi"},
        "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
        "storageClassName": name,
        "hostPath": {"path": str(directory), "type": "DirectoryOrCreate"},
    }
    return [
        storage,
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec},
    ]
