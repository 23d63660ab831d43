"""Where Kubernetes' own kinds keep their pod's specification; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEMPLATE = ("spec", "template", "spec")
_PLACES: dict[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"), _TEMPLATE
    ),
}
# Group of each kind; a custom resource may have the same kind and quite another form.
_GROUPS = frozenset({"v1", "apps/v1", "batch/v1", "batch/v1beta1"})


def with_pull_secret(body: Any, name: str) -> Any:
    """The same manifest, whose pods also pull with this Secret; the very same object if nothing changes."""
    if not name or not isinstance(body, Mapping):
        return body
    if body.get("kind") == "List" and isinstance(items := body.get("items"), list):
        changed = [with_pull_secret(item, name) for item in items]
        return (
            body if all(a is b for a, b in zip(items, changed, strict=True)) else {**body, "items": changed}
        )
    if body.get("apiVersion") not in _GROUPS:
        return body
    return _added(body, _PLACES.get(str(body.get("kind")), ()), name)


def is_workload(body: Any) -> bool:
    """Whether it is one of Kubernetes' own kinds that make pods."""
    if not isinstance(body, Mapping):
        return False
    return body.get("apiVersion") in _GROUPS and str(body.get("kind")) in _PLACES


def _added(node: Mapping[str, Any], path: tuple[str, ...], name: str) -> Any:
    if path:
        inner = node.get(path[0])
        if not isinstance(inner, Mapping):
            return node
        below = _added(inner, path[1:], name)
        return node if below is inner else {**node, path[0]: below}
    if not isinstance(node.get("containers"), list):
        return node
    there = node.get("imagePullSecrets") or []
    if any(isinstance(each, Mapping) and each.get("name") == name for each in there):
        return node
    return {**node, "imagePullSecrets": [*there, {"name": name}]}
