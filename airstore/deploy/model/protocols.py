"""What the engine asks of its surroundings: small interfaces that `airstore.cluster` and others implement.

Every method raises `AirstoreError` when it cannot do what it says, `TransferError` where the API server
does not answer, refuses or breaks off. Every method may be called again after a run was killed in its middle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from airstore.core.kube.documents import Document
from airstore.core.kube.dryruns import Change, Demand, Refusal
from airstore.core.kube.jobs import JobResult
from airstore.core.kube.rights import Right
from airstore.core.kube.sights import Sight
from airstore.core.model.gates import Gate


class ClusterObjects(Protocol):
    """Kubernetes objects, one at a time."""

    def ensure_namespace(self, name: str) -> None:
        """Make a namespace unless it is there; an existing one is left as it is."""

    def apply(self, document: Document, namespace: str) -> None:
        """Server-side apply as field manager ``airstore``, conflicts forced.

        Only the fields of ``document`` change. ``namespace`` is for namespaced kinds that name none.
        Returns once a CustomResourceDefinition is established, so that its resources can follow.
        """

    def remove(self, document: Document, namespace: str) -> None:
        """Delete an object; the pods of a StatefulSet, and with them its claims, are not deleted."""

    def live(self, document: Document, namespace: str) -> dict[str, Any] | None:
        """The live object of the document's apiVersion, kind and name; None where there is none.

        None too where the API server does not know the kind (its CustomResourceDefinition is not there).
        """

    def labelled(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """All objects of a kind in a namespace that have these labels."""


class Drifting(Protocol):
    """Whether live objects are as they were installed, and making them so again."""

    def predict(self, document: Document, namespace: str) -> dict[str, Any] | str:
        """What the API server would make of a live object by this document, or why it refuses.

        Nothing changes.

        Raises:
            TransferError: the server did not answer.
        """

    def put_back(self, document: Document, namespace: str, owner: Mapping[str, str]) -> None:
        """Have an object be what the document says, as Helm would; conflicts are forced.

        Args:
            document: what was installed.
            namespace: where the document says none.
            owner: annotations that say which Helm release it belongs to.
        """


class Rehearsing(Protocol):
    """Server-side dry runs: validation, admission, quotas and webhooks are asked, and nothing changes."""

    def rehearse(self, change: Change) -> Refusal | None:
        """Why an object would not be installed; None if it would be.

        Raises:
            TransferError: the server did not answer.
        """

    def rehearse_pod(self, pod: Document, namespace: str) -> Refusal | None:
        """Why a new pod would not be made; None if it would be.

        Raises:
            TransferError: the server did not answer.
        """

    def crowded(self, demands: Sequence[Demand], namespace: str) -> str | None:
        """Which quota has no room for all of this together, in words; None if each has, or cannot be read.

        Raises:
            TransferError: the server did not answer.
        """


class ClusterWorkloads(Protocol):
    """What runs in pods.

    Objects of a Helm release carry the annotations ``meta.helm.sh/release-name`` and ``-namespace``.
    """

    def stop_writers(
        self, namespace: str, helm_release: str, places: Iterable[str], *, keep_stateful: bool = False
    ) -> None:
        """Scale a Helm release's Deployments and StatefulSets to 0, suspend its CronJobs, await no pods.

        What was there before is remembered in an annotation of each object, written with the same request,
        and not overwritten by a second call.

        Args:
            namespace: of the Helm release.
            helm_release: its name.
            places: namespaces of its objects; only there is looked for them.
            keep_stateful: leave StatefulSets running; a rollback hook talks to the database in them.
        """

    def stop_job(self, document: Document, namespace: str) -> None:
        """Delete a Job that still runs, with its pods; one that has ended, or is not there, is left alone."""

    def start_writers(self, namespace: str, helm_release: str, places: Iterable[str]) -> bool:
        """Undo `stop_writers`: where the annotation is, remove it and set what it remembers.

        An object that has been given replicas again meanwhile (by Helm) keeps them.

        Returns:
            Whether anything was stopped.
        """

    def look(self, document: Document, namespace: str) -> Sight | None:
        """How the pods of a Deployment, StatefulSet, DaemonSet or Job are; None where it is not there."""

    def ready(self, gate: Gate, namespace: str) -> str | None:
        """Ask once whether a health gate holds.

        Args:
            gate: what is asked. The URL of an `HttpGate` names a Service (``http://shop-api.shop/healthz``)
                and is asked through the API server.
            namespace: of the Helm release.

        Returns:
            None if so, else why not, for people.
        """


class Held(Protocol):
    """A Lease that is held and renewed in the background."""

    def check(self) -> None:
        """Raise `LockedError` if it was lost."""

    def confirm(self) -> None:
        """Renew it now, waiting for an API server that restarts; raise `LockedError` if it is lost."""


class Leases(Protocol):
    """coordination.k8s.io Leases."""

    def lease(self, name: str, namespace: str) -> AbstractContextManager[Held]:
        """Hold a Lease for the length of the block; the namespace is made if need be.

        A holder on this host and boot whose process is gone is taken over at once, any other one when its
        time is up.

        Raises:
            LockedError: another process holds it; the message names the holder.
        """


class ClusterFacts(Protocol):
    """What preflight checks look at."""

    def refusals(self, wanted: Sequence[Right]) -> list[Right]:
        """Those that the API server would refuse."""

    def storage_classes(self) -> dict[str, bool]:
        """Names of storage classes, and whether each is the default."""

    def ingress_classes(self) -> set[str]:
        """Names of ingress classes."""


class Pulling(Protocol):
    """Who pods are to the site's registry."""

    def let_pull(self, namespace: str) -> None:
        """Have pods of a namespace be able to pull; called before anything is installed there.

        Nothing is done where they need be nobody, or where the site sees to it.
        """


class Nodes(Protocol):
    """What only nodes know."""

    def unpullable(
        self, images: Sequence[str], namespace: str, pull_secret: str | None, timeout: float
    ) -> list[str]:
        """Which of these images nodes that take pods cannot pull, and why; pods are made for it, and go.

        Args:
            images: references.
            namespace: of the pods.
            pull_secret: an imagePullSecret there; None where pods need none.
            timeout: seconds.
        """


class Jobs(Protocol):
    """Jobs that are run to their end."""

    def run_job(
        self, document: Document, namespace: str, timeout: float, watch: Callable[[], None]
    ) -> JobResult:
        """Delete a Job of this name, create it, wait for its end, collect its log, delete it with its pods.

        One that does not end within ``timeout`` seconds has failed, as the end of the log says. ``watch`` is
        called meanwhile; what it raises ends the Job, and is raised.
        """

    def end_job(self, document: Document, namespace: str) -> None:
        """Delete a Job of this name with its pods, and wait until they are gone; there may be none."""


class ClusterActions(
    ClusterObjects,
    Drifting,
    Rehearsing,
    ClusterWorkloads,
    Leases,
    ClusterFacts,
    Pulling,
    Nodes,
    Jobs,
    Protocol,
):
    """All of it, on one cluster."""
