"""What `airstore.deploy` asks of a cluster, done by `airstore.cluster`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from airstore.cluster.api import drifting, permissions, quotas, rehearsal
from airstore.cluster.api import lease as leases
from airstore.cluster.api.discovery import served_versions, server_version
from airstore.cluster.api.facts import gather_classes
from airstore.cluster.api.objects import Objects, describe
from airstore.cluster.api.transport.connection import ApiError, Connection, connect
from airstore.cluster.registry.pull_secrets import PullLogin, let_pull
from airstore.cluster.workloads.glances import glance
from airstore.cluster.workloads.jobs import end_job, run_job, stop_job
from airstore.cluster.workloads.pull_probe import unpullable
from airstore.cluster.workloads.workloads import Workloads
from airstore.core.errors import TransferError
from airstore.core.kube.documents import Document
from airstore.core.kube.dryruns import Change, Demand, Refusal
from airstore.core.kube.jobs import JobResult
from airstore.core.kube.rights import Right
from airstore.core.kube.sights import Sight
from airstore.core.poll import poll
from airstore.deploy.model.protocols import Held

_ESTABLISHED = 30.0  # seconds for a definition to be served
_GONE = 60.0  # seconds for an object to disappear
_PAUSE = 0.2  # seconds between questions


class SiteCluster:
    """`airstore.deploy.model.protocols.ClusterActions` on a real cluster.

    Args:
        connection: to it.
        login: who pods are to the site's registry; None where they need be nobody.
    """

    def __init__(self, connection: Connection, login: PullLogin | None = None) -> None:
        self._connection, self._login = connection, login
        self._objects = Objects(connection)
        self._workloads = Workloads(self._objects)
        self.stop_writers = self._workloads.stop_writers
        self.start_writers = self._workloads.start_writers
        self.ready = self._workloads.ready

    def version(self) -> str:
        """The API server's version, such as ``v1.36.3``.

        Raises:
            TransferError: it cannot be reached.
        """
        return server_version(self._connection)

    def served(self) -> list[str]:
        """What it serves, as Helm's ``.Capabilities`` lists it.

        Raises:
            TransferError: it cannot be reached.
        """
        return served_versions(self._connection)

    def ensure_namespace(self, name: str) -> None:
        """See `airstore.deploy.model.protocols.ClusterObjects`."""
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        if self._objects.live(document) is None:
            self._objects.apply(document)

    def apply(self, document: Document, namespace: str) -> None:
        """See `airstore.deploy.model.protocols.ClusterObjects`."""
        self._objects.apply(document, namespace, force=True)
        if document.get("kind") == "CustomResourceDefinition":
            self._await_established(document)

    def predict(self, document: Document, namespace: str) -> dict[str, Any] | str:
        """See `airstore.deploy.model.protocols.Drifting`."""
        predicted = drifting.predict(self._objects, document, namespace)
        return str(predicted) if isinstance(predicted, ApiError) else predicted

    def put_back(self, document: Document, namespace: str, owner: Mapping[str, str]) -> None:
        """See `airstore.deploy.model.protocols.Drifting`."""
        drifting.put_back(self._objects, document, namespace, owner)

    def live(self, document: Document, namespace: str) -> dict[str, Any] | None:
        """See `airstore.deploy.model.protocols.ClusterObjects`."""
        return self._objects.live(document, namespace)

    def labelled(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """See `airstore.deploy.model.protocols.ClusterObjects`."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        return list(self._objects.list(api_version, kind, namespace, labels=selector))

    def rehearse(self, change: Change) -> Refusal | None:
        """See `airstore.deploy.model.protocols.Rehearsing`."""
        return rehearsal.rehearse(self._objects, change)

    def rehearse_pod(self, pod: Document, namespace: str) -> Refusal | None:
        """See `airstore.deploy.model.protocols.Rehearsing`."""
        return rehearsal.rehearse_pod(self._objects, pod, namespace)

    def crowded(self, demands: Sequence[Demand], namespace: str) -> str | None:
        """See `airstore.deploy.model.protocols.Rehearsing`."""
        return quotas.lacking(self._objects, demands, namespace)

    def remove(self, document: Document, namespace: str) -> None:
        """See `airstore.deploy.model.protocols.ClusterObjects`."""
        orphan = document.get("kind") == "StatefulSet"
        self._objects.delete(document, namespace, orphan=orphan)
        for last in poll(_GONE, _PAUSE):
            if self._objects.live(document, namespace) is None:
                return
            if last:
                raise TransferError(f"{describe(document, namespace)} does not go away")

    def lease(self, name: str, namespace: str) -> AbstractContextManager[Held]:
        """See `airstore.deploy.model.protocols.Leases`."""
        self.ensure_namespace(namespace)
        return leases.hold(self._connection, namespace, name, name.removeprefix("airstore-"))

    def refusals(self, wanted: Sequence[Right]) -> list[Right]:
        """See `airstore.deploy.model.protocols.ClusterFacts`."""
        return permissions.refusals(self._connection, wanted)

    def storage_classes(self) -> dict[str, bool]:
        """See `airstore.deploy.model.protocols.ClusterFacts`."""
        return {each.name: each.default for each in gather_classes(self._objects, "StorageClass")}

    def ingress_classes(self) -> set[str]:
        """See `airstore.deploy.model.protocols.ClusterFacts`."""
        return {each.name for each in gather_classes(self._objects, "IngressClass")}

    @property
    def pulling(self) -> bool:
        """Whether pulling takes a Secret and a change of the default ServiceAccount."""
        return self._login is not None

    def let_pull(self, namespace: str) -> None:
        """See `airstore.deploy.model.protocols.Pulling`."""
        if self._login:
            let_pull(self._objects, self._login, namespace)

    def unpullable(
        self, images: Sequence[str], namespace: str, pull_secret: str | None, timeout: float
    ) -> list[str]:
        """See `airstore.deploy.model.protocols.Nodes`."""
        return unpullable(self._objects, namespace, images, pull_secret, timeout)

    def look(self, document: Document, namespace: str) -> Sight | None:
        """See `airstore.deploy.model.protocols.ClusterWorkloads`."""
        return glance(self._objects, document, namespace)

    def run_job(
        self, document: Document, namespace: str, timeout: float, watch: Callable[[], None]
    ) -> JobResult:
        """See `airstore.deploy.model.protocols.Jobs`."""
        return run_job(self._objects, document, namespace, timeout, watch)

    def end_job(self, document: Document, namespace: str) -> None:
        """See `airstore.deploy.model.protocols.Jobs`."""
        end_job(self._objects, document, namespace)

    def stop_job(self, document: Document, namespace: str) -> None:
        """See `airstore.deploy.model.protocols.ClusterWorkloads`."""
        stop_job(self._objects, document, namespace)

    def _await_established(self, document: Document) -> None:
        """Wait until its kind is served, too: discovery says so a moment after the condition."""
        for last in poll(_ESTABLISHED, _PAUSE):
            live = self._objects.live(document) or {}
            found = (live.get("status") or {}).get("conditions") or ()
            conditions = {each.get("type"): each.get("status") for each in found}
            if conditions.get("Established") == "True" and all(map(self._objects.knows, *_served(live))):
                return
            if last:
                raise TransferError(f"{document['metadata']['name']} is not established: {conditions}")


def _served(definition: Document) -> tuple[list[str], list[str]]:
    """The API versions that a CRD serves, and for each its kind."""
    spec = definition["spec"]
    versions = [f"{spec['group']}/{each['name']}" for each in spec["versions"] if each["served"]]
    return versions, [spec["names"]["kind"]] * len(versions)


@contextmanager
def open_cluster(kubeconfig: Path | None, login: PullLogin | None = None) -> Iterator[SiteCluster]:
    """The cluster of a kubeconfig's current context; in a Pod, its own.

    Args:
        kubeconfig: None in a pod.
        login: who pods are to the site's registry; None where they need be nobody.

    Raises:
        NotFoundError: no usable kubeconfig.
    """
    with connect(kubeconfig) as connection:
        yield SiteCluster(connection, login)
