"""The whole road on a cluster that runs pods: install, upgrade, a failure in the third release, and back.

Images come out of the registry that the site serves from its store; the database is a file in a volume.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fixture_images
import pytest
from cluster_server import free_ports
from cluster_site import RealCluster, find_cluster
from e2e_road import Airstore, Result, Store, carry, site
from e2e_world import served

from airstore.core import yamlfile

pytestmark = [pytest.mark.cluster, pytest.mark.root, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
_numbers = itertools.count()
_PORTAL = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: portal}}
spec:
  selector: {{matchLabels: {{app: portal}}}}
  template:
    metadata: {{labels: {{app: portal}}}}
    spec:
      containers:
        - name: portal
          image: "{{{{ .Values.global.imageRegistry }}}}/shop/worker:1.0.0"
          command: [/bin/busybox, sh, -c, "{command}"]
"""
_RUNS = "exec /bin/busybox sleep 2147483647"
_MIGRATE = """#!/bin/sh
set -eu
kubectl exec -n "$AIRSTORE_NAMESPACE" "$AIRSTORE_RELEASE-0" -- \\
  /bin/busybox sh -c "echo rows of $AIRSTORE_VERSION > /data/table"
"""


@dataclass
class Shop:
    """A publisher of the shop fixture with a third Helm release, and a site."""

    cluster: RealCluster
    directory: Path
    publisher: Store
    site: Store
    namespace: str

    def release(self, version: str, portal: str = _RUNS) -> None:
        """Make a release; every chart changes with its version."""
        product = self.directory / "product"
        shutil.copytree(ROOT / "fixtures" / "shop", product, dirs_exist_ok=True)
        if version != "1.0.0":
            shutil.copytree(ROOT / "fixtures" / "shop-1.1", product, dirs_exist_ok=True)
        write_product(product, self.namespace, version, portal)
        references = {*fixture_images.read_list(), *fixture_images.read_list(product / "images.txt")}
        fixture_images.build(product / "build" / "images", sorted(references))
        self.publisher("release", "create", "--version", version)
        if (self.site.path / "airstore.json").exists():
            carry(self.publisher, self.site, self.directory, version)
        else:
            site(self.publisher, self.directory, version)

    def run(self, *words: str | Path, code: int = 0) -> Result:
        return self.site(*words, "--kubeconfig", self.cluster.kubeconfig, code=code)

    def get(self, *words: str) -> Any:
        return self.cluster.json("-n", self.namespace, "get", *words)

    def versions(self) -> dict[str, str]:
        """Helm release to its chart and status, from Helm's own Secrets."""
        labels = {
            each["metadata"]["name"]: each["metadata"]["labels"] for each in self.get("secret")["items"]
        }
        newest: dict[str, tuple[int, str]] = {}
        for label in labels.values():
            if label.get("owner") == "helm":
                found = (int(label["version"]), label["status"])
                newest[label["name"]] = max(newest.get(label["name"], (0, "")), found)
        return {name: status for name, (_, status) in newest.items()}

    def images(self) -> dict[str, str]:
        """Image of each running container to its digest, as the kubelet reports it."""
        found = {}
        staying = (pod for pod in self.get("pods")["items"] if "deletionTimestamp" not in pod["metadata"])
        for pod in staying:
            for status in pod["status"].get("containerStatuses", ()):
                if status["ready"]:
                    found[pod["spec"]["containers"][0]["image"]] = status["imageID"].partition("@")[2]
        return found

    def table(self) -> str:
        """What the database holds."""
        words = ("exec", "-n", self.namespace, "db-0", "--", "/bin/busybox", "cat", "/data/table")
        return self.cluster.kubectl(*words).strip()


def write_product(product: Path, namespace: str, version: str, portal: str) -> None:
    """The fixture's product file with a third release, another namespace, and a hook that migrates."""
    (product / "hooks" / "migrate.sh").write_text(_MIGRATE)
    chart = product / "charts" / "portal"
    (chart / "templates").mkdir(parents=True, exist_ok=True)
    (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: portal\nversion: {version}\n")
    (chart / "values.yaml").write_text("global: {imageRegistry: registry.example.com}\n")
    (chart / "templates" / "deployment.yaml").write_text(_PORTAL.format(command=portal))
    database = product / "charts" / "db" / "templates" / "version.yaml"
    database.write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: db-version}}\ndata: {{v: {version}}}\n"
    )
    document = yamlfile.load((product / "airstore.yaml").read_bytes(), "airstore.yaml")
    document["charts"].append({"name": "portal", "source": "./charts/portal"})
    bind = {"global.imageRegistry": "registry.host"}
    more = {"name": "portal", "namespace": namespace, "chart": "portal", "needs": ["shop"], "bind": bind}
    document["releases"].append({**more, "timeout": "20s", "health": [{"deployment": "portal"}]})
    for helm in document["releases"]:
        helm["namespace"] = namespace
        for gate in helm.get("health", ()):
            if "http" in gate:
                gate["http"] = f"http://shop-api.{namespace}/healthz"
    document["releases"][0]["hooks"]["postUpgrade"] = "hooks/migrate.sh"
    (product / "airstore.yaml").write_text(yamlfile.dump(document))


@pytest.fixture
def shop(tmp_path: Path, helm: Path) -> Iterator[Shop]:
    cluster = find_cluster()
    if not cluster:
        pytest.skip("no cluster runs: scripts/cluster up")
    (tmp_path / "home").mkdir()
    airstore = Airstore(tmp_path / "home", helm)
    namespace = f"shop-{os.getpid()}-{next(_numbers)}"
    made = Shop(
        cluster,
        tmp_path,
        Store(airstore, tmp_path / "publisher"),
        Store(airstore, tmp_path / "site"),
        namespace,
    )
    product = tmp_path / "product"
    shutil.copytree(ROOT / "fixtures" / "shop", product)
    write_product(product, namespace, "1.0.0", _RUNS)
    airstore("init", made.publisher.path, "--product", product / "airstore.yaml")
    made.publisher("key", "generate", "release")
    made.release("1.0.0")
    (port,) = free_ports(1)
    host = f"127.0.0.1:{port}"
    document = {
        "apiVersion": "airstore/v1",
        "kind": "Site",
        "registry": {"mode": "serve", "host": host},
        "vars": {"storageClass": "local", "hostname": "shop.example.com"},
    }
    (made.site.path / "site.yaml").write_text(yamlfile.dump(document))
    hosts = cluster.hosts / host
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(f'server = "http://{host}"\n')
    try:
        with served(made.site, "--listen", host):
            yield made
    finally:
        cluster.forget(host)
        cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")


def apply(shop: Shop, code: int = 0) -> Result:
    host = yamlfile.load((shop.site.path / "site.yaml").read_bytes(), "")["registry"]["host"]
    return shop.run("apply", "--plain-http", host, code=code)


def test_install_upgrade_failure_rollback_uninstall(shop: Shop) -> None:
    apply(shop)
    assert shop.table() == "rows of 1.0.0"
    assert shop.versions() == dict.fromkeys(("db", "shop", "portal"), "deployed")
    published = {digest for version in ("1.0.0",) for digest in shop.publisher.images(version).values()}
    old = shop.images()
    assert set(old.values()) <= published
    assert len(old) == 3
    assert all(not each["drift"] for each in shop.run("status", "-o", "json").json["releases"])

    shop.release("1.1.0", portal="exit 1")
    failed = apply(shop, code=50)
    assert "portal" in failed.err
    assert shop.images() == old
    assert shop.table() == "rows of 1.0.0"
    assert shop.get("configmap", "db-version")["data"]["v"] == "1.0.0"
    assert shop.versions() == dict.fromkeys(("db", "shop", "portal"), "deployed")
    replicas = {
        each["metadata"]["name"]: each["spec"]["replicas"] for each in shop.get("deployment")["items"]
    }
    assert replicas == {"shop-api": 1, "portal": 1}

    shop.release("1.2.0")
    apply(shop)
    assert shop.table() == "rows of 1.2.0"
    assert set(shop.images().values()) <= set(shop.publisher.images("1.2.0").values())
    assert shop.images() != old

    shop.run("rollback")
    assert shop.images() == old
    assert shop.table() == "rows of 1.0.0"
    shop.run("uninstall")
    assert shop.versions() == {}
    claims = {each["metadata"]["name"] for each in shop.get("pvc")["items"]}
    assert claims == {"data-db-0", "shop-data"}
