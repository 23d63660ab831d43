"""The shop fixture on the real cluster, with a third Helm release, and its registry in the cluster.

Each of its Helm releases gets at the site's registry another way: the database by a binding, the shop by the
node's mirror, the portal by rewriting of its references.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airstore.core.parsing import yamlfile
from scripts.images import applier_image, fixture_images
from tests.support.kubernetes.cluster_ingress import ingress_controller
from tests.support.kubernetes.cluster_server import free_ports
from tests.support.kubernetes.cluster_site import RealCluster, volume
from tests.support.product.applier_product import APPLIER
from tests.support.product.e2e_road import Airstore, Result, Store, carry, site

ROOT = Path(__file__).parents[3]
UPSTREAM = "registry.example.com"
NOTICE = f"{UPSTREAM}/shop/notice:1.0.0"
HELM_RELEASES = ("db", "shop", "portal")
RUNS = "exec /bin/busybox sleep 2147483647"
_PORTAL = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: portal}}
spec:
  selector: {{matchLabels: {{app: portal}}}}
  template:
    metadata: {{labels: {{app: portal}}}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: portal
          image: registry.example.com/shop/worker:1.0.0
          command: [/bin/busybox, sh, -c, "{command}"]
"""
# Nothing else names this image: it travels because the hook does.
_ANNOUNCE = """apiVersion: batch/v1
kind: Job
metadata: {name: announce}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: announce
          image: registry.example.com/shop/notice:1.0.0
          command: [/bin/busybox, sh, -c, "echo $AIRSTORE_VERSION is here"]
"""
_MIGRATE = """#!/bin/sh
set -eu
kubectl exec -n "$AIRSTORE_NAMESPACE" "$AIRSTORE_RELEASE-0" -- \\
  /bin/busybox sh -c "echo rows of $AIRSTORE_VERSION > /data/table"
"""


@dataclass(frozen=True)
class Shop:
    """A publisher of the shop, and a site of it on the cluster.

    Attributes:
        host: of the site's registry.
        namespace: of every Helm release; the registry's is ``NAMESPACE-registry``.
        registry: program that the registry's image gets.
        applier: the release brings one, for the namespace ``NAMESPACE-applier``.
    """

    cluster: RealCluster
    directory: Path
    publisher: Store
    site: Store
    namespace: str
    host: str
    registry: Path
    applier: bool = False

    def release(self, version: str, portal: str = RUNS) -> None:
        """Make a release, in which every chart changes, and carry it to the site on media."""
        product = self.directory / "product"
        shutil.copytree(ROOT / "fixtures" / "shop", product, dirs_exist_ok=True)
        if version != "1.0.0":
            shutil.copytree(ROOT / "fixtures" / "shop-1.1", product, dirs_exist_ok=True)
        self.write_product(version, portal)
        listed = {*fixture_images.read_list(), *fixture_images.read_list(product / "images.txt")}
        listed = {each for each in listed if "shop/registry" not in each} | {self.registry_image, NOTICE}
        fixture_images.build(product / "build" / "images", sorted(listed), registry=self.registry)
        self.publisher("release", "create", "--version", version)
        if (self.site.path / "airstore.json").exists():
            carry(self.publisher, self.site, self.directory, version)
        else:
            site(self.publisher, self.directory, version, effort="fast")

    @property
    def registry_image(self) -> str:
        """A new one for each shop: the kubelet remembers what it has pulled with which password."""
        return f"{UPSTREAM}/shop/registry:{self.namespace}"

    def write_product(self, version: str, portal: str) -> None:
        """The fixture's product file with a third Helm release, and a hook that migrates the database."""
        product = self.directory / "product"
        (product / "hooks" / "migrate.sh").write_text(_MIGRATE)
        (product / "hooks" / "announce.yaml").write_text(_ANNOUNCE)
        chart = product / "charts" / "portal"
        (chart / "templates").mkdir(parents=True, exist_ok=True)
        (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: portal\nversion: {version}\n")
        (chart / "templates" / "deployment.yaml").write_text(_PORTAL.format(command=portal))
        mark = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "db-version"}}
        text = yamlfile.dump({**mark, "data": {"v": version}})
        (product / "charts" / "db" / "templates" / "version.yaml").write_text(text)
        document = yamlfile.load((product / "airstore.yaml").read_bytes(), "airstore.yaml")
        (product / "airstore.yaml").write_text(yamlfile.dump(self._product(document)))

    def _product(self, document: dict[str, Any]) -> dict[str, Any]:
        document["charts"].append({"name": "portal", "source": "./charts/portal"})
        portal: dict[str, Any] = {"name": "portal", "chart": "portal", "needs": ["shop"]}
        portal |= {"references": "rewrite", "timeout": "20s", "hooks": {"postUpgrade": "hooks/announce.yaml"}}
        database, shop = document["releases"]
        database["hooks"]["postUpgrade"] = "hooks/migrate.sh"
        del shop["bind"]["global.imageRegistry"]  # it goes by the node's mirror
        shop["health"][1]["http"] = f"http://shop-api.{self.namespace}/healthz"
        helms = [database, shop, {**portal, "health": [{"deployment": "portal"}]}]
        document["releases"] = [{**helm, "namespace": self.namespace} for helm in helms]
        document["registry"] = {"image": self.registry_image, "namespace": f"{self.namespace}-registry"}
        if self.applier:
            document["applier"] = {
                "image": APPLIER,
                "namespace": f"{self.namespace}-applier",
                "storage": "2Gi",
            }
            document["images"]["sources"]["registry.example.com/airstore/*"] = "oci:./applier"
        return document

    def write_site_file(self) -> None:
        """The site's own file."""
        registry = {"host": self.host, "storageClass": self.namespace, "accessMode": "ReadWriteMany"}
        document = {
            "apiVersion": "airstore/v1",
            "kind": "Site",
            "registry": {**registry, "storage": "1Gi"},
            "vars": {"storageClass": "local", "hostname": "shop.example.com"},
        }
        (self.site.path / "site.yaml").write_text(yamlfile.dump(document))

    def run(self, *words: str | Path, code: int = 0) -> Result:
        """An airstore command at the site."""
        return self.site(*words, code=code, variables={"KUBECONFIG": str(self.cluster.kubeconfig)})

    def configure_node(self, *words: str) -> None:
        """Give the node the files of ``mirror-config``."""
        files = self.directory / f"node{len(words)}"
        self.run("registry", "mirror-config", "--runtime", "containerd", "--out", files, *words)
        self.cluster.configure(files)

    def get(self, *words: str) -> Any:
        """What ``kubectl get`` says in the shop's namespace."""
        return self.cluster.json("-n", self.namespace, "get", *words)

    def charts(self) -> dict[str, str]:
        """Helm release to its newest revision's status, from Helm's own Secrets."""
        newest: dict[str, tuple[int, str]] = {}
        for each in self.get("secret", "-l", "owner=helm")["items"]:
            label = each["metadata"]["labels"]
            found = (int(label["version"]), label["status"])
            newest[label["name"]] = max(newest.get(label["name"], (0, "")), found)
        return {name: status for name, (_, status) in newest.items()}

    def images(self) -> dict[str, str]:
        """Image of each ready container, as the pod names it, to its digest, as the kubelet reports it.

        Pods of Jobs are left out: whether one runs is a matter of the minute.
        """
        found = {}
        for pod in self.get("pods")["items"]:
            owners = {each["kind"] for each in pod["metadata"].get("ownerReferences", ())}
            if "deletionTimestamp" in pod["metadata"] or "Job" in owners:
                continue
            for container, status in zip(
                pod["spec"]["containers"], pod["status"].get("containerStatuses", ()), strict=False
            ):
                if status["ready"]:
                    found[container["image"]] = status["imageID"].partition("@")[2]
        return found

    def pulled(self) -> str:
        """What kubelets say that they have pulled."""
        return "\n".join(
            each["message"] for each in self.get("events")["items"] if each["reason"] == "Pulled"
        )

    def upstream(self, image: str) -> str:
        """What the publisher calls an image that a pod names."""
        return f"{UPSTREAM}/{image.partition('@')[0].partition('/')[2]}"

    def table(self) -> str:
        """What the database holds."""
        words = ("exec", "-n", self.namespace, "db-0", "--", "/bin/busybox", "cat", "/data/table")
        return self.cluster.kubectl(*words).strip()

    def replicas(self) -> dict[str, int]:
        """Deployment to its replicas."""
        return {
            each["metadata"]["name"]: each["spec"]["replicas"] for each in self.get("deployment")["items"]
        }


@contextmanager
def open_shop(
    cluster: RealCluster,
    directory: Path,
    helm: Path,
    registry: Path,
    namespace: str,
    *,
    applier: bool = False,
) -> Iterator[Shop]:
    """A shop with release 1.0.0 at its site; something answers at its registry's host once there is one."""
    (directory / "home").mkdir()
    airstore = Airstore(directory / "home", helm)
    (port,) = free_ports(1)
    publisher, target = Store(airstore, directory / "publisher"), Store(airstore, directory / "site")
    shop = Shop(cluster, directory, publisher, target, namespace, f"localhost:{port}", registry, applier)
    product = directory / "product"
    shutil.copytree(ROOT / "fixtures" / "shop", product)
    airstore("init", publisher.path, "--product", product / "airstore.yaml")
    publisher("key", "generate", "release")
    if applier:
        applier_image.build(product / "applier", APPLIER, plain=True)
    shop.release("1.0.0")
    shop.write_site_file()
    for document in volume(namespace, directory / "volume"):
        cluster.kubectl("apply", "-f", "-", stdin=document)
    try:
        with ingress_controller(cluster.kubectl, f"{namespace}-registry", "registry", port, directory):
            yield shop
    finally:
        _clean(shop)


def _clean(shop: Shop) -> None:
    for host in (shop.host, UPSTREAM):
        shop.cluster.forget(host)
    names = tuple(f"{shop.namespace}{part}" for part in ("", "-registry", "-applier"))
    shop.cluster.kubectl("delete", "namespace", *names, "--ignore-not-found", "--wait=false")
    shop.cluster.kubectl("delete", f"pv/{shop.namespace}", f"storageclass/{shop.namespace}", "--wait=false")
    shop.cluster.kubectl("label", "nodes", "--all", "primary-registry-")
