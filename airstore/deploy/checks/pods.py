"""The pods that workloads will make: one of each, and whether there will be more of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import floor
from typing import Any

from airstore.core.kube.documents import Document
from airstore.deploy.model.target import is_hook, object_name

_ROLLING = "RollingUpdate"
_UNAVAILABLE = "25%"  # of a Deployment that says nothing
# What a pod refers to by a field of its spec, and what has to be there for the pod to be admitted.
_REFERENCES = {
    "serviceAccountName": ("v1", "ServiceAccount"),
    "priorityClassName": ("scheduling.k8s.io/v1", "PriorityClass"),
    "runtimeClassName": ("node.k8s.io/v1", "RuntimeClass"),
}


def pod_of(workload: Document) -> dict[str, Any] | None:
    """One pod as a workload would make it; None for what makes no pods, or none now."""
    template = _template(workload)
    if template is None or (workload.get("spec") or {}).get("replicas") == 0:
        return None
    spec = dict(template.get("spec") or {})
    if claims := (workload.get("spec") or {}).get("volumeClaimTemplates"):
        spec["volumes"] = [*_claimed(claims), *(spec.get("volumes") or ())]
    metadata = template.get("metadata") or {}
    kept = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
    name = f"{object_name(workload)[:200]}-dry-run"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **kept}, "spec": spec}


def references(pod: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Fields of a pod's spec by which it refers to objects that must be there first, and those objects."""
    for field, (api_version, kind) in _REFERENCES.items():
        if name := pod["spec"].get(field):
            yield field, {"apiVersion": api_version, "kind": kind, "metadata": {"name": str(name)}}


def makes_more(workload: Document, before: Document | None, live: Document | None) -> bool:
    """Whether there will be more pods of a workload than now, if only for a moment.

    A Deployment that may have no pod unavailable makes the new one first; other workloads, and Deployments
    that recreate, end a pod before they make another.

    Args:
        workload: as it would be installed.
        before: as it was installed; None where that is not known.
        live: as it is; None where it is not there.
    """
    kind, spec = workload.get("kind"), workload.get("spec") or {}
    if kind == "CronJob":
        return False
    if live is None or is_hook(workload):
        return True
    replicas = spec.get("replicas")
    if replicas is not None and replicas > ((live.get("spec") or {}).get("replicas") or 0):
        return True
    same = before is not None and _template(before) == _template(workload)
    return kind == "Deployment" and not same and _unavailable(spec, replicas or 1) == 0


def wanted_pods(workload: Document, live: Document | None) -> int:
    """How many pods a workload is to have; none where that cannot be told, as of a DaemonSet.

    Args:
        workload: as it would be installed; what it does not say stays as it is.
        live: as it is; None where it is not there.
    """
    spec, now = workload.get("spec") or {}, (live or {}).get("spec") or {}
    if workload.get("kind") in _SCALED:
        return int(spec.get("replicas", now.get("replicas", 1)))
    if workload.get("kind") == "Job" and live is None:
        return min(int(spec.get("parallelism", 1)), int(spec.get("completions", 1)))
    return 0


def _template(workload: Document) -> Document | None:
    spec = workload.get("spec") or {}
    if workload.get("kind") == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    if workload.get("kind") not in _WORKLOADS:
        return None
    template = spec.get("template")
    return template if isinstance(template, Mapping) else None


_SCALED = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})


def _unavailable(spec: Document, replicas: int) -> int:
    """How many pods of a Deployment may be away during a rollout, rounded down as its controller does."""
    strategy = spec.get("strategy") or {}
    if strategy.get("type", _ROLLING) != _ROLLING:
        return replicas
    allowed = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", _UNAVAILABLE)
    if isinstance(allowed, str) and allowed.endswith("%") and allowed[:-1].isdecimal():
        return floor(int(allowed[:-1]) * replicas / 100)
    return int(allowed) if str(allowed).isdecimal() else replicas


def _claimed(claims: Any) -> list[dict[str, Any]]:
    names = [object_name(each) for each in claims]
    return [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names]
