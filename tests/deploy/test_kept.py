"""What Helm installed, kept; and what of it may differ without being drift."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.deploy.helm.kept import Kept, kept_record
from airstore.deploy.model.redact import keyed
from airstore.deploy.plan.ignored import as_live, autoscaled, is_ignored, read_rules
from airstore.deploy.plan.plan import alike, as_installed, plan
from airstore.history.ledger import Running

MANIFEST = """---
# Source: shop/templates/a.yaml
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {password: c2VjcmV0}
---
apiVersion: v1
kind: ConfigMapList
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: one}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}
"""
HOOK = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\n"
TEST = "apiVersion: v1\nkind: Pod\nmetadata: {name: try}\n"
RECORD = {
    "version": 3,
    "chart": {"metadata": {"name": "shop", "version": "1.0.0"}},
    "manifest": MANIFEST,
    "hooks": [
        {"name": "try", "manifest": TEST, "events": ["test"]},
        {"name": "migrate", "manifest": HOOK, "events": ["pre-upgrade", "test"]},
    ],
}


def test_a_record_becomes_what_is_kept() -> None:
    kept = kept_record(RECORD)
    assert (kept.revision, kept.chart, kept.tests) == (3, "shop-1.0.0", 1)
    names = [each["metadata"]["name"] for each in kept.documents()]
    assert names == ["s", "one", "two"]  # Helm installs the items of a list one by one
    assert [each["metadata"]["name"] for each in kept.everything()] == ["s", "one", "two", "migrate"]
    assert kept.stream.count("\n---\n") + 1 == 4
    assert "name: try" in kept.stream
    assert Kept.from_json(json.loads(json.dumps(kept.to_json()))) == kept


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_hook_ends_as_helm_has_it(end: str) -> None:
    """Helm 3 takes a hook's last line break away, and with it that of the text at its end."""
    program = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: p\n"
    program += "  annotations: {helm.sh/hook: pre-upgrade}\ndata:\n  start: |\n    done"
    kept = replace(kept_record(RECORD), hooks=(program + end,), tests=0)
    assert kept.everything()[3]["data"] == {"start": f"done{end}"}
    assert [each["data"] for each in kept.left_by_hooks()] == [{"start": f"done{end}"}]


@pytest.mark.parametrize("spoiled", [{}, {**RECORD, "version": "x"}, {**RECORD, "chart": None}])
def test_what_is_no_record_is_damaged(spoiled: dict[str, Any]) -> None:
    with pytest.raises(DamagedError, match="not of its form"):
        kept_record(spoiled)


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)))
def test_no_other_json_is_taken_for_kept(document: Any) -> None:
    if isinstance(document, dict):
        with pytest.raises(DamagedError):
            Kept.from_json(document)


def running(name: str = "shop", rendered: str = "", values: str = "", archive: str = "sha256:1") -> Running:
    return Running(name, "n", "shop", "1.0.0", archive, rendered, values)


def test_the_ledger_gets_what_was_installed_redacted_and_the_definitions_that_were_planned() -> None:
    crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: c}\n"
    planned = running(rendered=f"---\n{crd}---\nkind: ConfigMap\nmetadata: {{name: only-planned}}\n")
    text = as_installed(planned, kept_record(RECORD), keyed(b"k")).rendered
    assert "c2VjcmV0" not in text
    assert "(redacted,hmac-sha256:" in text
    assert "CustomResourceDefinition" in text
    assert "only-planned" not in text
    assert "name: migrate" in text
    assert "name: try" not in text
    assert as_installed(planned, None, keyed(b"k")) is planned


def test_random_values_alone_change_nothing() -> None:
    old, new = running(rendered="a: 1", values="RUN/shop"), running(rendered="a: 2")
    assert [step.action for step in plan([new], [old])] == ["change"]
    (step,) = plan([new], [old], {"n/shop"})
    assert (step.action, step.diff, step.added, step.removed) == ("unchanged", "", 0, 0)


def test_the_same_installation_is_alike_whatever_was_rendered() -> None:
    one, other = running(rendered="a", values="RUN/shop"), running(rendered="b", values="RUN/shop")
    assert alike(one, other)
    assert not alike(one, running(rendered="b", values="RUN2/shop"))
    assert not alike(running(rendered="a"), running(rendered="b"))  # no values are no common origin
    assert not alike(one, running(rendered="a", values="RUN/shop", archive="sha256:2"))


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "api", "annotations": {"a/b": "1"}},
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": "i:1"}]}}},
}
LIVE = {
    "metadata": {"name": "api", "annotations": {"a/b": "9"}},
    "spec": {"replicas": 5, "template": {"spec": {"containers": [{"image": "i:2"}]}}},
}


@pytest.mark.parametrize(
    ("path", "target", "expected"),
    [
        ("/spec/replicas", {}, {"replicas": 5}),
        (
            "/spec/replicas",
            {"kind": "Deploy*", "name": "api", "group": "apps", "version": "v1"},
            {"replicas": 5},
        ),
        ("/spec/replicas", {"kind": "StatefulSet"}, {"replicas": 2}),
        ("/spec/replicas", {"namespace": "elsewhere"}, {"replicas": 2}),
        ("/metadata/annotations/a~1b", {"namespace": "n"}, {"annotation": "9"}),
        ("/spec/template/spec/containers/0/image", {}, {"image": "i:2"}),
        ("/spec/template/spec/containers/7/image", {}, {}),
        ("/no/such/field", {}, {}),
        ("/spec/paused", {}, {}),
    ],
)
def test_ignored_fields_are_as_they_live(path: str, target: dict[str, str], expected: dict[str, Any]) -> None:
    rules = read_rules([{"paths": [path], **({"target": target} if target else {})}])
    result = as_live(DEPLOYMENT, LIVE, "n", rules)
    found = {
        "replicas": result["spec"]["replicas"],
        "annotation": result["metadata"]["annotations"]["a/b"],
        "image": result["spec"]["template"]["spec"]["containers"][0]["image"],
    }
    assert found == {"replicas": 2, "annotation": "1", "image": "i:1"} | expected
    assert DEPLOYMENT["spec"]["replicas"] == 2  # type: ignore[index]
    assert set(result["spec"]) == {"replicas", "template"}


def test_an_ignored_field_that_does_not_live_is_not_set() -> None:
    rules = read_rules([{"paths": ["/spec/replicas"]}])
    assert "replicas" not in as_live(DEPLOYMENT, {"spec": {}}, "n", rules)["spec"]


def test_the_empty_path_is_the_object() -> None:
    rules = read_rules([{"paths": [""], "target": {"kind": "Deployment"}}])
    assert is_ignored(DEPLOYMENT, "n", rules)
    assert not is_ignored({**DEPLOYMENT, "kind": "Service"}, "n", rules)
    assert not is_ignored(DEPLOYMENT, "n", read_rules([{"paths": ["/spec"]}]))


def test_replicas_of_what_an_autoscaler_scales_are_ignored() -> None:
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "api"}},
    }
    rules = tuple(autoscaled([scaler, DEPLOYMENT]))
    assert as_live(DEPLOYMENT, LIVE, "n", rules)["spec"]["replicas"] == 5
    other = {**DEPLOYMENT, "metadata": {"name": "other", "annotations": {}}}
    assert as_live(other, LIVE, "n", rules)["spec"]["replicas"] == 2
