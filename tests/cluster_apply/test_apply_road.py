"""From media alone, on a cluster that runs pods: registry, install, upgrade, a failure and the rollback.

The state is what kubectl, Helm's own Secrets and the kubelet say. The database is a file in a volume.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airstore.tls.certificates import create_authority
from tests.support.kubernetes.cluster_shop import HELM_RELEASES, NOTICE, UPSTREAM, Shop, open_shop
from tests.support.kubernetes.cluster_site import RealCluster

pytestmark = [pytest.mark.cluster, pytest.mark.root, pytest.mark.timeout(900)]

_numbers = itertools.count()
DEPLOYED = dict.fromkeys(HELM_RELEASES, "deployed")


@pytest.fixture
def shop(cluster: RealCluster, tmp_path: Path, helm: Path, docker_registry: Path) -> Iterator[Shop]:
    namespace = f"shop-{os.getpid()}-{next(_numbers)}"
    with open_shop(cluster, tmp_path, helm, docker_registry, namespace) as made:
        yield made


def check_images(shop: Shop, version: str) -> dict[str, str]:
    """Every container runs the very image that the publisher has; returns them."""
    running, published = shop.images(), shop.publisher.images(version)
    assert running == {image: published[shop.upstream(image)] for image in running}
    # One by a binding, one by the mirror, one rewritten and pinned.
    database, portal = f"{shop.host}/shop/db:15.2.0", f"{shop.host}/shop/worker:1.0.0"
    api = f"{UPSTREAM}/shop/api:{version if version == '1.0.0' else '1.1.0'}"
    pinned = f"{portal}@{published[f'{UPSTREAM}/shop/worker:1.0.0']}"
    assert set(running) == {database, api, pinned}
    return running


def check_that_a_node_that_cannot_pull_stops_it(shop: Shop) -> None:
    """The node does not trust the registry: pods of a probe say so, nothing is changed."""
    trusted = shop.cluster.hosts / shop.host / "ca.pem"
    right = trusted.read_bytes()
    trusted.write_bytes(create_authority("somebody else", dt.datetime.now(dt.UTC)).certificate)
    failed = shop.run("apply", code=50).err
    assert "nothing was changed" in failed
    assert "cannot pull" in failed
    assert "x509" in failed
    assert shop.charts() == {}
    assert "pull-probe" not in shop.cluster.kubectl("get", "pods", "-n", "airstore", "-o", "name")
    trusted.write_bytes(right)


def test_bootstrap_install_upgrade_failure_rollback_uninstall(shop: Shop) -> None:
    shop.configure_node()
    shop.run("registry", "bootstrap", "--containerd-socket", str(shop.cluster.socket))
    shop.configure_node("--credentials")
    check_that_a_node_that_cannot_pull_stops_it(shop)
    shop.run("apply")
    assert shop.table() == "rows of 1.0.0"
    assert shop.charts() == DEPLOYED
    old = check_images(shop, "1.0.0")
    # The Job of a hook, too, gets its image where the Helm release gets its own.
    notice = shop.publisher.images("1.0.0")[NOTICE]
    assert f'"{shop.host}/shop/notice:1.0.0@{notice}"' in shop.pulled()
    assert all(not each["drift"] for each in shop.run("status", "-o", "json").json["releases"])

    shop.release("1.1.0", portal="exit 1")
    failed = shop.run("apply", code=50)
    assert "portal" in failed.err
    assert check_images(shop, "1.0.0") == old
    assert shop.table() == "rows of 1.0.0"
    assert shop.get("configmap", "db-version")["data"]["v"] == "1.0.0"
    assert shop.charts() == DEPLOYED
    assert shop.replicas() == {"shop-api": 1, "portal": 1}

    shop.release("1.2.0")
    shop.run("apply")
    assert shop.table() == "rows of 1.2.0"
    assert check_images(shop, "1.2.0") != old

    shop.run("rollback")
    assert check_images(shop, "1.0.0") == old
    assert shop.table() == "rows of 1.0.0"
    assert shop.charts() == DEPLOYED
    shop.run("uninstall")
    assert shop.charts() == {}
    claims = {each["metadata"]["name"] for each in shop.get("pvc")["items"]}
    assert claims == {"data-db-0", "shop-data"}
