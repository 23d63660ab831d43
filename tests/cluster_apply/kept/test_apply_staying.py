"""A database that stays, where pods run, and an application that migrates its rows and then crashes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubernetes.apply_jobs import CHARTS, chart, job, job_pods, jobs, pods, rows, running_shop
from tests.support.kubernetes.apply_parts import Landscape
from tests.support.kubernetes.cluster_site import RealCluster

pytestmark = [pytest.mark.cluster, pytest.mark.root]


@pytest.fixture
def shop(cluster: RealCluster, tmp_path: Path, helm: Path) -> Iterator[Landscape]:
    with running_shop(cluster, tmp_path, helm) as made:
        yield made


def migration(command: str) -> str:
    """A Job as a Helm hook of the application's chart, on the database's volume."""
    document = json.loads(job("migration", command))
    document["metadata"]["annotations"] = {
        "helm.sh/hook": "pre-upgrade",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    return json.dumps(document)


# As migrations are, it can run twice: Helm runs it again when its chart comes back.
_DONE = "migrated by {{ .Chart.Version }}"
MIGRATION = migration(f"/bin/busybox grep -q '{_DONE}' /data/table || echo {_DONE} >> /data/table")
CRASHING = chart("web", command=["/bin/busybox", "sh", "-ec", "echo this schema is not mine; exit 3"])


def release(shop: Landscape, version: str, web: dict[str, str]) -> None:
    charts = {"db": CHARTS["db"], "web": {**web, "templates/migration.yaml": MIGRATION}}
    shop.release(version, {"db": "1.0.0", "web": version}, charts, hooks=jobs(), timeout="40s")


def write(shop: Landscape, text: str) -> None:
    """A row of the product's users."""
    words = ("exec", "-n", shop.namespace, "deployment/db", "--", "/bin/busybox", "sh", "-c")
    shop.api.kubectl(*words, f"echo {text} >> /data/table")


def revision(shop: Landscape, name: str) -> str:
    listed = json.loads(shop.by_hand("list", "-o", "json"))
    (found,) = (each["revision"] for each in listed if each["name"] == name)
    return str(found)


def test_rows_come_back_when_the_application_crashes_and_when_it_is_rolled_back(shop: Landscape) -> None:
    write(shop, "order 1")
    before = rows(shop)
    assert before == "rows of 1.0.0\norder 1"

    release(shop, "1.1.0", CRASHING)
    failed = shop.run("apply", code=50).err
    assert rows(shop) == before
    assert "release 1.0.0 runs again" in failed
    assert f"{shop.namespace}/db: db-1.0.0 deployed, healthy" in failed
    assert pods(shop) == {"db": ("1.0.0", True), "web": ("1.0.0", True)}
    assert revision(shop, "db") == "1"
    assert job_pods(shop) == []

    for version in ("1.2.0", "1.3.0"):
        release(shop, version, dict(CHARTS["web"]))
        shop.run("apply")
        write(shop, f"order on {version}")
    assert rows(shop).splitlines()[2:] == [
        "migrated by 1.2.0",
        "order on 1.2.0",
        "migrated by 1.3.0",
        "order on 1.3.0",
    ]
    shop.run("rollback")
    assert rows(shop).splitlines()[2:] == ["migrated by 1.2.0", "order on 1.2.0"]
    shop.run("rollback")
    assert rows(shop) == before
    assert pods(shop) == {"db": ("1.0.0", True), "web": ("1.0.0", True)}
    assert revision(shop, "db") == "1"
