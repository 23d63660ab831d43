"""A site before its registry, in a namespace and with a volume of its own in the real cluster."""

from __future__ import annotations

import hashlib
import itertools
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airstore.core.parsing.strictjson import load_object
from tests.support.kubernetes.cluster_ingress import ingress_controller
from tests.support.kubernetes.cluster_server import free_ports
from tests.support.kubernetes.cluster_site import RealCluster, make_site, volume, write_site_file
from tests.support.product.e2e_road import Airstore, Store
from tests.support.product.e2e_world import started

Started = AbstractContextManager[subprocess.Popen[str]]
LARGE = 12  # MB of an application's layer; the layer below it is four times as large
_numbers = itertools.count()


@dataclass(frozen=True)
class World:
    """A site before its registry, with a volume and something that answers at the registry's host."""

    cluster: RealCluster
    store: Store
    namespace: str
    host: str
    registry: str
    directory: Path

    def __call__(self, *words: str | Path, code: int = 0, path: Path | None = None) -> str:
        """``airstore registry`` on the site's store; returns all it said.

        Programs in the directory ``path`` come before those on PATH.
        """
        result = self.store("registry", *words, code=code, variables=self.variables(path))
        return result.out + result.err

    def started(self, *words: str | Path, path: Path | None = None) -> Started:
        """The same in a process of its own, which ends with the block."""
        return started(self.store, "registry", *words, variables=self.variables(path))

    def variables(self, path: Path | None = None) -> dict[str, str]:
        """What airstore's environment must have."""
        first = {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"} if path else {}
        return {"KUBECONFIG": str(self.cluster.kubeconfig), **first}

    @property
    def volume(self) -> Path:
        """Where the registry's volume is on the node's disk."""
        return self.directory / "volume"

    def bootstrap(self, *words: str, code: int = 0) -> str:
        return self("bootstrap", "--containerd-socket", self.cluster.socket, *words, code=code)

    def write_site_file(self, **registry: object) -> None:
        """The site file, its registry as given and otherwise in the cluster."""
        usual = {"mode": "cluster", "host": self.host, "accessMode": "ReadWriteMany"}
        write_site_file(self.store, **{**usual, "storageClass": self.namespace, **registry})

    def configure_node(self, *words: str) -> None:
        files = self.directory / f"node-{next(_numbers)}"
        self("mirror-config", "--runtime", "containerd", "--out", files, *words)
        self.cluster.configure(files)

    def images_running(self) -> set[tuple[str, str]]:
        """Image and its digest of every container that runs, as the kubelet reports them.

        A pod that a new one has replaced may still be there, without a container that ever ran.
        """
        statuses = [
            status
            for pod in self.pods()
            for status in pod["status"].get("containerStatuses", ())
            if "running" in status["state"]
        ]
        return {(status["image"], status["imageID"].partition("@")[2]) for status in statuses}

    def pods(self) -> list[Any]:
        """The registry's and those of a test, without those that end."""
        items = self.cluster.json("get", "pods", "-n", self.namespace)["items"]
        return [item for item in items if "deletionTimestamp" not in item["metadata"]]

    def deployment(self) -> Any:
        """The registry's, as it is in the cluster."""
        return self.cluster.json("get", "deployment", "registry", "-n", self.namespace)

    def untouched(self) -> bool:
        """Whether neither cluster nor store has anything of a registry."""
        namespaces = self.cluster.kubectl("get", "namespaces", "-o", "name").split()
        return f"namespace/{self.namespace}" not in namespaces and not (self.store.path / "registry").exists()

    def missing(self, reference: str) -> set[str]:
        """Blobs of an image of the release that the registry does not give back byte for byte."""
        (image,) = (i for i in self.store.release("1.0.0")["images"] if i["reference"] == reference)
        repository = reference.partition("/")[2].rpartition(":")[0]
        return {blob["digest"] for blob in image["blobs"] if not self._gives(repository, blob)}

    def _gives(self, repository: str, blob: dict[str, Any]) -> bool:
        kind = "manifests" if "manifest" in blob["mediaType"] or "index" in blob["mediaType"] else "blobs"
        status, data = self.fetch(f"/v2/{repository}/{kind}/{blob['digest']}", "pull")
        return status == 200 and f"sha256:{hashlib.sha256(data).hexdigest()}" == blob["digest"]

    def status(self, path: str, user: str = "", method: str = "GET") -> int:
        """HTTP status of a request to the registry at its public host."""
        return self.fetch(path, user, method)[0]

    def fetch(self, path: str, user: str = "", method: str = "GET") -> tuple[int, bytes]:
        """Status and body of a request to the registry at its public host."""
        credentials = load_object((self.store.path / "registry/credentials.json").read_bytes(), "")
        request = urllib.request.Request(f"https://{self.host}{path}", method=method)
        request.add_header("Accept", "application/vnd.oci.image.manifest.v1+json")
        if user:
            token = b64encode(f"{user}:{credentials[user]}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        trust = ssl.create_default_context(cafile=str(self.store.path / "registry/ca.pem"))
        try:
            with urllib.request.urlopen(request, context=trust) as answer:  # noqa: S310 - https, see above
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as fault:
            return fault.code, fault.read()


@contextmanager
def site_before_registry(
    cluster: RealCluster, helm: Path, docker_registry: Path, directory: Path, size: int = 0
) -> Iterator[World]:
    """Make one; ``size`` is that of its other image's own layer, in MB."""
    (directory / "home").mkdir()
    airstore = Airstore(directory / "home", helm)
    name = f"registry-{os.getpid()}-{next(_numbers)}"
    (port,) = free_ports(1)
    host = f"localhost:{port}"
    # Each image is a new one to the kubelet, which remembers what it has pulled with which password.
    registry = f"registry.example.com/shop/registry:{name}"
    store = make_site(airstore, directory, docker_registry, registry, name, size)
    world = World(cluster, store, name, host, registry, directory)
    world.write_site_file()
    for document in volume(name, directory / "volume"):
        cluster.kubectl("apply", "-f", "-", stdin=document)
    try:
        with ingress_controller(cluster.kubectl, name, "registry", port, directory):
            yield world
    finally:
        cluster.forget(host)
        cluster.forget("registry.example.com")
        cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
        cluster.kubectl("delete", f"pv/{name}", f"storageclass/{name}", "--wait=false")
        cluster.kubectl("label", "nodes", "--all", "primary-registry-")


@pytest.fixture
def world(cluster: RealCluster, helm4: Path, docker_registry: Path, tmp_path: Path) -> Iterator[World]:
    with site_before_registry(cluster, helm4, docker_registry, tmp_path) as made:
        yield made


@pytest.fixture
def large_world(cluster: RealCluster, helm4: Path, docker_registry: Path, tmp_path: Path) -> Iterator[World]:
    """One whose release is large enough for a push to have a middle, and whose registry has one pod."""
    with site_before_registry(cluster, helm4, docker_registry, tmp_path, size=LARGE) as made:
        made.write_site_file(accessMode="ReadWriteOnce")
        yield made
