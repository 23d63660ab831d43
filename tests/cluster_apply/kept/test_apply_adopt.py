"""Helm releases that a shell procedure installed are taken over with their data, and can be gone back to."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.kubernetes.apply_parts import REFUSED, Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

_OPEN = """apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-open}
stringData: {password: {{ .Values.given | default (randAlphaNum 24) | quote }}}
"""
CHARTS = {"db": {"templates/open.yaml": _OPEN}, "web": {}}
VERSIONS = dict.fromkeys(CHARTS, "1.0.0")


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm: Path, namespace: str) -> Landscape:
    """A site whose database the procedure installed by hand, and whose release is of the same charts."""
    made = landscape(api, tmp_path, helm, namespace)
    made.release("1.0.0", VERSIONS, CHARTS)
    by_hand(made, "db")
    rows = ("configmap", "database", "-n", namespace, "--from-literal=table=rows of the procedure")
    api.kubectl("create", *rows)
    return made


def by_hand(shop: Landscape, name: str, *more: str) -> None:
    shop.by_hand("upgrade", "--install", name, str(shop.directory / "product" / name), *more)


def objects(shop: Landscape, kind: str) -> dict[str, Any]:
    listed = shop.api.json("get", kind, "-n", shop.namespace)["items"]
    return {each["metadata"]["name"]: each for each in listed}


def password(shop: Landscape) -> str:
    return base64.b64decode(objects(shop, "secret")["db-open"]["data"]["password"]).decode()


def revision(shop: Landscape, name: str) -> tuple[int, str]:
    found = {each["name"]: each for each in json.loads(shop.by_hand("list", "-o", "json"))}
    return int(found[name]["revision"]), found[name]["chart"]


def uids(shop: Landscape) -> dict[str, str]:
    kinds = ("secret", "configmap", "pvc")
    return {
        f"{kind}/{name}": each["metadata"]["uid"]
        for kind in kinds
        for name, each in objects(shop, kind).items()
        if "sh.helm.release" not in name
    }


def test_without_being_asked_nothing_is_adopted_and_nothing_destructive_is_advised(shop: Landscape) -> None:
    refused = shop.run("apply", code=50).err
    assert f"{shop.namespace}/db" in refused
    assert "apply --adopt" in refused
    assert "uninstall" not in refused


def test_what_is_just_the_same_is_adopted_without_being_touched(shop: Landscape) -> None:
    before, old = uids(shop), password(shop)
    steps = {s["name"]: s for s in shop.run("apply", "--adopt", "--dry-run", "-o", "json").json["steps"]}
    assert (steps["db"]["action"], steps["web"]["action"]) == ("unchanged", "install")
    assert "adopted: Helm's revision 1" in steps["db"]["reason"]
    assert shop.site("history", "-o", "json").json == []  # a dry run tells the ledger nothing
    said = shop.run("apply", "--adopt").err
    assert f"adopted {shop.namespace}/db: db-1.0.0, Helm's revision 1" in said
    assert revision(shop, "db") == (1, "db-1.0.0")
    assert password(shop) == old
    assert before.items() <= uids(shop).items()
    assert shop.run("status", "-o", "json").json["condition"] == "good"
    assert "nothing to do" in shop.run("apply").out


def test_an_older_one_is_upgraded_and_a_failure_leads_back_to_it(shop: Landscape) -> None:
    by_hand(shop, "db", "--set", "password=by-hand,given=hunter2-hunter2")
    before, known = uids(shop), revision(shop, "db")
    spoiled = {**CHARTS, "web": {"templates/z.yaml": REFUSED}}
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), spoiled)
    site = {"apiVersion": "airstore/v1", "kind": "Site", "values": {"db": {"given": "hunter2-hunter2"}}}
    (shop.site.path / "site.yaml").write_text(json.dumps(site))
    failed = shop.run("apply", "--adopt", code=50).err
    assert "what was adopted runs again" in failed
    assert revision(shop, "db")[1] == known[1] == "db-1.0.0"
    assert password(shop) == "hunter2-hunter2"
    assert shop.table() == "rows of the procedure"
    assert before.items() <= uids(shop).items()
    values = json.loads(shop.by_hand("get", "values", "db", "-o", "json"))
    assert values == {"password": "by-hand", "given": "hunter2-hunter2"}
    assert objects(shop, "configmap")["db-config"]["data"]["password"] == "by-hand"
    shop.site.airstore.never_said("hunter2-hunter2")
    # It is the product's now, and a release that works brings it up.
    shop.release("1.2.0", dict.fromkeys(CHARTS, "1.2.0"), CHARTS)
    shop.run("apply")
    assert shop.config("db") == "1.2.0"
    # ... and there is a way back to the state before the adoption.
    assert shop.table() == "rows of 1.2.0"
    shop.run("rollback")
    assert shop.table() == "rows of the procedure"
    assert shop.config("db") == "1.0.0"
    assert objects(shop, "configmap")["db-config"]["data"]["password"] == "by-hand"
    assert "web-config" not in objects(shop, "configmap")
    assert shop.run("status", "-o", "json").json["condition"] == "good"


def test_what_helm_left_failed_is_no_state_to_adopt(shop: Landscape) -> None:
    (shop.directory / "product" / "db" / "templates" / "z.yaml").write_text(REFUSED)
    with pytest.raises(AssertionError):
        by_hand(shop, "db")
    refused = shop.run("apply", "--adopt", code=50).err
    assert f"{shop.namespace}/db cannot be adopted: Helm says that it is failed" in refused
    assert shop.site("history", "-o", "json").json == []


def test_uninstalled_then_applied_finds_its_data(shop: Landscape) -> None:
    shop.run("apply", "--adopt")
    old, claims = password(shop), shop.claims()
    shop.run("uninstall")
    assert "db-config" not in objects(shop, "configmap")
    assert password(shop) == old  # it belongs to a volume that stays
    assert shop.claims() == claims
    assert "running: nothing" in shop.run("apply", "--dry-run").out
    shop.run("apply")
    assert password(shop) == old
    assert shop.config("db") == "1.0.0"
    assert shop.run("status", "-o", "json").json["condition"] == "good"


def test_a_password_that_would_be_generated_beside_a_volume_is_said(shop: Landscape) -> None:
    shop.run("apply", "--adopt")
    old = password(shop)
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), CHARTS)
    steps = {s["name"]: s for s in shop.run("apply", "--dry-run", "-o", "json").json["steps"]}
    assert steps["web"]["warnings"] == []
    (warning,) = steps["db"]["warnings"]
    assert "generates password of Secret db-open anew" in warning
    site = {"apiVersion": "airstore/v1", "kind": "Site", "values": {"db": {"given": old}}}
    (shop.site.path / "site.yaml").write_text(json.dumps(site))
    said = shop.run("apply").err
    assert "warning" not in said
    assert password(shop) == old
