"""Jobs that are run to their end, with what they said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airstore.cluster.api.objects import Objects, describe
from airstore.cluster.api.transport.connection import path_of
from airstore.cluster.workloads import rollout
from airstore.core.errors import TransferError
from airstore.core.kube.documents import Document
from airstore.core.kube.jobs import JobResult
from airstore.core.poll import poll

_LOG = 64 << 10  # bytes kept of a log
_PAUSE = 0.5  # seconds
_GONE = 120.0  # seconds for an old Job and its pods to disappear


def run_job(
    objects: Objects, document: Document, namespace: str, timeout: float, watch: Callable[[], None]
) -> JobResult:
    """Delete a Job of this name, create it, await its end, collect its log, delete it with its pods.

    Args:
        objects: the cluster.
        document: the Job.
        namespace: where the document says none.
        timeout: seconds; a Job that takes longer has failed.
        watch: called meanwhile; what it raises ends the Job, and is raised.

    Raises:
        TransferError: the API server refused or did not answer, or the Job was deleted by somebody.
    """
    where = _where(document, namespace)
    end_job(objects, document, where)
    objects.apply(document, where, force=True)
    try:
        found, why = _await(objects, document, where, timeout, watch)
        log = _log(objects, found, where)
        return JobResult(not why, f"{log.rstrip()}\n{why}\n" if why else log)
    finally:
        end_job(objects, document, where)


def end_job(objects: Objects, document: Document, namespace: str) -> None:
    """Delete a Job with its pods, if there is one, and wait until they are gone.

    Raises:
        TransferError: the API server refused or did not answer, or it does not go away.
    """
    where = _where(document, namespace)
    if not objects.delete(document, where, foreground=True):
        return
    if all(objects.live(document, where) is not None for _ in poll(_GONE, _PAUSE)):
        raise TransferError(f"{describe(document, where)} does not go away")


def stop_job(objects: Objects, document: Document, namespace: str) -> None:
    """End a Job that still runs; one that has ended stays as it is.

    Raises:
        TransferError: as `end_job`.
    """
    found = objects.live(document, _where(document, namespace))
    if found and rollout.job(found) and not rollout.job_failed(found):
        end_job(objects, document, namespace)


def _await(
    objects: Objects, document: Document, namespace: str, timeout: float, watch: Callable[[], None]
) -> tuple[dict[str, Any], str | None]:
    """The Job as it ended, and why it failed if it did."""
    about = describe(document, namespace)
    for last in poll(timeout, _PAUSE):
        found = _running(objects, document, namespace)
        why = rollout.job(found)
        if not why or rollout.job_failed(found):
            return found, why and f"{about}: {why}"
        if last:
            break
        watch()
    troubles = rollout.pod_troubles(_pods(objects, found, namespace))
    return found, "; ".join([f"{about} did not end within {timeout:g} seconds", *troubles])


def _running(objects: Objects, document: Document, namespace: str) -> dict[str, Any]:
    found = objects.live(document, namespace)
    if found is None:
        raise TransferError(f"{describe(document, namespace)} was deleted while it ran")
    return found


def _where(document: Document, namespace: str) -> str:
    return str(document["metadata"].get("namespace") or namespace)


def _log(objects: Objects, job: Document, namespace: str) -> str:
    texts = []
    for pod in _pods(objects, job, namespace):
        path = path_of("api", "v1", "namespaces", namespace, "pods", pod["metadata"]["name"], "log")
        for container in rollout.started(pod):
            try:
                texts.append(objects.connection.text(path, limit=_LOG, container=container))
            except TransferError as fault:  # a log that is lost does not make a Job fail
                texts.append(f"(no log: {fault})\n")
    return "".join(texts)[-_LOG:]


def _pods(objects: Objects, job: Document, namespace: str) -> list[dict[str, Any]]:
    labels = rollout.selector(job)
    return list(objects.list("v1", "Pod", namespace, labels=labels)) if labels else []
