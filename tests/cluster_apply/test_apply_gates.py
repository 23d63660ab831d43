"""Health gates on objects of any kind decide whether an upgrade stays, and `status` shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.kubernetes.apply_parts import Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer
from tests.support.product.e2e_road import carry, site

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

_CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "name": "web-config"}


def release(shop: Landscape, version: str, gate: dict[str, Any]) -> None:
    """A release whose second Helm release has a gate."""
    shop.write({"db": "1.0.0", "web": version}, timeout="8s")
    path = shop.directory / "product" / "airstore.yaml"
    product = json.loads(path.read_text())
    product["releases"][1]["health"] = [gate]
    path.write_text(json.dumps(product))
    shop.publisher("release", "create", "--version", version)
    if (shop.site.path / "airstore.json").exists():
        carry(shop.publisher, shop.site, shop.directory, version)
    else:
        site(shop.publisher, shop.directory, version)


def test_a_gate_that_does_not_hold_turns_the_upgrade_back(
    api: ApiServer, tmp_path: Path, helm4: Path, namespace: str
) -> None:
    shop = landscape(api, tmp_path, helm4, namespace)
    gate = {"resource": _CONFIG, "jsonPath": "{.data.version}", "equals": "1.0.0"}
    release(shop, "1.0.0", gate)
    shop.run("apply")
    assert shop.run("status", "-o", "json").json["good"] is True
    release(shop, "1.1.0", gate)
    failed = shop.run("apply", code=50).err
    assert f"{namespace}/web is not healthy after 8s: ConfigMap web-config: " in failed
    assert "{.data.version} is '1.1.0'; '1.0.0' is awaited" in failed
    assert "s left; " in failed, "it was shown while it was waited for"
    assert [shop.config(name) for name in ("db", "web")] == ["1.0.0", "1.0.0"]
    api.kubectl("patch", "configmap", "web-config", "-n", namespace, "-p", '{"data": {"version": "2"}}')
    seen = shop.run("status", "-o", "json", code=61).json["releases"]
    (web,) = [each for each in seen if each["name"] == "web"]
    assert web["health"] == [
        f"ConfigMap {namespace}/web-config: {{.data.version}} is '2'; '1.0.0' is awaited"
    ]
