"""What cannot be installed again as it was: the operator goes on all the same, and knows what that costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.kubernetes.apply_parts import REFUSED, Landscape, landscape
from tests.support.kubernetes.apply_pods import LEVEL, SAFE, night, restrict
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

OLD = {"templates/night.yaml": night()}
NEW = {"templates/night.yaml": night(securityContext=SAFE)}
# Refused when everything else is there.
_LATE = REFUSED.replace("labels:", "annotations: {helm.sh/hook: post-upgrade}, labels:")
BAD = {**NEW, "templates/late.yaml": _LATE}


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm4: Path, namespace: str) -> Landscape:
    """Release 1.0.0 runs, one chart of which makes pods that its namespace no longer admits."""
    made = landscape(api, tmp_path, helm4, namespace)
    release(made, "1.0.0", OLD)
    made.run("apply")
    restrict(made)
    return made


def release(shop: Landscape, version: str, web: Any, **options: Any) -> None:
    charts = {"db": version, "web": version, "portal": version}
    shop.release(version, charts, {"web": web}, needs={"web": ("db",), "portal": ("db",)}, **options)


def admit(shop: Landscape) -> None:
    shop.api.kubectl("label", "namespace", shop.namespace, f"{LEVEL}-")


def state(shop: Landscape) -> tuple[str, ...]:
    return (*(shop.config(name) for name in ("db", "web", "portal")), shop.table())


def suspended(shop: Landscape) -> bool:
    found = shop.api.json("get", "cronjob", "night", "-n", shop.namespace)
    return bool(found["spec"].get("suspend"))


def test_an_upgrade_without_a_way_to_go_back_asks_first_and_says_what_it_cost(shop: Landscape) -> None:
    web = f"{shop.namespace}/web"
    release(shop, "1.1.0", NEW)
    refused = shop.run("apply", code=50).err
    assert f"{web}: going back to 1.0.0: CronJob night: its pods: " in refused
    assert f"--skip-reinstate {web}" in refused
    assert "ran here" in shop.run("apply", "--skip-reinstate", "none", "--yes", code=2).err
    asked = shop.run("apply", "--skip-reinstate", "web", code=2).err
    assert f"if this run fails, {web} is stopped and stays so" in asked
    assert "--yes" in asked
    assert "1.1.0" in shop.run("apply", "--skip-reinstate", "web", "--dry-run").out
    assert state(shop) == ("1.0.0", "1.0.0", "1.0.0", "rows of 1.0.0")
    shop.run("apply", "--skip-reinstate", "web", "--yes")
    assert state(shop) == ("1.1.0", "1.1.0", "1.1.0", "rows of 1.1.0")


def test_what_fails_without_a_way_to_go_back_is_stopped_and_the_rest_runs_again(shop: Landscape) -> None:
    web = f"{shop.namespace}/web"
    release(shop, "1.1.0", BAD)
    failed = shop.run("apply", "--skip-reinstate", web, "--yes", code=50).err
    assert "release 1.0.0 runs again" not in failed
    assert f"{web} was stopped and not installed again, as was asked" in failed
    assert state(shop) == ("1.0.0", "1.1.0", "1.0.0", "rows of 1.0.0")
    assert suspended(shop)
    assert "--skip-reinstate" not in shop.run("status", code=61).err
    admit(shop)
    shop.run("apply", "--release", "1.0.0", "--repair")
    assert state(shop) == ("1.0.0", "1.0.0", "1.0.0", "rows of 1.0.0")
    assert not suspended(shop)
    shop.run("status")


def test_after_it_a_release_that_the_server_accepts_is_applied(shop: Landscape) -> None:
    release(shop, "1.1.0", BAD)
    shop.run("apply", "--skip-reinstate", "web", "--yes", code=50)
    release(shop, "1.2.0", NEW)
    shop.run("apply", "--skip-reinstate", "web", "--yes")
    assert state(shop) == ("1.2.0", "1.2.0", "1.2.0", "rows of 1.2.0")
    assert not suspended(shop)
    shop.run("status")


def test_a_rollback_on_demand_without_what_cannot_come_back(shop: Landscape) -> None:
    admit(shop)
    release(shop, "1.1.0", NEW)
    shop.run("apply")
    restrict(shop)
    web = f"{shop.namespace}/web"
    assert f"--skip-reinstate {web}" in shop.run("rollback", code=50).err
    assert (
        f"{web} is stopped and not installed again"
        in shop.run("rollback", "--skip-reinstate", "web", code=2).err
    )
    went = shop.run("rollback", "--skip-reinstate", "web", "--yes").out
    assert "that is not what was found" in went
    assert state(shop) == ("1.0.0", "1.1.0", "1.0.0", "rows of 1.0.0")
    assert suspended(shop)


def test_a_run_that_cannot_go_back_by_itself_ends_without_what_cannot_come_back(shop: Landscape) -> None:
    admit(shop)
    label = f'kubectl label namespace "$AIRSTORE_NAMESPACE" {LEVEL}=restricted\n'
    migrate = shop.directory / "product" / "hooks" / "migrate.sh"
    hooks = {"migrate.sh": migrate.read_text() + label}
    release(shop, "1.1.0", BAD, hooks=hooks)
    assert "nothing is stopped, because it could not start again" in shop.run("apply", code=51).err
    again = shop.run("rollback", code=51).err
    assert "going back to 1.0.0: CronJob night: its pods: " in again
    assert "has not ended" in shop.run("apply", "--skip-reinstate", "web", "--yes", code=2).err
    shop.run("rollback", "--skip-reinstate", "web", "--yes")
    assert state(shop) == ("1.0.0", "1.1.0", "1.0.0", "rows of 1.0.0")
