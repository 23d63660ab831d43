"""A product whose release brings the applier, a site of it, and the real cluster it is for."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airstore.core.parsing import yamlfile
from scripts.images import applier_image
from tests.support.kubernetes.cluster_server import free_ports
from tests.support.kubernetes.cluster_site import RealCluster
from tests.support.product.applier_product import APPLIER, describe, make_product
from tests.support.product.e2e_road import Airstore, Result, Store, publisher, site
from tests.support.product.e2e_world import served

NODE = "10.88.0.1"  # the machine, as pods and the node see it
USER = 65532
_numbers = itertools.count()
_HOSTS = """server = "http://{0}"

[host."http://{0}"]
  capabilities = ["pull", "resolve"]
"""


@dataclass
class ApplierWorld:
    """A publisher, a site, and a cluster.

    Attributes:
        namespace: of the product's Helm release.
        own: namespace of the applier.
        registry: host that the site's store is served at.
    """

    cluster: RealCluster
    directory: Path
    publisher: Store
    site: Store
    namespace: str
    own: str
    registry: str

    @property
    def account(self) -> str:
        """The applier's ServiceAccount, as user names go."""
        return f"system:serviceaccount:{self.own}:{self.name}"

    @property
    def name(self) -> str:
        """Of the applier's objects."""
        return f"applier-{self.namespace}"

    def make(self, version: str, *, broken: bool = False, more: bool = False) -> Path:
        """Make a release and media for it; with ``more``, of kinds that no release before had."""
        product = self.directory / "product"
        describe(product, self.namespace, self.own, version, broken=broken, more=more)
        self.publisher("release", "create", "--version", version)
        media = self.directory / f"media-{version}"
        previous = self.publisher("release", "list", "-o", "json").json
        base = ("--from", previous[-2]["version"]) if len(previous) > 1 else ()
        self.publisher("media", "create", "--to", version, "--effort", "fast", *base, media)
        return media

    def other_site(self) -> Store:
        """A site of another name that has imported the first release, too."""
        store = site(self.publisher, self.directory / "elsewhere", "1.0.0", "other", "fast")
        shutil.copy(self.site.path / "site.yaml", store.path)
        return store

    def applier(self, *words: str | Path, code: int = 0, store: Store | None = None) -> Result:
        """``airstore applier`` on the site's store, as an administrator of the cluster."""
        command, *rest = words
        place = store or self.site
        return place("applier", command, "--kubeconfig", self.cluster.kubeconfig, *rest, code=code)

    def run(self, *words: str, code: int = 0) -> Result:
        """An airstore command in the cluster."""
        return self.applier("run", "--", *words, code=code)

    def apply(self, *words: str, code: int = 0) -> Result:
        return self.run("apply", "--plain-http", self.registry, *words, code=code)

    def take(self, media: Path) -> None:
        """Media in: here, because the registry is served from here, and at the applier's."""
        self.site("media", "import", media)
        self.applier("send", media)

    def pod(self) -> tuple[str, int]:
        """The Deployment's pod, and how often its container was started again."""
        (pod,) = self.cluster.json("-n", self.own, "get", "pods")["items"]
        return pod["metadata"]["name"], pod["status"]["containerStatuses"][0]["restartCount"]

    def digest(self, version: str) -> str:
        """Of the product's image."""
        return self.publisher.images(version)[f"registry.example.com/shop/api:{version}"]

    def get(self, *words: str) -> Any:
        return self.cluster.json("-n", self.namespace, "get", *words)

    def version(self) -> str:
        """What the ConfigMap says."""
        found: str = self.get("configmap", "web-config")["data"]["version"]
        return found

    def digests(self) -> set[str]:
        """Of the images that run, as the kubelet reports them."""
        pods = [pod for pod in self.get("pods")["items"] if "deletionTimestamp" not in pod["metadata"]]
        statuses = [status for pod in pods for status in pod["status"].get("containerStatuses", ())]
        return {status["imageID"].partition("@")[2] for status in statuses if status["ready"]}

    def documents(self) -> list[dict[str, Any]]:
        """What ``applier manifests`` prints."""
        items: list[dict[str, Any]] = self.site("applier", "manifests", "-o", "json").json["items"]
        return items

    def may(self, verb: str, resource: str, namespace: str = "", name: str = "") -> bool:
        """``kubectl auth can-i`` for the applier; without a namespace, in the whole cluster."""
        where = ["-n", namespace] if namespace else ["--all-namespaces"]
        plain, _, part = resource.partition("/")
        where += [f"--subresource={part}"] if part else []
        what = f"{plain}/{name}" if name else plain
        return self.cluster.says_yes("auth", "can-i", verb, what, *where, "--as", self.account)


@contextmanager
def applier_world(cluster: RealCluster, airstore: Airstore, directory: Path) -> Iterator[ApplierWorld]:
    """A site with release 1.0.0 whose store is served to the cluster; everything made there goes again."""
    mark = f"{os.getpid()}-{next(_numbers)}"
    namespace, own = f"web-{mark}", f"applier-{mark}"
    registry = f"{NODE}:{free_ports(1)[0]}"
    product = directory / "product"
    describe(product, namespace, own, "1.0.0")
    applier_image.build(product / "applier", APPLIER, plain=True)
    source = publisher(airstore, directory, make_product(namespace, own))
    target = Store(airstore, directory / "site")
    world = ApplierWorld(cluster, directory, source, target, namespace, own, registry)
    source("release", "create", "--version", "1.0.0")
    site(source, directory, "1.0.0", effort="fast")  # the applier's image is a hundred times the rest
    document = {"apiVersion": "airstore/v1", "kind": "Site", "registry": {"mode": "serve", "host": registry}}
    (target.path / "site.yaml").write_text(yamlfile.dump(document))
    hosts = cluster.hosts / registry
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(_HOSTS.format(registry))
    try:
        with served(target, "--listen", registry):
            yield world
    finally:
        cluster.forget(registry)
        cluster.kubectl("delete", "namespace", namespace, own, "--ignore-not-found", "--wait=false")
        names = (f"airstore-{world.name}", f"{namespace}-nodes")
        for kind in ("clusterrole", "clusterrolebinding"):
            cluster.kubectl("delete", kind, *names, "--ignore-not-found")
        cluster.kubectl("delete", "crd", f"shelves.{namespace}.example.com", "--ignore-not-found")
        for kind in ("role", "rolebinding"):
            cluster.kubectl("delete", kind, "-n", "airstore", world.name, "--ignore-not-found")


def give_volume(cluster: RealCluster, documents: Iterable[dict[str, Any]]) -> None:
    """Make an applier's namespace and volume, and give the volume to its user."""
    for document in documents:
        if document["kind"] in {"Namespace", "PersistentVolumeClaim"}:
            words = ("apply", "--server-side", "--field-manager=airstore", "-f", "-")
            cluster.kubectl(*words, stdin=document)
        if document["kind"] == "PersistentVolumeClaim":
            own_volume(cluster, document["metadata"]["namespace"], document["metadata"]["name"])


def own_volume(cluster: RealCluster, namespace: str, name: str) -> None:
    """The development cluster's volumes belong to root and know no fsGroup."""
    bound = ("--for=jsonpath={.status.phase}=Bound", "--timeout=60s")
    cluster.kubectl("wait", f"pvc/{name}", "-n", namespace, *bound)
    volume = cluster.json("get", "pvc", name, "-n", namespace)["spec"]["volumeName"]
    path = Path(cluster.json("get", "pv", volume)["spec"]["hostPath"]["path"])
    os.chown(path, USER, USER)
