"""Jobs that are run to their end, with what they said."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airstore.cluster import rollout
from airstore.cluster.connection import ApiError, path_of
from airstore.cluster.objects import Objects, describe
from airstore.core.errors import TransferError

_LOG = 64 << 10  # bytes kept of a log
_PAUSE = 0.5  # seconds
_GONE = 120.0  # seconds for an old Job and its pods to disappear

Document = Mapping[str, Any]


@dataclass(frozen=True)
class JobResult:
    """How a Job ended.

    Attributes:
        log: of its pods, the last 64 KiB.
    """

    succeeded: bool
    log: str


def run_job(objects: Objects, document: Document, namespace: str, timeout: float) -> JobResult:
    """Delete a Job of this name, create it, await its end, collect its log, delete it with its pods.

    Args:
        objects: the cluster.
        document: the Job.
        namespace: where the document says none.
        timeout: seconds.

    Raises:
        TransferError: it did not end in time; it is deleted all the same.
    """
    where = document["metadata"].get("namespace") or namespace
    _delete(objects, document, where)
    objects.apply(document, where, force=True)
    try:
        ended = _await(objects, document, where, timeout)
        return JobResult(not rollout.job_failed(ended), _log(objects, ended, where))
    finally:
        _delete(objects, document, where)


def _await(objects: Objects, document: Document, namespace: str, timeout: float) -> dict[str, Any]:
    deadline = time.monotonic() + timeout
    while True:
        found = objects.live(document, namespace)
        if found is None:
            raise TransferError(f"{describe(document, namespace)} was deleted while it ran")
        if not rollout.job(found) or rollout.job_failed(found):
            return found
        if time.monotonic() > deadline:
            troubles = "; ".join(rollout.pod_troubles(_pods(objects, found, namespace)))
            raise TransferError(
                f"{describe(document, namespace)} did not end within {timeout:g} seconds"
                + (f": {troubles}" if troubles else "")
            )
        time.sleep(_PAUSE)


def _log(objects: Objects, job: Document, namespace: str) -> str:
    texts = []
    for pod in _pods(objects, job, namespace):
        path = path_of("api", "v1", "namespaces", namespace, "pods", pod["metadata"]["name"], "log")
        try:
            texts.append(objects.connection.text(path, limit=_LOG))
        except ApiError as fault:
            texts.append(f"(no log: {fault})\n")
    return "".join(texts)[-_LOG:]


def _pods(objects: Objects, job: Document, namespace: str) -> list[dict[str, Any]]:
    labels = rollout.selector(job)
    return list(objects.list("v1", "Pod", namespace, labels=labels)) if labels else []


def _delete(objects: Objects, document: Document, namespace: str) -> None:
    if not objects.delete(document, namespace, foreground=True):
        return
    deadline = time.monotonic() + _GONE
    while objects.live(document, namespace) is not None:
        if time.monotonic() > deadline:
            raise TransferError(f"{describe(document, namespace)} does not go away")
        time.sleep(_PAUSE)
