"""What runs in pods: health gates, and stopping the writers of a Helm release."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any
from urllib.parse import urlsplit

from airstore.cluster.api.labels import REMEMBERED, annotation, changed
from airstore.cluster.api.objects import Objects, describe
from airstore.cluster.api.transport.connection import ApiError, path_of
from airstore.cluster.workloads import resource_gates, rollout
from airstore.core.errors import TransferError, UsageError
from airstore.core.kube.documents import Document
from airstore.core.model.gates import Gate, HttpGate, ResourceGate
from airstore.core.poll import poll

_HELM = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
_GATES: dict[str, tuple[str, str, Callable[[Document], str | None]]] = {
    "deployment": ("apps/v1", "Deployment", rollout.deployment),
    "statefulset": ("apps/v1", "StatefulSet", rollout.stateful_set),
    "daemonset": ("apps/v1", "DaemonSet", rollout.daemon_set),
    "job": ("batch/v1", "Job", rollout.job),
}
_SCALED = (("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"))
_CRON = ("batch/v1", "CronJob")
_PAUSE = 1.0  # seconds
_WORDS = 500  # bytes of a crashed container's log
_SHOWN = 3  # troubles of pods
_MESSAGE = 240  # characters of an event


class Workloads:
    """Workloads of one cluster.

    Args:
        objects: the cluster.
        end_timeout: seconds to wait for pods to end once they were told to.
    """

    def __init__(self, objects: Objects, *, end_timeout: float = 300.0) -> None:
        self._objects = objects
        self._end_timeout = end_timeout

    def ready(self, gate: Gate, namespace: str) -> str | None:
        """Why a health gate does not hold now; None if it does.

        Args:
            gate: what is asked.
            namespace: of the Helm release.

        Raises:
            TransferError: the API server did not answer or refused.
        """
        match gate:
            case HttpGate():
                return self._asked(gate.url, namespace)
            case ResourceGate():
                return self._resource(gate, namespace)
        api_version, proper, judge = _GATES[gate.kind]
        found = self._objects.get(api_version, proper, gate.name, namespace)
        if found is None:
            return f"there is no {proper} {namespace}/{gate.name}"
        why = _stopped(found) or judge(found)
        return f"{proper} {namespace}/{gate.name}: {why}{self._troubles(found, namespace)}" if why else None

    def _resource(self, gate: ResourceGate, namespace: str) -> str | None:
        where = gate.namespace or namespace
        found = self._objects.get(gate.api_version, gate.kind, gate.name, where)
        if found is None:
            return f"there is no {gate.kind} {where}/{gate.name}"
        why = resource_gates.judge(gate.test, found)
        return f"{describe(found)}: {why}" if why else None

    def image_digests(self, namespace: str, labels: str = "") -> dict[str, set[str]]:
        """Image reference of each container in a namespace to the digests that the kubelet reports."""
        return rollout.image_digests(self._objects.list("v1", "Pod", namespace, labels=labels))

    def stop_writers(
        self, namespace: str, helm_release: str, places: Iterable[str], *, keep_stateful: bool = False
    ) -> None:
        """Scale a Helm release's workloads to 0, suspend its CronJobs, and await their pods' end.

        What was there before is kept in an annotation of each object, written with the same request.

        Args:
            namespace: of the Helm release.
            helm_release: its name.
            places: namespaces of its objects; nothing else is listed, so that no right to more is needed.
            keep_stateful: leave StatefulSets as they are.

        Raises:
            TransferError: the API server refused, or pods did not end in time.
        """
        stopped = []
        for item in self._owned(namespace, helm_release, places):
            if keep_stateful and item["kind"] == "StatefulSet":
                continue
            field, off = _switch(item)
            before = annotation(item, REMEMBERED) or str(item["spec"].get(field, _DEFAULTS[field])).lower()
            if item["spec"].get(field, _DEFAULTS[field]) != off or not annotation(item, REMEMBERED):
                self._objects.merge(_change(item, before, field, off))
            if item["kind"] != _CRON[1]:
                stopped.append(item)
        for item in stopped:
            self._await_end(item, namespace)

    def start_writers(self, namespace: str, helm_release: str, places: Iterable[str]) -> bool:
        """Undo `stop_writers`; an object that has been given replicas again meanwhile keeps them.

        Returns:
            Whether anything was stopped.

        Raises:
            TransferError: the API server refused.
        """
        found = False
        for item in self._owned(namespace, helm_release, places):
            remembered = annotation(item, REMEMBERED)
            if not remembered:
                continue
            found = True
            field, off = _switch(item)
            current = item["spec"].get(field, _DEFAULTS[field])
            before = remembered == "true" if field == "suspend" else int(remembered)
            self._objects.merge(_change(item, None, field, before if current == off else current))
        return found

    def _owned(self, namespace: str, helm_release: str, places: Iterable[str]) -> Iterator[dict[str, Any]]:
        for place, (api_version, kind) in product(places, (*_SCALED, _CRON)):
            for item in self._objects.list(api_version, kind, place):
                if tuple(annotation(item, key) for key in _HELM) == (helm_release, namespace):
                    yield item

    def _await_end(self, item: Document, namespace: str) -> None:
        where = item["metadata"].get("namespace") or namespace
        for last in poll(self._end_timeout, _PAUSE):
            pods = list(self._objects.list("v1", "Pod", where, labels=rollout.selector(item)))
            left = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in _ENDED]
            if not left:
                return
            if last:
                names = ", ".join(pod["metadata"]["name"] for pod in left)
                raise TransferError(f"{describe(item)}: pods do not end: {names}")

    def _troubles(self, item: Document, namespace: str) -> str:
        labels = rollout.selector(item)
        pods = list(self._objects.list("v1", "Pod", namespace, labels=labels)) if labels else []
        unready = list(rollout.unready(pods))[:_SHOWN]
        probed = [f"pod {name} runs and is not ready{self._warning(name, namespace)}" for name in unready]
        crashed = next(rollout.crashing(pods), None)  # one is enough: this is asked again and again
        said = self._last_words(namespace, *crashed) if crashed else ""
        troubles = list(dict.fromkeys([*rollout.pod_troubles(pods), *probed]))[:_SHOWN]
        return "".join(f"; {trouble}" for trouble in (*troubles, said) if trouble)

    def _last_words(self, namespace: str, pod: str, container: str) -> str | None:
        """What a crashed container said last."""
        path = path_of("api", "v1", "namespaces", namespace, "pods", pod, "log")
        try:
            text = self._objects.connection.text(path, limit=_WORDS, container=container, previous=True)
        except ApiError:  # the kubelet has dropped it; the exit code is in the trouble itself
            return None
        return f"{container} said: {' / '.join(text.strip().splitlines()[-3:])}"

    def _warning(self, pod: str, namespace: str) -> str:
        """The kubelet's last warning about a pod; why a probe fails is said nowhere else."""
        fields = f"involvedObject.kind=Pod,involvedObject.name={pod},type=Warning"
        try:
            events = list(self._objects.list("v1", "Event", namespace, fields=fields))
        except TransferError:  # not everybody may read events
            return ""
        newest = max(events, key=lambda event: str(event.get("lastTimestamp") or ""), default=None)
        return f": {' '.join(str(newest.get('message')).split())[:_MESSAGE]}" if newest else ""

    def _asked(self, url: str, namespace: str) -> str | None:
        # Through the API server: the operator's machine need not be in the pods' network.
        status, said = self._objects.connection.ask(proxy_path(url, namespace))
        return None if 200 <= status < 300 else f"{url} answered {status}: {' '.join(said.split())}"


_DEFAULTS: dict[str, int | bool] = {"replicas": 1, "suspend": False}
_ENDED = frozenset({"Succeeded", "Failed"})


def proxy_path(url: str, namespace: str) -> str:
    """Where the API server offers a Service's URL: ``http://shop-api.shop/healthz``.

    Raises:
        UsageError: the URL does not name a Service as pods know it.
    """
    where, service = service_of(url, namespace)
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"/api/v1/namespaces{path_of(where)}/services/{service}/proxy{parts.path or '/'}{query}"


def service_of(url: str, namespace: str) -> tuple[str, str]:
    """Namespace of a URL's Service, and the Service with scheme and port as the API server's proxy names it.

    Raises:
        UsageError: the URL does not name a Service as pods know it.
    """
    parts = urlsplit(url)
    labels = (parts.hostname or "").split(".")
    if parts.scheme not in {"http", "https"} or not all(labels) or labels[2:3] not in ([], ["svc"]):
        raise UsageError(
            f"not the URL of a Service: {url!r}", hint="write it as pods do: http://SERVICE.NAMESPACE/PATH"
        )
    where = labels[1] if len(labels) > 1 else namespace
    port = parts.port or (443 if parts.scheme == "https" else 80)
    scheme = "https:" if parts.scheme == "https" else ""
    return where, f"{scheme}{labels[0]}:{port}"


def _stopped(item: Document) -> str | None:
    """What nothing wants to run counts as rolled out, also where it is a rollback that has stopped it."""
    stopped = item["kind"] != _CRON[1] and item["spec"].get("replicas") == 0 and annotation(item, REMEMBERED)
    return "a rollback stopped it, and has not started it again" if stopped else None


def _switch(item: Document) -> tuple[str, int | bool]:
    return ("suspend", True) if item["kind"] == _CRON[1] else ("replicas", 0)


def _change(item: Document, remembered: str | None, field: str, value: object) -> dict[str, Any]:
    metadata = item["metadata"]
    return {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "annotations": changed(REMEMBERED, remembered),
        },
        "spec": {field: value},
    }
