"""What is really there once a run has ended: Helm and the workloads are asked, nothing is derived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from airstore.core.errors import AirstoreError
from airstore.core.frozen import frozen
from airstore.deploy.helm.records import HelmStatus
from airstore.deploy.model.protocols import ClusterWorkloads
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.waiting.health import unhealthy


class Statuses(Protocol):
    """Helm, as far as it is asked."""

    def status(self, target: ReleaseTarget) -> HelmStatus | None:
        """The newest revision; None where there is no such release."""


@frozen
class Seen:
    """One Helm release as it was found.

    Attributes:
        helm: None where Helm has no such release, or could not be asked.
        unhealthy: which gates do not hold, and why; empty where all do.
        fault: why it could not be asked; empty where it could.
    """

    helm: HelmStatus | None
    unhealthy: str = ""
    fault: str = ""

    def __str__(self) -> str:
        if self.fault:
            return f"not known: {self.fault}"
        if self.helm is None:
            return "absent"
        health = f"not healthy: {self.unhealthy}" if self.unhealthy else "healthy"
        return f"{self.helm.chart} {self.helm.status}, {health}"

    def is_as(self, wanted: ReleaseTarget | None) -> bool:
        """Whether this is what is wanted, running and healthy; None wants it not to be there."""
        if self.fault or wanted is None:
            return not self.fault and self.helm is None
        if self.helm is None or self.helm.status != "deployed" or self.unhealthy:
            return False
        return self.helm.chart.endswith(f"-{wanted.running.chart_version}")


def observe(
    helm: Statuses,
    workloads: ClusterWorkloads,
    wanted: Mapping[str, ReleaseTarget],
    others: Mapping[str, ReleaseTarget],
) -> dict[str, Seen]:
    """Look at every Helm release of a run; what cannot be asked is said, not raised.

    Args:
        helm: says what it has.
        workloads: say whether they are healthy.
        wanted: key to Helm release, of those that should run.
        others: of those that should not.
    """
    return {key: _look(helm, workloads, target) for key, target in {**others, **wanted}.items()}


def _look(helm: Statuses, workloads: ClusterWorkloads, target: ReleaseTarget) -> Seen:
    try:
        found = helm.status(target)
        if found is None or found.status == "uninstalled":
            return Seen(None)
        return Seen(found, unhealthy(workloads, target, target.gates()))
    except AirstoreError as fault:
        return Seen(None, fault=str(fault))
