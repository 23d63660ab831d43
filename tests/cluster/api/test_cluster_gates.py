"""Gates on objects of any kind, as the product file writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airstore.cluster.workloads.resource_gates import judge
from airstore.core.errors import UsageError
from airstore.core.model.gates import Condition, ValueAt
from airstore.core.model.product import load_product

RESOURCE = {"apiVersion": "example.com/v1", "kind": "Thing", "name": "one"}


def thing(generation: int = 1, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "one", "generation": generation}, "status": status}


def condition(status: str, **more: Any) -> dict[str, Any]:
    return {"type": "Ready", "status": status, **more}


@pytest.mark.parametrize(
    ("live", "why"),
    [
        (thing(conditions=[condition("True")]), ""),
        (thing(2, conditions=[condition("True", observedGeneration=2)]), ""),
        (thing(2, observedGeneration=2, conditions=[condition("True")]), ""),
        (thing(2, conditions=[condition("True", observedGeneration=1)]), "has not seen the change yet"),
        (thing(2, observedGeneration=1, conditions=[condition("True")]), "has not seen the change yet"),
        (thing(conditions=[condition("False", reason="Wait", message="for it")]), "is False: Wait: for it"),
        (thing(conditions=[condition("Unknown")]), "condition Ready is Unknown"),
        (thing(), "it has no condition Ready yet"),
        ({"metadata": {}}, "it has no condition Ready yet"),
    ],
)
def test_conditions(live: dict[str, Any], why: str) -> None:
    found = judge(Condition("Ready"), live)
    assert (why in str(found)) if why else found is None


@pytest.mark.parametrize(
    ("path", "equals", "why"),
    [
        ("{.status.phase}", "Ready", ""),
        ("{.status.phase}", "Done", "{.status.phase} is 'Ready'; 'Done' is awaited"),
        ("{.status.count}", 3, ""),
        ("{.status.count}", "3", ""),
        ("{.status.on}", True, ""),
        ("{.status.on}", False, "{.status.on} is 'true'; 'false' is awaited"),
        ("{.status.parts[*].ok}", True, "{.status.parts[*].ok} is 'false'; 'true' is awaited"),
        ("{.status.nothing}", "x", "{.status.nothing} is not there yet; 'x' is awaited"),
    ],
)
def test_paths(path: str, equals: str | int | bool, why: str) -> None:
    live = thing(phase="Ready", count=3, on=True, parts=[{"ok": True}, {"ok": False}])
    assert judge(ValueAt(path, equals), live) == (why or None)


_PRODUCT = """apiVersion: airstore/v1
kind: Product
name: shop
charts: [{name: a, source: ./a}]
releases:
  - name: a
    namespace: shop
    chart: a
    health: [GATE]
"""
_ONE = "resource: {apiVersion: example.com/v1, kind: Thing, name: one}"


@pytest.mark.parametrize(
    ("gate", "why"),
    [
        ("{ONE, condition: Ready}", ""),
        ("{ONE, jsonPath: '{.status.phase}', equals: Ready}", ""),
        ("{ONE}", "exactly one of condition, jsonPath"),
        ("{ONE, condition: Ready, job: b}", "exactly one of deployment"),
        ("{deployment: a, job: b}", "exactly one of deployment"),
        ("{condition: Ready}", "with 'condition', 'resource' must be given"),
        ("{ONE, jsonPath: '{.status.phase}'}", "with 'jsonPath', 'equals' must be given"),
        ("{ONE, jsonPath: '{.a[0:1]}', equals: x}", "not a JSONPath that is understood here"),
        ("{resource: {apiVersion: v1, kind: Thing}, condition: Ready}", "'name' must be given"),
        ("{resource: {apiVersion: v1, kind: thing, name: a}, condition: Ready}", "is not a kind such as"),
    ],
)
def test_what_the_product_file_says_is_checked(tmp_path: Path, gate: str, why: str) -> None:
    path = tmp_path / "airstore.yaml"
    path.write_text(_PRODUCT.replace("GATE", gate.replace("ONE", _ONE)))
    if not why:
        assert load_product(path).helm_releases[0].health
        return
    with pytest.raises(UsageError, match=r"airstore\.yaml:\d+: releases\[0\]\.health") as refused:
        load_product(path)
    assert why in str(refused.value)
