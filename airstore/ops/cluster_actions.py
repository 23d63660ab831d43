"""What an apply does in a cluster: `airstore.deploy.protocols` on `airstore.cluster`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airstore.cluster import jobs, lease
from airstore.cluster.connection import Connection
from airstore.cluster.facts import gather_classes
from airstore.cluster.objects import Objects, describe
from airstore.cluster.permissions import Right, refusals
from airstore.cluster.workloads import Workloads
from airstore.core.errors import TransferError
from airstore.deploy.protocols import Document, Held, JobResult, Permission

_CRD = "CustomResourceDefinition"
_ESTABLISHED = 60.0  # seconds until the API server offers a new kind


class ClusterActions:
    """See `airstore.deploy.protocols.ClusterActions`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._objects = Objects(connection)
        self._workloads = Workloads(self._objects)

    def ensure_namespace(self, name: str) -> None:
        """See `Objects`."""
        if self._objects.get("v1", "Namespace", name) is None:
            self._objects.apply(namespace(name))

    def apply(self, document: Document, namespace: str) -> None:
        """See `Objects`."""
        self._objects.apply(document, namespace, force=True)
        if document["kind"] == _CRD:
            self._await_established(document)

    def live(self, document: Document, namespace: str) -> dict[str, Any] | None:
        """See `Objects`."""
        return self._objects.live(document, namespace)

    def stop_writers(self, namespace: str, helm_release: str, *, keep_stateful: bool = False) -> None:
        """See `Workloads`."""
        self._workloads.stop_writers(namespace, helm_release, keep_stateful=keep_stateful)

    def start_writers(self, namespace: str, helm_release: str) -> None:
        """See `Workloads`."""
        self._workloads.start_writers(namespace, helm_release)

    def ready(self, gate: Document, namespace: str) -> str:
        """See `Workloads`."""
        return self._workloads.ready(gate, namespace)

    @contextmanager
    def lease(self, name: str, namespace: str) -> Iterator[Held]:
        """See `Leases`."""
        self.ensure_namespace(namespace)
        with lease.hold(self._connection, namespace, name) as held:
            yield held

    def refusals(self, wanted: Sequence[Permission]) -> list[Permission]:
        """See `Facts`."""
        rights = {Right(p.verb, p.resource, p.group, p.namespace): p for p in wanted}
        return [rights[right] for right in refusals(self._connection, rights)]

    def storage_classes(self) -> dict[str, bool]:
        """See `Facts`."""
        return {entry.name: entry.default for entry in gather_classes(self._objects, "StorageClass")}

    def ingress_classes(self) -> set[str]:
        """See `Facts`."""
        return {entry.name for entry in gather_classes(self._objects, "IngressClass")}

    def run_job(self, document: Document, namespace: str, timeout: float) -> JobResult:
        """See `Jobs`."""
        done = jobs.run_job(self._objects, document, namespace, timeout)
        return JobResult(done.succeeded, done.log)

    def _await_established(self, document: Document) -> None:
        deadline = time.monotonic() + _ESTABLISHED
        while not _established(self._objects.live(document) or {}):
            if time.monotonic() > deadline:
                raise TransferError(f"{describe(document)} is not established after {_ESTABLISHED:g} seconds")
            time.sleep(0.2)


def namespace(name: str) -> dict[str, Any]:
    """A Namespace; nothing but its name is ours."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _established(crd: Document) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)
