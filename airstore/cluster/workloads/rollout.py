"""Is it rolled out? Pure: from objects as the API server shows them (``kubectl rollout status``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airstore.cluster.workloads.troubles import containers, troubles
from airstore.core.kube.documents import Document


def deployment(document: Document) -> str | None:
    """Why a Deployment is not rolled out and available; None if it is."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    if is_stale(document):
        return "the controller has not seen the change yet"
    wanted = _count(spec, "replicas", 1)
    for condition in status.get("conditions") or ():
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return f"it makes no progress: {condition.get('message')}"
    if refused := replica_failure(document):
        return refused
    if _count(status, "updatedReplicas") < wanted:
        return f"{_count(status, 'updatedReplicas')} of {wanted} pods are updated"
    if _count(status, "replicas") > _count(status, "updatedReplicas"):
        return f"{_count(status, 'replicas') - _count(status, 'updatedReplicas')} old pods still run"
    if _count(status, "availableReplicas") < wanted:
        return f"{_count(status, 'availableReplicas')} of {wanted} pods are available"
    return None


def stateful_set(document: Document) -> str | None:
    """Why a StatefulSet is not rolled out and ready."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    if is_stale(document):
        return "the controller has not seen the change yet"
    wanted = _count(spec, "replicas", 1)
    if _count(status, "readyReplicas") < wanted:
        return f"{_count(status, 'readyReplicas')} of {wanted} pods are ready"
    rolling = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
    partition = _count((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}, "partition")
    if rolling and _count(status, "updatedReplicas") < wanted - partition:
        return f"{_count(status, 'updatedReplicas')} of {wanted - partition} pods are updated"
    return None


def daemon_set(document: Document) -> str | None:
    """Why a DaemonSet is not rolled out and ready on every node."""
    status = document.get("status") or {}
    if is_stale(document):
        return "the controller has not seen the change yet"
    wanted = _count(status, "desiredNumberScheduled")
    for field, word in (("updatedNumberScheduled", "updated"), ("numberAvailable", "available")):
        if _count(status, field) < wanted:
            return f"{_count(status, field)} of {wanted} pods are {word}"
    return None


def job(document: Document) -> str | None:
    """Why a Job has not completed."""
    for condition in (document.get("status") or {}).get("conditions") or ():
        if condition.get("status") == "True" and condition.get("type") == "Complete":
            return None
        if condition.get("status") == "True" and condition.get("type") == "Failed":
            return f"it failed: {condition.get('reason')}: {condition.get('message')}"
    return "it still runs"


def job_failed(document: Document) -> bool:
    """Whether a Job has failed for good."""
    conditions = (document.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Failed" and c.get("status") == "True" for c in conditions)


def selector(document: Document) -> str:
    """The label selector of a workload, as the API takes it."""
    spec = (document.get("spec") or {}).get("selector") or {}
    parts = [f"{key}={value}" for key, value in sorted((spec.get("matchLabels") or {}).items())]
    for entry in spec.get("matchExpressions") or ():
        key, values = entry["key"], ",".join(entry.get("values") or ())
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[entry["operator"]]
        )
    return ",".join(parts)


def pod_troubles(pods: Iterable[Document]) -> Iterator[str]:
    """What keeps pods from running, in the words of scheduler and kubelet."""
    return (each.text for each in troubles(pods))


def replica_failure(document: Document) -> str | None:
    """Why no pods of a Deployment can be made; None if they can."""
    for condition in (document.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return f"its pods are refused: {condition.get('reason')}: {condition.get('message')}"
    return None


def crashing(pods: Iterable[Document]) -> Iterator[tuple[str, str]]:
    """Pod and container of what ended with a fault and is not started at once again."""
    for pod in pods:
        for container in containers(pod.get("status") or {}):
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") == "CrashLoopBackOff":
                yield pod["metadata"]["name"], container["name"]


def unready(pods: Iterable[Document]) -> Iterator[str]:
    """Names of pods whose containers run, and which are not ready: a probe fails, or will do so."""
    for pod in pods:
        containers = (pod.get("status") or {}).get("containerStatuses") or ()
        run = containers and all("running" in (each.get("state") or {}) for each in containers)
        ends = "deletionTimestamp" in pod["metadata"]
        if run and not ends and not all(each.get("ready") for each in containers):
            yield pod["metadata"]["name"]


def started(pod: Document) -> Iterator[str]:
    """Names of containers that have begun to run, and so have a log."""
    for container in containers(pod.get("status") or {}):
        state = container.get("state") or {}
        if "running" in state or "terminated" in state:
            yield container["name"]


def image_digests(pods: Iterable[Document]) -> dict[str, set[str]]:
    """Image reference of each running container to the digests that the kubelet reports for it."""
    found: dict[str, set[str]] = {}
    for pod in pods:
        for container in containers(pod.get("status") or {}):
            _, at, digest = str(container.get("imageID") or "").partition("@")
            if at:
                found.setdefault(str(container["image"]), set()).add(digest)
    return found


def is_stale(document: Document) -> bool:
    """Whether a controller has not seen the present specification yet."""
    generation = (document.get("metadata") or {}).get("generation") or 0
    return _count(document.get("status") or {}, "observedGeneration") < generation


def _count(fields: Document, name: str, default: int = 0) -> int:
    value = fields.get(name)
    return default if value is None else int(value)
