"""The applier beside a registry in the cluster: it is pulled from it, and asks it by its Service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubernetes.applier_world import give_volume
from tests.support.kubernetes.cluster_shop import HELM_RELEASES, Shop, open_shop
from tests.support.kubernetes.cluster_site import RealCluster

pytestmark = [pytest.mark.cluster, pytest.mark.root, pytest.mark.timeout(900)]


@pytest.fixture
def shop(cluster: RealCluster, tmp_path: Path, helm4: Path, docker_registry: Path) -> Iterator[Shop]:
    namespace = f"shop-{os.getpid()}-applier"
    with open_shop(cluster, tmp_path, helm4, docker_registry, namespace, applier=True) as made:
        yield made
    name = "airstore-applier-shop"
    cluster.kubectl("delete", f"clusterrole/{name}", f"clusterrolebinding/{name}", "--ignore-not-found")
    for kind in ("role", "rolebinding"):
        cluster.kubectl("delete", kind, "-n", "airstore", "applier-shop", "--ignore-not-found")


def test_from_media_to_a_product_that_an_applier_in_the_cluster_installs(shop: Shop) -> None:
    shop.configure_node()
    shop.run("registry", "bootstrap", "--containerd-socket", str(shop.cluster.socket))
    shop.configure_node("--credentials")
    shop.run("registry", "push")
    give_volume(shop.cluster, shop.run("applier", "manifests", "-o", "json").json["items"])
    assert shop.run("applier", "install", "-o", "json").json["store"] == "sent"
    said = shop.run("applier", "run", "--", "apply")
    assert f"pushed 1.0.0 to {shop.host}: 0 blobs were missing" in said.out
    assert shop.charts() == dict.fromkeys(HELM_RELEASES, "deployed")
    assert shop.table() == "rows of 1.0.0"
    published = shop.publisher.images("1.0.0")
    assert shop.images() == {image: published[shop.upstream(image)] for image in shop.images()}
    assert len(shop.images()) == len(HELM_RELEASES)
    # The store outside is not the one that applies any more.
    assert "applier run" in shop.run("apply", code=2).err
