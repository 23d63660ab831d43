"""A look at one workload: how many of its pods are ready, what keeps the others, what the worst said last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import path_of
from airstore.cluster.workloads import rollout
from airstore.cluster.workloads.troubles import troubles
from airstore.core.errors import TransferError
from airstore.core.kube.documents import Document
from airstore.core.kube.sights import Cause, Sight, Trouble

_REVISION = "deployment.kubernetes.io/revision"
_GENERATION = "deprecated.daemonset.template.generation"
_LOG = 400  # bytes of a log, of which the last line is shown


def glance(objects: Objects, document: Document, namespace: str) -> Sight | None:
    """Look at a Deployment, StatefulSet, DaemonSet or Job; None where it is not there.

    Raises:
        TransferError: the API server did not answer or refused.
    """
    live = objects.live(document, namespace)
    if live is None:
        return None
    where = live["metadata"]["namespace"]
    labels = rollout.selector(live)
    pods = list(objects.list("v1", "Pod", where, labels=labels)) if labels else []
    newest = list(_newest(objects, live, pods, where))
    found = [*_own_troubles(live), *troubles(newest, job=live["kind"] == "Job"), *_unready(newest)]
    metadata = live["metadata"]
    return Sight(
        workload=f"{live['kind']} {metadata['name']}",
        mark=f"{metadata['uid']}/{metadata.get('generation')}",
        ready=sum(map(_is_ready, newest)),
        wanted=_wanted(live),
        troubles=tuple(found),
        said=_said(objects, found, where),
    )


def _newest(
    objects: Objects, live: Document, pods: list[dict[str, Any]], namespace: str
) -> Iterator[dict[str, Any]]:
    """Pods of the workload's newest revision; none as long as its controller has not seen that."""
    if live["kind"] == "Job":
        yield from pods
        return
    if rollout.is_stale(live):
        return
    label, value = _newest_label(objects, live, namespace)
    for pod in pods:
        ends = "deletionTimestamp" in pod["metadata"]
        if value and not ends and (pod["metadata"].get("labels") or {}).get(label) == value:
            yield pod


def _newest_label(objects: Objects, live: Document, namespace: str) -> tuple[str, str | None]:
    """What pods of the newest revision are labelled with; the value is None as long as nobody says it."""
    if live["kind"] == "StatefulSet":
        return "controller-revision-hash", (live.get("status") or {}).get("updateRevision")
    if live["kind"] == "DaemonSet":
        annotations = live["metadata"].get("annotations") or {}
        return "pod-template-generation", annotations.get(_GENERATION)
    return "pod-template-hash", _newest_hash(objects, live, namespace)


def _newest_hash(objects: Objects, deployment: Document, namespace: str) -> str | None:
    uid = deployment["metadata"]["uid"]
    listed = objects.list("apps/v1", "ReplicaSet", namespace, labels=rollout.selector(deployment))
    own = [
        each
        for each in listed
        if any(owner.get("uid") == uid for owner in each["metadata"].get("ownerReferences") or ())
    ]
    current = str((deployment["metadata"].get("annotations") or {}).get(_REVISION) or "")
    for each in own:
        metadata = each["metadata"]
        if current and (metadata.get("annotations") or {}).get(_REVISION) == current:
            labels: Mapping[str, str] = metadata.get("labels") or {}
            return labels.get("pod-template-hash")
    return None


def _own_troubles(live: Document) -> Iterator[Trouble]:
    what = f"{live['kind']} {live['metadata']['name']}"
    if live["kind"] == "Job" and rollout.job_failed(live):
        yield Trouble(Cause.FAILED, what, f"{what}: {rollout.job(live)}")
    current = live["kind"] == "Deployment" and not rollout.is_stale(live)
    if current and (why := rollout.replica_failure(live)):
        yield Trouble(Cause.REFUSED, what, f"{what}: {why}")


def _unready(pods: list[dict[str, Any]]) -> Iterator[Trouble]:
    first = {each["metadata"]["name"]: str(each["spec"]["containers"][0]["name"]) for each in pods}
    for name in rollout.unready(pods):
        yield Trouble(Cause.OTHER, f"pod {name}", f"pod {name} runs and is not ready", name, first[name])


def _wanted(live: Document) -> int:
    spec, status = live.get("spec") or {}, live.get("status") or {}
    if live["kind"] == "DaemonSet":
        return int(status.get("desiredNumberScheduled") or 0)
    if live["kind"] == "Job":
        return int(spec.get("completions") or 1)
    return int(spec.get("replicas", 1))


def _is_ready(pod: Document) -> bool:
    status = pod.get("status") or {}
    conditions = status.get("conditions") or ()
    ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
    return ready or status.get("phase") == "Succeeded"


def _said(objects: Objects, found: list[Trouble], namespace: str) -> str | None:
    """The last line of the first pod that has a log."""
    worst = next((each for each in found if each.container), None)
    if worst is None:
        return None
    path = path_of("api", "v1", "namespaces", namespace, "pods", worst.pod, "log")
    try:
        text = objects.connection.text(path, limit=_LOG, container=worst.container, previous=worst.restarted)
    except TransferError:  # the kubelet has dropped it, or it has not begun
        return None
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else None
