"""Decisions about documents: CRDs, Helm's Secrets, drift, redaction, durations."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.core.parsing import yamlfile
from airstore.deploy.helm import secret
from airstore.deploy.model.durations import seconds
from airstore.deploy.model.redact import Redactor
from airstore.deploy.plan.crds import additive
from airstore.deploy.plan.drift import differences
from airstore.deploy.plan.plan import PlanStep, observed

VERSIONS = st.lists(st.sampled_from(("v1", "v2", "v3", "v1beta1")), min_size=1, unique=True)


def crd(versions: list[str], storage: str) -> dict[str, Any]:
    entries = [{"name": name, "served": True, "storage": name == storage} for name in versions]
    return {"kind": "CustomResourceDefinition", "metadata": {"name": "x"}, "spec": {"versions": entries}}


@given(wanted=VERSIONS, live=VERSIONS, data=st.data())
def test_no_version_of_a_definition_is_ever_taken_away(
    wanted: list[str], live: list[str], data: st.DataObject
) -> None:
    one = crd(wanted, data.draw(st.sampled_from(wanted)))
    other = crd(live, data.draw(st.sampled_from(live)))
    result = additive(one, other)["spec"]["versions"]
    assert {each["name"] for each in result} == {*wanted, *live}
    assert sum(each["storage"] for each in result) == 1
    assert additive(one, None) == one


def stored(status: str, manifest: str = "") -> dict[str, Any]:
    release = {"name": "db", "info": {"status": status}, "manifest": manifest, "version": 3}
    data = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    return {"metadata": {"name": "sh.helm.release.v1.db.v3", "uid": "1"}, "data": {"release": data}}


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_a_pending_release_is_made_failed(status: str) -> None:
    changed = secret.end_pending(stored(status))
    assert changed
    assert changed["metadata"] == {"name": "sh.helm.release.v1.db.v3", "labels": {"status": "failed"}}
    assert secret.decode(changed)["info"]["status"] == "failed"


@pytest.mark.parametrize("status", ["deployed", "failed", "superseded", "uninstalled"])
def test_any_other_state_is_left_alone(status: str) -> None:
    assert secret.end_pending(stored(status)) is None


MANIFEST = """---
# Source: db/templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {text: "kind: PersistentVolumeClaim"}
---
# Source: db/templates/b.yaml
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
  annotations: {mine: "1"}
"""


def test_volume_claims_in_a_stored_manifest_are_kept() -> None:
    changed = secret.keep_data(stored("deployed", MANIFEST))
    assert changed
    documents = yamlfile.load_manifests(secret.decode(changed)["manifest"], "m")
    assert documents[0] == yamlfile.load_manifests(MANIFEST, "m")[0]
    assert documents[1]["metadata"]["annotations"] == {"mine": "1", "helm.sh/resource-policy": "keep"}
    assert secret.keep_data(changed) is None


@pytest.mark.parametrize("data", [{}, {"release": "!"}, {"release": base64.b64encode(b"e30=").decode()}])
def test_a_secret_that_is_not_helms_is_damage(data: dict[str, str]) -> None:
    with pytest.raises(DamagedError):
        secret.decode({"metadata": {"name": "s"}, "data": data})


def test_a_secret_that_unpacks_to_too_much_is_damage() -> None:
    bomb = base64.b64encode(base64.b64encode(gzip.compress(bytes(300 << 20), 1))).decode()
    with pytest.raises(DamagedError, match="more than"):
        secret.decode({"metadata": {"name": "s"}, "data": {"release": bomb}})


LIVE = {
    "kind": "Deployment",
    "metadata": {"name": "a", "labels": {"x": "1"}, "uid": "1", "resourceVersion": "7", "generation": 1},
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}},
    "status": {"replicas": 2},
}


def copy_of(document: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(document))  # type: ignore[no-any-return]


def test_what_the_server_keeps_of_its_own_is_no_drift() -> None:
    predicted = copy_of(LIVE)
    predicted["metadata"] |= {"resourceVersion": "8", "generation": 2, "managedFields": [{"manager": "helm"}]}
    predicted["status"] = {}
    assert list(differences(LIVE, predicted)) == []


def test_drift_names_the_field_and_both_values() -> None:
    predicted = copy_of(LIVE)
    predicted["spec"]["replicas"] = 3
    predicted["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    predicted["metadata"]["labels"] = {"x": "1", "y": "2"}
    assert list(differences(LIVE, predicted)) == [
        "metadata.labels.y: nothing instead of '2'",
        "spec.replicas: 2 instead of 3",
        "spec.template.spec.containers[c].image: 'i' instead of 'other'",
    ]


def test_values_of_secrets_are_compared_and_not_shown() -> None:
    live = {"kind": "Secret", "data": {"a": "c2VjcmV0", "same": "eA=="}}
    predicted = {"kind": "Secret", "data": {"a": "b3RoZXI=", "b": "eA==", "same": "eA=="}}
    found = list(differences(live, predicted))
    assert found == ["data.a: another value than was installed", "data.b: absent"]


def test_known_secrets_leave_texts() -> None:
    values = {
        "db": {"password": "hunter22", "user": "shop", "apiKeys": "abc"},
        "list": [{"token": ["t0ken"]}],
    }
    redactor = Redactor.of([values])
    assert redactor.secrets == {"hunter22", "t0ken"}
    said = f"login shop:hunter22 ({base64.b64encode(b'hunter22').decode()}) t0ken"
    assert redactor.text(said) == "login shop:(redacted) ((redacted)) (redacted)"


def test_of_a_secret_that_begins_with_another_one_nothing_is_left() -> None:
    redactor = Redactor(frozenset({"hunter2", "hunter2-and-more", "hunter2-and"}))
    assert redactor.text("it is hunter2-and-more, hunter2") == "it is (redacted), (redacted)"


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("1h30m", 5400), ("1.5m", 90), ("250ms", 0.25), ("5m", 300)]
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_what_helm_lost_is_not_unchanged() -> None:
    steps = tuple(PlanStep("unchanged", name, "n", "c", "1", 0, 0, "") for name in ("a", "b", "c"))
    found = observed(steps, {"n/b": "Helm says that it is failed", "n/c": "Helm no longer has it"})
    assert [step.action for step in found] == ["unchanged", "change", "change"]
    assert [step.reason for step in found] == ["", "Helm says that it is failed", "Helm no longer has it"]
