"""What Helm would install over what stands, and making room for it.

Objects that cannot become what is installed next are deleted; Helm makes them again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from airstore.core.kube.documents import Document
from airstore.deploy.checks.rehearsal import Move, RehearsalCluster, describe, rehearse
from airstore.deploy.helm.kept import Standing
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.run.steps import Event, stopped
from airstore.deploy.run.transition import Transition


class HelmState(Protocol):
    """What is asked of Helm."""

    def standing(self, target: ReleaseTarget) -> Standing:
        """What Helm has installed, and how it will go on."""


class Reinstating(HelmState, Protocol):
    """Helm that can install again what was installed."""

    def reinstates(self, target: ReleaseTarget) -> tuple[Document, ...]:
        """What it would install then, what hooks made included."""


class Removing(RehearsalCluster, Protocol):
    """A cluster whose objects can be deleted."""

    def remove(self, document: Document, namespace: str) -> None:
        """Delete an object; the pods of a StatefulSet, and with them its claims, are not deleted."""


def move_of(
    helm: HelmState, target: ReleaseTarget, documents: tuple[Document, ...], *, back: bool = False
) -> Move:
    """A Helm release as Helm would install it over what is installed now.

    Raises:
        AirstoreError: Helm or the cluster did not answer.
    """
    now = helm.standing(target)
    return Move(target, documents, now.documents, now.on_server, back)


def moves_back(helm: Reinstating, transition: Transition, events: Sequence[Event]) -> list[Move]:
    """What a rollback would have Helm install, and what it uninstalls first, which makes room.

    Args:
        helm: knows what is installed.
        transition: of the run.
        events: of its journal.

    Raises:
        AirstoreError: Helm or the cluster did not answer.
    """
    leaving = [transition.new[item.key] for item in transition.run.items if item.action == "install"]
    returning = [transition.old[key] for key in stopped(transition.run, events)]
    return [
        *(move_of(helm, new, (), back=True) for new in leaving),
        *(move_of(helm, old, helm.reinstates(old), back=True) for old in returning),
    ]


def make_room(cluster: Removing, move: Move, say: Callable[[str], None]) -> None:
    """Delete live objects that cannot become what is to be installed.

    Raises:
        TransferError: the cluster did not answer.
    """
    found = rehearse(cluster, [move], pods=False)[move.target.running.key]
    for document in found.replaced:
        say(f"{move.target.running.key}: {describe(document)} cannot be changed; it is made again")
        cluster.remove(document, move.target.namespace)
