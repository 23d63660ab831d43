"""What others own of an object, by fields that no chart has, stays theirs after an apply and a rollback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.kubernetes.apply_parts import Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

TEAM = "platform-team"
SERVICE = """apiVersion: v1
kind: Service
metadata: {name: web, labels: {version: {{ .Chart.Version | quote }}}}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
"""


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm: Path, namespace: str) -> Landscape:
    """Release 1.0.0 runs, and a team has added to its objects."""
    made = landscape(api, tmp_path, helm, namespace)
    release(made, "1.0.0")
    made.run("apply")
    for kind, name, fields in (
        ("ConfigMap", "web-config", {"data": {"motd": "hello"}}),
        ("Service", "web", {"spec": {"ports": [{"name": "metrics", "port": 9100, "protocol": "TCP"}]}}),
    ):
        metadata = {"name": name, "labels": {"team": "7"}, "annotations": {"cost": "low"}}
        document = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}
        words = ("apply", "-n", namespace, "--server-side", f"--field-manager={TEAM}", "-f", "-")
        api.kubectl(*words, stdin=document)
    return made


def release(shop: Landscape, version: str) -> None:
    shop.release(version, {"db": version, "web": version}, {"web": {"templates/service.yaml": SERVICE}})


def theirs(shop: Landscape) -> list[dict[str, Any]]:
    """What the team's fields say, and that they are the team's."""
    found = []
    for kind, name in (("configmap", "web-config"), ("service", "web")):
        live = shop.api.json("get", kind, name, "-n", shop.namespace, "--show-managed-fields")
        owned = [each["fieldsV1"] for each in live["metadata"]["managedFields"] if each["manager"] == TEAM]
        metadata = {key: live["metadata"][key] for key in ("labels", "annotations")}
        said = metadata["labels"]["team"], metadata["annotations"]["cost"], live.get("data", {}).get("motd")
        ports = [each["name"] for each in live.get("spec", {}).get("ports", ())]
        found.append({"owned": owned, "said": said, "ports": ports})
    return found


def test_other_peoples_fields_survive(shop: Landscape) -> None:
    before = theirs(shop)
    assert before[0]["owned"]
    assert before[1]["ports"] == ["http", "metrics"]
    shop.run("status")  # what others added is no drift
    release(shop, "1.1.0")
    shop.run("apply")
    assert shop.config("web") == "1.1.0"
    assert theirs(shop) == before
    shop.run("rollback")
    assert shop.config("web") == "1.0.0"
    assert theirs(shop) == before
    words = ("patch", "configmap", "web-config", "--type=merge", "-p", '{"data":{"version":"by hand"}}')
    shop.api.kubectl("-n", shop.namespace, *words)
    shop.run("apply", "--release", "1.0.0", "--repair")
    assert shop.config("web") == "1.0.0"
    assert theirs(shop) == before
