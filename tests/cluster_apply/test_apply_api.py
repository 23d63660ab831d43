"""apply, rollback, uninstall with real Helm and a real API server; state is what kubectl and helm say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.kubernetes.apply_parts import REFUSED, Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

THREE = ("db", "api", "web")


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm: Path, namespace: str) -> Landscape:
    """Release 1.0.0 of three Helm releases runs, and the database has rows."""
    made = landscape(api, tmp_path, helm, namespace)
    made.release("1.0.0", dict.fromkeys(THREE, "1.0.0"))
    made.run("apply")
    assert [made.config(name) for name in THREE] == ["1.0.0"] * 3
    assert made.table() == "rows of 1.0.0"
    return made


@pytest.mark.bothhelms
def test_upgrade_rollback_and_uninstall(shop: Landscape) -> None:
    shop.release("1.1.0", {"db": "1.1.0", "api": "1.0.0", "web": "1.1.0"})
    before = shop.api.json("get", "secret", "-n", shop.namespace, "-l", "owner=helm,name=api")["items"]
    shop.run("apply")
    assert [shop.config(name) for name in THREE] == ["1.1.0", "1.0.0", "1.1.0"]
    assert shop.table() == "rows of 1.1.0"
    # the unchanged one was not touched
    assert (
        shop.api.json("get", "secret", "-n", shop.namespace, "-l", "owner=helm,name=api")["items"] == before
    )
    assert "nothing to do" in shop.run("apply").out
    shop.run("rollback")
    assert [shop.config(name) for name in THREE] == ["1.0.0"] * 3
    assert shop.table() == "rows of 1.0.0"
    assert set(shop.helm().values()) == {"deployed"}
    planned = shop.run("uninstall", "--dry-run", "-o", "json").json
    assert [step["action"] for step in planned["steps"]] == ["remove"] * 3
    assert "running: 1.0.0" in shop.run("uninstall", "--dry-run").out
    shop.run("uninstall")
    assert shop.helm() == {}
    assert [shop.config(name) for name in THREE] == [""] * 3
    assert shop.claims() == [f"persistentvolumeclaim/{name}-data" for name in sorted(THREE)]
    shop.run("apply", "--release", "1.1.0")
    assert [shop.config(name) for name in THREE] == ["1.1.0", "1.0.0", "1.1.0"]


@pytest.mark.bothhelms
def test_a_failed_upgrade_rolls_back_what_it_had_upgraded_and_the_database(shop: Landscape) -> None:
    more = {"web": {"templates/bad.yaml": REFUSED}}
    shop.release("1.1.0", {**dict.fromkeys(THREE, "1.1.0"), "extra": "1.1.0"}, more)
    failed = shop.run("apply", code=50)
    assert "Refused_When_Real" in failed.err
    assert [shop.config(name) for name in (*THREE, "extra")] == ["1.0.0"] * 3 + [""]
    assert shop.table() == "rows of 1.0.0"
    assert shop.helm() == dict.fromkeys(THREE, "deployed")
    assert "1.0.0" in shop.run("status").out
    assert "failed" in shop.site("history").out
