"""Workloads whose shape cannot be changed, with pods that run: replaced, by airstore or a vendor's hook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kubernetes.apply_jobs import CHARTS, JOBS, job_pods, jobs, pods, rows, running_shop
from tests.support.kubernetes.apply_parts import REFUSED, Landscape
from tests.support.kubernetes.cluster_site import RealCluster

pytestmark = [pytest.mark.cluster, pytest.mark.root]
_PODS = "templates/pods.yaml"


@pytest.fixture
def shop(cluster: RealCluster, tmp_path: Path, helm4: Path) -> Iterator[Landscape]:
    """Its database is a StatefulSet with a claim of its own."""
    with running_shop(cluster, tmp_path, helm4, {**CHARTS, "db": stateful("one")}) as made:
        yield made


def stateful(service: str) -> dict[str, str]:
    """The database's chart as a StatefulSet."""
    document = json.loads(CHARTS["db"][_PODS])
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    template = {"metadata": {"name": "own"}, "spec": spec}
    document["kind"] = "StatefulSet"
    document["spec"] |= {"serviceName": service, "volumeClaimTemplates": [template]}
    main = document["spec"]["template"]["spec"]["containers"][0]
    main["volumeMounts"].append({"name": "own", "mountPath": "/own"})
    return {**CHARTS["db"], _PODS: json.dumps(document)}


def relabelled() -> dict[str, str]:
    """The second chart with another selector."""
    document: dict[str, Any] = json.loads(CHARTS["web"][_PODS])
    labels = {"app": "web", "part": "front"}
    document["spec"]["selector"]["matchLabels"] = labels
    document["spec"]["template"]["metadata"]["labels"] = labels
    return {**CHARTS["web"], _PODS: json.dumps(document)}


def runs_as_before(shop: Landscape) -> None:
    assert rows(shop) == "rows of 1.0.0"
    assert pods(shop) == dict.fromkeys(CHARTS, ("1.0.0", True))
    assert shop.helm() == dict.fromkeys(CHARTS, "deployed")
    assert service(shop) == "one"
    assert job_pods(shop) == []
    in_pod = ("exec", "-n", shop.namespace, "db-0", "--", "/bin/busybox")
    assert shop.api.kubectl(*in_pod, "cat", "/own/mine") == "data\n"


def service(shop: Landscape) -> str:
    """The StatefulSet's."""
    found: str = shop.api.json("get", "statefulset", "db", "-n", shop.namespace)["spec"]["serviceName"]
    return found


def test_shapes_that_cannot_be_changed(shop: Landscape) -> None:
    in_pod = ("exec", "-n", shop.namespace, "db-0", "--", "/bin/busybox")
    shop.api.kubectl(*in_pod, "sh", "-c", "echo data > /own/mine")

    charts = {"db": stateful("two"), "web": relabelled()}
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), charts, hooks=jobs(), timeout="60s")
    said = shop.run("apply").err
    assert "StatefulSet db cannot be changed; it is made again" in said
    assert "Deployment web cannot be changed; it is made again" in said
    assert service(shop) == "two"
    assert rows(shop) == "rows of 1.1.0"
    assert shop.api.kubectl(*in_pod, "cat", "/own/mine") == "data\n"
    shop.run("rollback")
    runs_as_before(shop)

    # As vendors do it: the StatefulSet goes, its pods and claims stay for the one that follows.
    charts = {"db": stateful("two"), "web": {**CHARTS["web"], "templates/bad.yaml": REFUSED}}
    shop.scripts = {
        "preUpgrade": "delete.sh",
        "postUpgrade": JOBS["postUpgrade"],
        "rollback": JOBS["rollback"],
    }
    orphan = "#!/bin/sh\nexec kubectl delete statefulset db --cascade=orphan -n $AIRSTORE_NAMESPACE\n"
    restore = jobs(rollback="test $AIRSTORE_VERSION = 1.3.0; echo rows of 1.0.0 > /data/table")
    hooks = {**restore, "delete.sh": orphan}
    shop.release("1.3.0", dict.fromkeys(CHARTS, "1.3.0"), charts, hooks=hooks, timeout="60s")
    assert "Refused_When_Real" in shop.run("apply", code=50).err
    runs_as_before(shop)
