"""On a real cluster: what no time will cure ends a wait; what would be refused is found before it begins."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kubernetes.apply_jobs import (
    CHARTS,
    IMAGE,
    chart,
    container,
    jobs,
    pods,
    rows,
    running_shop,
)
from tests.support.kubernetes.apply_parts import Landscape
from tests.support.kubernetes.cluster_site import RealCluster

pytestmark = [pytest.mark.cluster, pytest.mark.root]

VERSIONS = dict.fromkeys(CHARTS, "1.1.0")
LONG = "240s"  # nothing here may take so long
_HOPELESS = "because no time will cure this"


@pytest.fixture
def shop(cluster: RealCluster, tmp_path: Path, helm: Path) -> Iterator[Landscape]:
    with running_shop(cluster, tmp_path, helm) as made:
        yield made


@pytest.fixture
def shop4(cluster: RealCluster, tmp_path: Path, helm4: Path) -> Iterator[Landscape]:
    with running_shop(cluster, tmp_path, helm4) as made:
        yield made


def fails(shop: Landscape, web: dict[str, str]) -> tuple[str, str]:
    """What is said while an upgrade is under way and at its end; it goes back long before its time is up."""
    shop.release("1.1.0", VERSIONS, {**CHARTS, "web": web}, hooks=jobs(), timeout=LONG)
    begun = time.monotonic()
    failed = shop.run("apply", code=50).err
    assert time.monotonic() - begun < 200
    assert "release 1.0.0 runs again" in failed
    assert pods(shop) == dict.fromkeys(CHARTS, ("1.0.0", True))
    assert rows(shop) == "rows of 1.0.0"
    assert shop.helm() == dict.fromkeys(CHARTS, "deployed")
    before, _, end = failed.rpartition("airstore: ")
    return before, end


def crashing(script: str) -> dict[str, str]:
    return chart("web", command=["/bin/busybox", "sh", "-ec", script])


def test_a_crash_loop_ends_the_wait_and_is_said_once(shop: Landscape) -> None:
    said, end = fails(shop, crashing("echo no such table; exit 3"))
    assert _HOPELESS in end
    assert "CrashLoopBackOff (exit code 3)" in end
    assert "it said: no such table" in end
    assert end.count("CrashLoopBackOff") == 1
    assert "UPGRADE FAILED" not in end
    assert "deadline exceeded" not in end
    # Before that, how it stood.
    assert "0 of 1 pods ready" in said
    assert "s left" in said


def test_a_pod_that_fits_on_no_node_ends_the_wait(shop4: Landscape) -> None:
    _, end = fails(shop4, chart("web", resources={"requests": {"cpu": "900"}}))
    assert _HOPELESS in end
    assert "cannot be scheduled" in end
    assert "Insufficient cpu" in end


def test_a_job_that_failed_ends_the_wait(shop4: Landscape) -> None:
    main = container("echo it cannot be migrated; exit 4")
    del main["volumeMounts"]
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [main]}
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "web-migrate"}, "spec": spec}
    _, end = fails(shop4, {**chart("web"), "templates/job.yaml": json.dumps(job)})
    assert "Job web-migrate: it failed: BackoffLimitExceeded" in end or "BackoffLimitExceeded" in end


def test_a_quota_that_has_no_room_for_the_rollout(shop4: Landscape) -> None:
    """A rolling Deployment needs a pod more than it has; one that recreates its pod does not."""
    quota: dict[str, Any] = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}}
    shop4.api.kubectl(
        "apply", "-n", shop4.namespace, "-f", "-", stdin={**quota, "spec": {"hard": {"pods": "2"}}}
    )
    _await(lambda: _used(shop4) == "2")
    shop4.release("1.1.0", {"db": "1.0.0", "web": "1.1.0"}, CHARTS, hooks=jobs(), timeout="60s")
    before = pods(shop4)
    failed = shop4.run("apply", code=50).err
    assert "nothing was changed: prerequisites are missing" in failed
    assert f"{shop4.namespace}/web: Deployment web: its pods: " in failed
    assert "exceeded quota: full" in failed
    assert pods(shop4) == before
    recreated = chart("web")
    document = json.loads(recreated["templates/pods.yaml"])
    document["spec"]["strategy"] = {"type": "Recreate"}
    recreated["templates/pods.yaml"] = json.dumps(document)
    versions = {"db": "1.0.0", "web": "1.2.0"}
    shop4.release("1.2.0", versions, {**CHARTS, "web": recreated}, hooks=jobs(), timeout="60s")
    planned = shop4.run("apply", "--dry-run", "-o", "json").json
    assert {step["name"]: step["action"] for step in planned["steps"]} == {"db": "unchanged", "web": "change"}


def _used(shop: Landscape) -> str:
    found = shop.api.json("get", "resourcequota", "full", "-n", shop.namespace)
    return str((found.get("status") or {}).get("used", {}).get("pods", ""))


def _await(holds: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def _stateful(service: str, size: str) -> dict[str, str]:
    labels = {"app": "cache"}
    main = {**container("exec /bin/busybox sleep 2147483647"), "image": IMAGE}
    template = {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [main]},
    }
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    spec: dict[str, Any] = {"serviceName": service, "selector": {"matchLabels": labels}, "template": template}
    spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": asked}]
    document = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "cache"}, "spec": spec}
    return {**chart("web"), "templates/cache.yaml": json.dumps(document)}


def test_a_stateful_set_whose_claims_change_is_replaced_and_its_pods_stay(shop4: Landscape) -> None:
    versions = {"db": "1.0.0", "web": "1.1.0"}
    shop4.release("1.1.0", versions, {**CHARTS, "web": _stateful("one", "1Mi")}, hooks=jobs(), timeout="60s")
    shop4.run("apply")
    claim = _uid(shop4, "pvc", "data-cache-0")
    pod, old = _uid(shop4, "pod", "cache-0"), _uid(shop4, "statefulset", "cache")
    versions = {"db": "1.0.0", "web": "1.2.0"}
    shop4.release("1.2.0", versions, {**CHARTS, "web": _stateful("two", "2Mi")}, hooks=jobs(), timeout="60s")
    planned = shop4.run("apply", "--dry-run")
    assert "StatefulSet cache cannot be changed: it is deleted and made again; its pods stay" in planned.out
    assert _uid(shop4, "statefulset", "cache") == old
    shop4.run("apply")
    assert _uid(shop4, "statefulset", "cache") != old
    assert _uid(shop4, "pod", "cache-0") == pod
    assert _uid(shop4, "pvc", "data-cache-0") == claim
    shop4.run("rollback")
    live = shop4.api.json("get", "statefulset", "cache", "-n", shop4.namespace)
    assert live["spec"]["serviceName"] == "one"
    assert _uid(shop4, "pvc", "data-cache-0") == claim


def _uid(shop: Landscape, kind: str, name: str) -> str:
    return str(shop.api.json("get", kind, name, "-n", shop.namespace)["metadata"]["uid"])
