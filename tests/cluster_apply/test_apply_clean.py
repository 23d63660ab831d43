"""Every chart of ``fixtures/``: after a clean apply nothing has drifted, and the next apply changes nothing.

State is what kubectl says, Helm's records included, before and after. Pods are made by Kubernetes' own
controllers; what runs in them is tried on the real cluster.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airstore.core.parsing import yamlfile
from scripts.images import fixture_images
from tests.support.kubernetes.apply_binder import binder
from tests.support.kubernetes.cluster_server import ApiServer, api_server, programs
from tests.support.night import bakery
from tests.support.night.cluster_pods import paper_cluster
from tests.support.product.e2e_road import Airstore, Store, carry, site

pytestmark = [pytest.mark.cluster, pytest.mark.root, pytest.mark.timeout(600)]

FIXTURES = Path(__file__).parents[2] / "fixtures"
_KINDS = "secret,configmap,service,pvc,deployment,statefulset,replicaset,cronjob,job,pod,ingress,pdb"
SITE_FILE = """apiVersion: airstore/v1
kind: Site
registry: {host: registry.example.com, mode: external}
vars: {storageClass: "", hostname: shop.example.com}
"""
_NO_REGISTRY = ("--no-push", "--no-check-images")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server of its own: the controllers of this module would be in other tests' way."""
    found = programs()
    assert found, "etcd and kube-apiserver are not on PATH: run scripts/cluster build"
    with (
        api_server(tmp_path_factory.mktemp("clean"), *found) as server,
        binder(server),
        paper_cluster(server),
    ):
        yield server


def shop(product: Path, namespace: str, version: str) -> Path:
    """The shop, with the subchart that its small variant leaves out."""
    shutil.copytree(FIXTURES / "shop", product, dirs_exist_ok=True)
    if version == "1.1.0":
        shutil.copytree(FIXTURES / "shop-1.1", product, dirs_exist_ok=True)
    fixture_images.build(product / "build" / "images", fixture_images.read_list(product / "images.txt"))
    path = product / "airstore.yaml"
    document = yamlfile.load(path.read_bytes(), path.name)
    document["name"] = namespace
    for release in document["releases"]:
        release["namespace"] = namespace
        release["timeout"] = "60s"
        release["health"] = [gate for gate in release["health"] if "http" not in gate]  # nothing answers
    document["releases"][1]["values"] = ["values/large.yaml"]
    path.write_text(yamlfile.dump(document))
    return path


def make_bakery(product: Path, namespace: str, version: str) -> Path:
    changes = bakery.EVERY if version == "1.1.0" else {}
    return bakery.write(product, namespace, version, changes)


PRODUCTS: dict[str, Callable[[Path, str, str], Path]] = {"shop": shop, "bakery": make_bakery}
CHARTS = {"shop": {"db", "shop", "cache"}, "bakery": set(bakery.HELM_RELEASES)}
# Their backups are made in running pods.
DATABASES = {"shop": "db", "bakery": "database"}


def test_no_chart_of_the_fixtures_is_left_out() -> None:
    charts: dict[str, set[str]] = {}
    for path in FIXTURES.rglob("Chart.yaml"):
        product = path.relative_to(FIXTURES).parts[0].partition("-")[0]
        charts.setdefault(product, set()).add(path.parent.name)
    assert charts == CHARTS


@dataclass(frozen=True)
class Site:
    """A publisher, its product and a site."""

    api: ApiServer
    directory: Path
    publisher: Store
    store: Store
    namespace: str

    def run(self, *words: str) -> str:
        result = self.store(*words, "--kubeconfig", self.api.kubeconfig)
        return result.out

    def versions(self) -> dict[str, str]:
        """Resource version of every object, Helm's records among them; one that stays was not touched.

        What a CronJob does when its time has come, and writes into its status, is nobody's change.
        """
        listed = self.api.json("get", _KINDS, "-n", self.namespace)["items"]
        due = {each["metadata"]["name"] for each in listed if _owner(each) == "CronJob"}
        return {
            f"{each['kind']}/{name}": each["metadata"][
                "generation" if each["kind"] == "CronJob" else "resourceVersion"
            ]
            for each in listed
            if not {name := each["metadata"]["name"], name.rpartition("-")[0]} & due
        }


def _owner(item: Mapping[str, Any]) -> str | None:
    """The kind of what made it."""
    owners = item["metadata"].get("ownerReferences") or [{}]
    kind: str | None = owners[0].get("kind")
    return kind


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_clean_apply_leaves_no_drift_and_a_second_one_changes_nothing(
    api: ApiServer, tmp_path: Path, helm: Path, name: str
) -> None:
    product, namespace = tmp_path / "product", f"{name}-{helm.name}"
    (tmp_path / "home").mkdir()
    airstore = Airstore(tmp_path / "home", helm)
    source = Store(airstore, tmp_path / "publisher")
    airstore("init", source.path, "--product", PRODUCTS[name](product, namespace, "1.0.0"))
    source("key", "generate", "release")
    source("release", "create", "--version", "1.0.0")
    made = Site(api, tmp_path, source, site(source, tmp_path, "1.0.0"), namespace)
    (made.store.path / "site.yaml").write_text(SITE_FILE)
    check(made, "install")
    PRODUCTS[name](product, namespace, "1.1.0")
    source("release", "create", "--version", "1.1.0")
    carry(source, made.store, tmp_path, "1.1.0")
    check(made, "change", "--skip-backup", DATABASES[name], "--yes")


def check(made: Site, action: str, *words: str) -> None:
    """Apply; then look, and apply once more."""
    planned = json.loads(made.run("apply", "--dry-run", "-o", "json", *_NO_REGISTRY))["steps"]
    assert action in {step["action"] for step in planned}
    made.run("apply", *_NO_REGISTRY, *words)
    before = made.versions()
    assert any(name.startswith("Pod/") for name in before)
    seen = json.loads(made.run("status", "-o", "json"))
    assert {each["name"]: each["drift"] for each in seen["releases"] if each["drift"]} == {}
    assert seen["condition"] == "good"
    again = json.loads(made.run("apply", "--dry-run", "-o", "json", *_NO_REGISTRY))["steps"]
    assert {step["action"] for step in again} == {"unchanged"}
    assert "nothing to do" in made.run("apply", *_NO_REGISTRY)
    assert made.versions() == before
