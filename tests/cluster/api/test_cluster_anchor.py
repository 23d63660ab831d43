"""A site's anchor in a ConfigMap of a real API server."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.kubernetes.cluster_server import ApiServer
from tests.support.product.road_parts import Road, airstore, done

pytestmark = [pytest.mark.cluster, pytest.mark.root]


def test_a_config_map_notices_a_restored_snapshot(
    api: ApiServer, namespace: str, road: Road, tmp_path: Path
) -> None:
    site, snapshot = tmp_path / "site", tmp_path / "snapshot"
    root, env = road.publisher / "trust" / "root.json", {"KUBECONFIG": str(api.kubeconfig)}
    place = f"configmap:{namespace}/airstore-anchor"
    made = airstore("init", site, "--site", "acme", "--trust", root, "--anchor", place, env=env)
    assert made.code == 0, made
    assert airstore("-C", site, "media", "import", road.full, env=env).code == 0
    shutil.copytree(site, snapshot)
    assert airstore("-C", site, "media", "import", road.delta, env=env).code == 0
    kept = api.json("get", "configmap", "airstore-anchor", "-n", namespace)["data"]["mark.json"]
    assert '"sequence": 2' in kept
    shutil.rmtree(site)
    snapshot.rename(site)
    refused = airstore("-C", site, "plan", env=env)
    assert refused.code == 31
    assert "sequence 2 was trusted, here it is 1" in refused.err
    away = airstore("-C", site, "media", "import", road.delta, env={"KUBECONFIG": str(tmp_path / "none")})
    assert away.code == 10, away  # whoever cannot ask it is not let by
    assert airstore("-C", site, "media", "import", road.delta, env=env).code == 0
    assert airstore("-C", site, "check", env=env).code == 0
    api.kubectl("delete", "configmap", "airstore-anchor", "-n", namespace)
    gone = airstore("-C", site, "plan", env=env)
    assert gone.code == 30
    assert "is gone" in gone.err


def test_an_anchor_in_a_cluster_that_is_not_there_makes_no_store(road: Road, tmp_path: Path) -> None:
    root = road.publisher / "trust" / "root.json"
    words = ("init", tmp_path / "site", "--site", "a", "--trust", root, "--anchor", "configmap:a/b")
    refused = airstore(*words, env={"KUBECONFIG": str(tmp_path / "none")})
    assert refused.code == 10
    assert not (tmp_path / "site" / "airstore.json").exists()
    done("init", tmp_path / "site", "--site", "a", "--trust", root)
