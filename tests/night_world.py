"""The bakery on the real cluster: its site with a registry in the cluster, and what kubectl and Helm say of it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bakery
from apply_parts import Landscape
from bakery import APP, EVERY, HELM_RELEASES
from cluster_ingress import ingress_controller
from cluster_server import free_ports
from cluster_site import RealCluster, volume
from e2e_road import Airstore, Result, Store, carry, run, site

UPSTREAM = "registry.example.com"  # whose images nodes find by their mirror
CRASHES = "exit 3"
# What each release changes, and whether it works.
RELEASES: Mapping[str, Mapping[str, bakery.Values]] = {
    "1.0.0": {},
    "1.1.0": {**APP, "app": {"schema": "2"}},
    "1.2.0": {**APP, "app": {"schema": "3", "broken": CRASHES}},
    "1.3.0": {**EVERY, "app": {"schema": "3"}},
    "1.4.0": {**EVERY, "app": {"schema": "4"}, "panel": {"broken": CRASHES}},
    "1.5.0": {**APP, "app": {"schema": "5", "stumble": CRASHES}},
}


@dataclass(frozen=True)
class Seen:
    """What there is, as kubectl and Helm say.

    Attributes:
        orders: rows of the database.
        passwords: name of a Secret to the password in it.
        pods: Helm release to its pod's UID.
        helm: Helm release to its revision, its status and its chart.
        ready: Helm releases whose pod is ready.
    """

    orders: tuple[str, ...]
    passwords: Mapping[str, str] = field(repr=False)
    pods: Mapping[str, str]
    helm: Mapping[str, tuple[int, str, str]]
    ready: frozenset[str]


@dataclass
class Night(Landscape):
    """A publisher with all of `RELEASES`, and a site that holds them.

    Attributes:
        host: of the site's registry, which is in the namespace ``NAMESPACE-registry``.
    """

    host: str = ""

    @property
    def cluster(self) -> RealCluster:
        """The real one."""
        assert isinstance(self.api, RealCluster)
        return self.api

    def admin(self, *words: str | Path) -> Result:
        """``airstore registry`` at the site."""
        return self.site("registry", *words, variables={"KUBECONFIG": str(self.api.kubeconfig)})

    def apply(self, version: str, *words: str, code: int = 0) -> str:
        """Apply a release; returns all that was said."""
        result = self.run("apply", "--release", version, *words, code=code)
        return result.out + result.err

    def with_helm(self, helm: Path) -> Night:
        """The same, by another Helm."""
        airstore = Airstore(self.site.airstore.home, helm)
        publisher, store = Store(airstore, self.publisher.path), Store(airstore, self.site.path)
        return Night(self.api, self.directory, publisher, store, self.namespace, host=self.host)

    def kubectl(self, *words: str, stdin: object = None) -> str:
        """In the product's namespace."""
        return self.api.kubectl("-n", self.namespace, *words, stdin=stdin)

    def get(self, *words: str) -> Any:
        """What ``kubectl get`` says there."""
        return self.api.json("-n", self.namespace, "get", *words)

    def in_database(self, script: str) -> str:
        """What a shell in the database's pod says."""
        return self.kubectl("exec", "database-0", "--", "/bin/busybox", "sh", "-c", script)

    def order(self, text: str) -> None:
        """A row of the product's users."""
        self.in_database(f"echo '{text}' >> /data/orders")

    def orders(self) -> tuple[str, ...]:
        """Rows of the database."""
        return tuple(self.in_database("/bin/busybox cat /data/orders").splitlines())

    def seen(self) -> Seen:
        """Everything that a row compares."""
        pods = [each for each in self.get("pods")["items"] if "deletionTimestamp" not in each["metadata"]]
        named = {each["metadata"]["labels"].get("app", ""): each for each in pods}
        every = ["--all"] if self.site.airstore.helm.name == "helm3" else []
        listed = json.loads(self.by_hand("list", "-o", "json", *every))
        return Seen(
            self.orders() if "database" in _ready(named) else (),
            {
                each["metadata"]["name"]: base64.b64decode(each["data"]["password"]).decode()
                for each in self.get("secret")["items"]
                if each["metadata"]["name"].endswith("-auth")
            },
            {name: named[name]["metadata"]["uid"] for name in HELM_RELEASES if name in named},
            {each["name"]: (int(each["revision"]), each["status"], each["chart"]) for each in listed},
            _ready(named),
        )

    def install_by_hand(self) -> None:
        """What the old procedure does: chart by chart, an upgrade of what ``helm list`` has, else an install."""
        self.publish_charts("1.0.0")
        for name in HELM_RELEASES:
            listed = json.loads(self.by_hand("list", "-o", "json"))
            verb = "upgrade" if name in {each["name"] for each in listed} else "install"
            registry = () if name == "panel" else ("--set", f"global.imageRegistry={self.host}")
            chart = str(self.directory / "product" / "charts" / name)
            waiting = ("--create-namespace", "--wait", "--timeout", "90s") if verb == "install" else ()
            self.by_hand(verb, name, chart, *registry, *waiting)

    def publish_charts(self, version: str) -> None:
        """Have the product's directory say a release."""
        bakery.write(self.directory / "product", self.namespace, version, RELEASES[version])

    def start_over(self) -> None:
        """Nothing of the product is in the cluster, and the site has applied nothing."""
        self.api.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=120s")
        shutil.rmtree(self.site.path)
        shutil.copytree(self.directory / "pristine", self.site.path)


def _ready(pods: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(
        name
        for name, pod in pods.items()
        if name in HELM_RELEASES
        and all(status["ready"] for status in pod["status"].get("containerStatuses", [{"ready": False}]))
    )


@contextmanager
def open_night(
    cluster: RealCluster, directory: Path, helm: Path, registry: Path, namespace: str
) -> Iterator[Night]:
    """A site with every release and a registry; nothing has been applied yet."""
    (directory / "home").mkdir()
    airstore = Airstore(directory / "home", helm)
    publisher, store = Store(airstore, directory / "publisher"), Store(airstore, directory / "site")
    (port,) = free_ports(1)
    night = Night(cluster, directory, publisher, store, namespace, host=f"localhost:{port}")
    _publish(night, registry)
    _write_site_file(night)
    for document in volume(namespace, directory / "volume"):
        cluster.kubectl("apply", "-f", "-", stdin=document)
    try:
        with ingress_controller(cluster.kubectl, f"{namespace}-registry", "registry", port, directory):
            _bootstrap(night)
            yield night
    finally:
        _clean(night)


def _publish(night: Night, registry: Path) -> None:
    for version, changes in RELEASES.items():
        product = bakery.write(night.directory / "product", night.namespace, version, changes, registry)
        if version == "1.0.0":
            night.publisher.airstore("init", night.publisher.path, "--product", product)
            night.publisher("key", "generate", "release")
        night.publisher("release", "create", "--version", version)
        if version == "1.0.0":
            site(night.publisher, night.directory, version)
        else:
            carry(night.publisher, night.site, night.directory, version)


def _write_site_file(night: Night) -> None:
    registry = {"host": night.host, "storageClass": night.namespace, "storage": "1Gi"}
    document = {"apiVersion": "airstore/v1", "kind": "Site", "registry": registry}
    (night.site.path / "site.yaml").write_text(json.dumps(document))


def _bootstrap(night: Night) -> None:
    _configure_node(night)
    night.admin("bootstrap", "--containerd-socket", night.cluster.socket)
    _configure_node(night, "--credentials")
    for version in RELEASES:
        night.admin("push", "--release", version) if False else None
    shutil.copytree(night.site.path, night.directory / "pristine")


def _configure_node(night: Night, *words: str) -> None:
    files = night.directory / f"node{len(words)}"
    night.admin("mirror-config", "--runtime", "containerd", "--out", files, *words)
    night.cluster.configure(files)


def _clean(night: Night) -> None:
    for host in (night.host, UPSTREAM):
        night.cluster.forget(host)
    names = (night.namespace, f"{night.namespace}-registry")
    night.cluster.kubectl("delete", "namespace", *names, "--ignore-not-found", "--wait=false")
    night.cluster.kubectl("delete", f"pv/{night.namespace}", f"storageclass/{night.namespace}", "--wait=false")
    night.cluster.kubectl("delete", "crd/boards.bakery.example.com", "--ignore-not-found", "--wait=false")
    night.cluster.kubectl("label", "nodes", "--all", "primary-registry-")


def power_cut(cluster: RealCluster) -> None:
    """End everything of the node at once, its pods among it, and start it again."""
    scripts = bakery.ROOT / "scripts"
    run("python3", "-c", _CUT, str(scripts / "cluster.d"), str(cluster.directory))
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
