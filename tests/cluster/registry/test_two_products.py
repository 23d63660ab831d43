"""Two products in the real cluster: the second one is refused, then shares the registry of the first one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.images import fixture_images
from tests.support.kubernetes.cluster_site import API, write_site_file
from tests.support.kubernetes.cluster_world import World
from tests.support.product.e2e_road import Result, Store, carry, publisher, site

pytestmark = [pytest.mark.cluster, pytest.mark.root, pytest.mark.timeout(900)]
PAGE = "registry.example.com/bank/page:1.0.0"
_CHART = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: page}}
spec:
  selector: {{matchLabels: {{app: page}}}}
  template:
    metadata: {{labels: {{app: page, version: v{0}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{{name: page, image: "{1}"}}]
"""


@dataclass(frozen=True)
class Bank:
    """The second product: a publisher, and its own store at the same site."""

    world: World
    publisher: Store
    store: Store
    directory: Path

    @property
    def namespace(self) -> str:
        return f"{self.world.namespace}-bank"

    def __call__(self, *words: str | Path, code: int = 0) -> Result:
        return self.store(*words, code=code, variables=self.world.variables())

    def release(self, version: str) -> None:
        write_chart(self.directory / "product", version)
        self.publisher("release", "create", "--version", version)
        carry(self.publisher, self.store, self.directory, version)

    def version(self) -> str:
        """What runs, and is ready."""
        found = self.world.cluster.json("get", "deployment", "page", "-n", self.namespace)
        assert found["status"]["readyReplicas"] == 1
        return str(found["spec"]["template"]["metadata"]["labels"]["version"])


def write_chart(product: Path, version: str) -> None:
    chart = product / "web"
    (chart / "templates").mkdir(parents=True, exist_ok=True)
    (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: web\nversion: {version}\n")
    (chart / "templates" / "page.yaml").write_text(_CHART.format(version, PAGE))


@pytest.fixture
def bank(world: World, docker_registry: Path) -> Iterator[Bank]:
    directory = world.directory / "bank"
    product = directory / "product"
    product.mkdir(parents=True)
    registry = f"registry.example.com/bank/registry:{world.namespace}"
    fixture_images.build(product / "images", [registry, PAGE], registry=docker_registry, plain=True)
    write_chart(product, "1.0.0")
    helm = {"name": "web", "namespace": f"{world.namespace}-bank", "chart": "web", "references": "rewrite"}
    document: dict[str, Any] = {
        "name": "bank",
        "charts": [{"name": "web", "source": "./web"}],
        "releases": [{**helm, "health": [{"deployment": "page"}]}],
        "images": {"include": [registry], "sources": {"*": "oci:images"}},
        "registry": {"image": registry},
    }
    source = publisher(world.store.airstore, directory, document)
    source("release", "create", "--version", "1.0.0")
    made = Bank(world, source, site(source, directory, "1.0.0", effort="fast"), directory)
    write_site_file(
        made.store, mode="cluster", host=world.host, namespace=world.namespace, storageClass=world.namespace
    )
    yield made
    world.cluster.kubectl("delete", "namespace", made.namespace, "--ignore-not-found", "--wait=false")


def owners(world: World) -> dict[str, str]:
    """Version of everything that the owner's bootstrap made, and what is in its store."""
    kinds = "secrets,persistentvolumeclaims,services,ingresses,serviceaccounts"
    items = world.cluster.json("get", kinds, "-n", world.namespace)["items"]
    found = {f"{i['kind']}/{i['metadata']['name']}": i["metadata"]["resourceVersion"] for i in items}
    files = [path for path in (world.store.path / "registry").iterdir() if path.is_file()]
    generation = str(world.deployment()["metadata"]["generation"])
    return {**found, **{path.name: path.read_bytes().hex() for path in files}, "Deployment": generation}


def test_a_second_product_is_refused_and_then_shares_the_registry(world: World, bank: Bank) -> None:
    _is_refused(world, bank)
    before = owners(world)
    _joins_applies_and_goes_back(world, bank)
    _does_not_move_the_others_tags(world, bank)
    assert owners(world) == before
    world("push")
    world.bootstrap()
    assert owners(world) == before
    assert world.missing(API) == set()
    _follows_new_passwords(world, bank)


def _is_refused(world: World, bank: Bank) -> None:
    world.configure_node()
    world.bootstrap()
    world("push")
    before = owners(world)
    socket = ("--containerd-socket", world.cluster.socket)
    said = bank("registry", "bootstrap", *socket, code=2).err
    assert f"namespace {world.namespace} belongs to product shop, not to bank" in said
    assert "registry bootstrap --share" in said
    assert "registry.namespace" in said
    assert owners(world) == before
    assert not (bank.store.path / "registry").exists()


def _joins_applies_and_goes_back(world: World, bank: Bank) -> None:
    bank("registry", "bootstrap", "--share", "--dry-run")
    assert not (bank.store.path / "registry").exists()
    assert "of product shop" in bank("registry", "bootstrap", "--share").err
    # With a file, as for somebody who may not read the registry's Secrets: the same passwords.
    file = world.directory / "access.json"
    world("export-access", file)
    shared = bank.store.path / "registry" / "shared.json"
    read = shared.read_bytes()
    shared.unlink()
    bank("registry", "bootstrap", "--share", "--access", file)
    assert shared.read_bytes() == read
    assert shared.stat().st_mode & 0o777 == 0o600
    passwords = json.loads(read)["passwords"]
    world.store.airstore.never_said(passwords["pull"], passwords["push"])

    bank("apply", "--release", "1.0.0")
    assert bank.version() == "v1.0.0"
    bank.release("1.1.0")
    bank("apply")
    assert bank.version() == "v1.1.0"
    bank("rollback", "--yes")
    assert bank.version() == "v1.0.0"


def _does_not_move_the_others_tags(world: World, bank: Bank) -> None:
    """Both products bring an image of one name, and not the same one."""
    tag = "/v2/shop/api/manifests/1.0.0"
    before = world.fetch(tag, "pull")
    product = bank.directory / "product"
    fixture_images.build(product / "other", [API], size=1)
    document = json.loads((product / "airstore.yaml").read_text())
    document["images"]["include"].append(API)
    document["images"]["sources"] = {API: "oci:other", "*": "oci:images"}
    (product / "airstore.yaml").write_text(json.dumps(document))
    bank.release("1.2.0")
    said = bank("registry", "push", code=2).err
    assert "shop/api:1.0.0" in said
    assert "nothing was pushed" in said
    assert world.fetch(tag, "pull") == before


def _follows_new_passwords(world: World, bank: Bank) -> None:
    (world.store.path / "registry" / "credentials.json").unlink()
    world.configure_node()
    world.bootstrap()
    said = bank("registry", "push", "--release", "1.1.0", code=40).err
    assert "product shop has changed its registry's passwords" in said
    assert "registry bootstrap --share" in said
    bank("registry", "bootstrap", "--share")
    bank("registry", "push", "--release", "1.1.0")
