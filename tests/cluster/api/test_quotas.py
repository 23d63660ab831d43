"""Quotas, asked for several pods at once: as the API server says that they stand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.quotas import lacking
from airstore.core.kube.dryruns import Demand
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = [pytest.mark.cluster, pytest.mark.root]

FULL = {"requests": {"cpu": "200m", "memory": "1Gi"}, "limits": {"cpu": "1"}}


def pod(*containers: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    made = [{"name": f"c{n}", "image": "a", "resources": each} for n, each in enumerate(containers)]
    return {"spec": {"containers": made, **spec}}


@pytest.mark.parametrize(
    ("hard", "used", "demand", "words"),
    [
        ({"pods": "5"}, {"pods": "3"}, Demand(pod({}), 2), ""),
        ({"pods": "5"}, {"pods": "3"}, Demand(pod({}), 3), "needed: pods=3, used: 3, limited: 5"),
        ({"count/pods": "1"}, {"count/pods": "1"}, Demand(pod({}), 1), "needed: count/pods=1"),
        ({"requests.cpu": "1"}, {"requests.cpu": "400m"}, Demand(pod(FULL), 3), ""),
        ({"requests.cpu": "1"}, {"requests.cpu": "401m"}, Demand(pod(FULL), 3), "needed: requests.cpu=0.6"),
        ({"memory": "2Gi"}, {"memory": "0"}, Demand(pod(FULL, FULL), 1), ""),
        ({"memory": "2Gi"}, {"memory": "1Mi"}, Demand(pod(FULL, FULL), 1), "needed: memory=2147483648"),
        ({"limits.cpu": "2"}, {"limits.cpu": "0"}, Demand(pod(FULL), 3), "needed: limits.cpu=3"),
        ({"requests.cpu": "2"}, {}, Demand(pod({"limits": {"cpu": "3"}}), 1), "needed: requests.cpu=3"),
        ({"pods": "1"}, {"pods": "2"}, Demand(pod({}), -1), ""),
        ({"count/secrets": "1"}, {"count/secrets": "1"}, Demand(pod({}), 9), ""),
    ],
)
def test_what_a_quota_has_room_for(
    api: ApiServer, objects: Objects, namespace: str, hard: Any, used: Any, demand: Demand, words: str
) -> None:
    make(api, namespace, hard, used)
    found = lacking(objects, [demand], namespace)
    assert (words in str(found)) if words else found is None
    assert not found or found.startswith("exceeded quota: few, ")


def make(api: ApiServer, namespace: str, hard: Any, used: Any, **spec: Any) -> None:
    """Its controller, which would say what is used, does not run here."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}
    api.kubectl("apply", "-n", namespace, "-f", "-", stdin={**quota, "spec": {"hard": hard, **spec}})
    status = json.dumps({"status": {"hard": hard, "used": used}})
    words = ("resourcequota", "few", "--subresource=status", "--type=merge", "-p", status)
    api.kubectl("patch", "-n", namespace, *words)


@pytest.mark.parametrize(
    ("scope", "one", "found"),
    [
        ("BestEffort", pod({}), True),
        ("BestEffort", pod(FULL), False),
        ("NotBestEffort", pod(FULL), True),
        ("Terminating", pod({}), False),
        ("Terminating", pod({}, activeDeadlineSeconds=9), True),
        ("NotTerminating", pod({}), True),
    ],
)
def test_quotas_of_some_pods_only(
    api: ApiServer, objects: Objects, namespace: str, scope: str, one: Any, found: bool
) -> None:
    make(api, namespace, {"pods": "1"}, {"pods": "1"}, scopes=[scope])
    assert bool(lacking(objects, [Demand(one, 1)], namespace)) is found


def test_what_pods_get_that_say_nothing(api: ApiServer, objects: Objects, namespace: str) -> None:
    make(api, namespace, {"requests.cpu": "1", "limits.cpu": "9"}, {"requests.cpu": "0", "limits.cpu": "0"})
    assert lacking(objects, [Demand(pod({}), 9)], namespace) is None
    item = {"type": "Container", "default": {"cpu": "2"}, "defaultRequest": {"cpu": "300m"}}
    bounds = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": [item]}}
    api.kubectl("apply", "-n", namespace, "-f", "-", stdin=bounds)
    assert "needed: requests.cpu=1.2" in str(lacking(objects, [Demand(pod({}), 4)], namespace))
    assert lacking(objects, [Demand(pod({}), 3)], namespace) is None


def test_pods_that_go_make_room_and_first_containers_run_alone(
    api: ApiServer, objects: Objects, namespace: str
) -> None:
    make(api, namespace, {"pods": "4", "requests.cpu": "1"}, {"pods": "4", "requests.cpu": "800m"})
    first = {"name": "i", "image": "a", "resources": {"requests": {"cpu": "400m"}}}
    began = pod(FULL, initContainers=[first])
    assert lacking(objects, [Demand(pod(FULL), -4), Demand(began, 2)], namespace) is None
    assert "requests.cpu" in str(lacking(objects, [Demand(pod(FULL), -4), Demand(began, 3)], namespace))
    assert lacking(objects, [Demand(pod({}), 9)], f"{namespace}-absent") is None
