"""A Job of one pod, run to its end while its log is passed on, with its exit code."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from airstore.cluster.api.objects import Objects, describe
from airstore.cluster.api.transport.connection import ApiError, path_of
from airstore.cluster.workloads import rollout
from airstore.core.errors import TransferError
from airstore.core.kube.documents import Document

_PAUSE = 1.0  # seconds
_ENDED = frozenset({"Succeeded", "Failed"})


def run_logged(
    objects: Objects, job: Document, write: Callable[[bytes], None], say: Callable[[str], None]
) -> int:
    """Create a Job, pass on what its container writes, delete it; returns the container's exit code.

    Args:
        objects: the cluster.
        job: of one container; must not exist yet.
        write: takes the log as it comes.
        say: told what keeps the pod from running.

    Raises:
        TransferError: the API server refused, or the pod was never run to its end.
    """
    objects.apply(job)
    try:
        return _Follower(objects, job, write, say).to_the_end()
    finally:
        with suppress(TransferError):  # Kubernetes deletes it in the end
            objects.delete(job)


class _Follower:
    def __init__(
        self, objects: Objects, job: Document, write: Callable[[bytes], None], say: Callable[[str], None]
    ) -> None:
        self._objects, self._job, self._write, self._say = objects, job, write, say
        self._namespace = job["metadata"]["namespace"]
        self._written = 0
        self._troubles: list[str] = []

    def to_the_end(self) -> int:
        while True:
            pod = self._pod()
            if pod is None:
                self._check_job()
            else:
                ended = (pod.get("status") or {}).get("phase") in _ENDED
                if ended or _state(pod, "running"):
                    self._pass_on(pod["metadata"]["name"])
                if ended:
                    self._check_deadline()
                    return _exit_code(pod)
                self._complain(pod)
            time.sleep(_PAUSE)

    def _pod(self) -> dict[str, Any] | None:
        labels = f"batch.kubernetes.io/job-name={self._job['metadata']['name']}"
        found = list(self._objects.list("v1", "Pod", self._namespace, labels=labels))
        return found[-1] if found else None

    def _check_job(self) -> None:
        live = self._objects.live(self._job)
        what = describe(self._job)
        if live is None:
            raise TransferError(f"{what} was deleted while it ran")
        if rollout.job_failed(live):
            raise TransferError(f"{what} was ended: {rollout.job(live)}")

    def _check_deadline(self) -> None:
        """The exit code of a container that Kubernetes ended says nothing about its command."""
        status = (self._objects.live(self._job) or {}).get("status") or {}
        for condition in status.get("conditions") or ():
            if condition.get("reason") == "DeadlineExceeded":
                raise TransferError(f"{describe(self._job)} was ended: it took longer than it may")

    def _pass_on(self, pod: str) -> None:
        """The log from where we are, until it ends or the connection does."""
        path = path_of("api", "v1", "namespaces", self._namespace, "pods", pod, "log")
        skip = self._written
        try:
            for piece in self._objects.connection.stream(f"{path}?follow=true"):
                fresh = piece[skip:]
                skip = max(0, skip - len(piece))
                self._written += len(fresh)
                if fresh:
                    self._write(fresh)
        except ApiError as fault:
            if fault.status in {401, 403}:
                raise
        except TransferError:
            return  # silence for a while, or the server restarts: asked again from the beginning

    def _complain(self, pod: Document) -> None:
        troubles = [text.partition(" (")[0] for text in rollout.pod_troubles([pod])]
        if troubles and troubles != self._troubles:
            self._say(f"waiting: {'; '.join(rollout.pod_troubles([pod]))}")
        self._troubles = troubles


def _state(pod: Document, name: str) -> dict[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    state: dict[str, Any] = (statuses[0].get("state") or {}).get(name) or {}
    return state


def _exit_code(pod: Document) -> int:
    ended = _state(pod, "terminated")
    if "exitCode" not in ended:
        status = pod.get("status") or {}
        why = f"{status.get('reason') or status.get('phase')}: {status.get('message') or 'no container ran'}"
        raise TransferError(f"pod {pod['metadata']['name']} ended without an exit code: {why}")
    return int(ended["exitCode"])
