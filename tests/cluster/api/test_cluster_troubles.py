"""What pods say of their troubles, told apart: what passes, and what no time will cure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.cluster.api.rehearsal import merge_patch
from airstore.cluster.workloads.rollout import deployment
from airstore.cluster.workloads.troubles import troubles
from airstore.core.kube.sights import Cause


def pod(reason: str, *, restarts: int = 0, message: str = "") -> dict[str, Any]:
    waiting = {"reason": reason, **({"message": message} if message else {})}
    status = {"name": "main", "state": {"waiting": waiting}, "restartCount": restarts}
    return {"metadata": {"name": "web-1"}, "status": {"containerStatuses": [status]}}


def unschedulable(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "reason": "Unschedulable", "message": message}
    return {"metadata": {"name": "web-1"}, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        (pod("CrashLoopBackOff", restarts=2), Cause.OTHER),
        (pod("CrashLoopBackOff", restarts=3), Cause.CRASH),
        (pod("ImagePullBackOff"), Cause.IMAGE),
        (pod("ErrImagePull"), Cause.IMAGE),
        (pod("InvalidImageName"), Cause.IMAGE),
        (pod("CreateContainerConfigError"), Cause.OTHER),
        (unschedulable("0/1 nodes are available: 1 Insufficient cpu"), Cause.UNSCHEDULABLE),
        (unschedulable("pod has unbound immediate PersistentVolumeClaims"), Cause.OTHER),
    ],
)
def test_causes(seen: dict[str, Any], cause: Cause) -> None:
    (found,) = troubles([seen])
    assert found.cause is cause
    assert "web-1" in found.text


def test_a_pod_that_starts_has_none_and_a_job_has_its_own_limit() -> None:
    assert list(troubles([pod("ContainerCreating")])) == []
    (found,) = troubles([pod("CrashLoopBackOff", restarts=5)], job=True)
    assert found.cause is Cause.OTHER


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    (found,) = troubles([pod("ErrImagePull", message=f"failed to pull {'x' * 900}: no such host")])
    assert "failed to pull" in found.text
    assert found.text.endswith("no such host")


def test_pods_that_are_refused_are_why_a_deployment_is_not_rolled_out() -> None:
    refused = {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "exceeded quota",
    }
    document = {"spec": {"replicas": 1}, "status": {"conditions": [refused]}}
    assert deployment(document) == "its pods are refused: FailedCreate: exceeded quota"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
_objects = st.dictionaries(st.sampled_from("abc"), _json, max_size=3)


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(each) for key, each in value.items() if each is not None}


@given(_objects, _objects)
def test_a_patch_makes_one_document_of_another(before: dict[str, Any], after: dict[str, Any]) -> None:
    before, after = _without_nulls(before), _without_nulls(after)
    assert merged(before, merge_patch(before, after)) == after
    assert merged({**before, "other": 1}, merge_patch(before, after)) == {**after, "other": 1}
