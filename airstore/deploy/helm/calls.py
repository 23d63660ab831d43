"""One Helm on one cluster: every call with its namespace, its kubeconfig, a deadline and the guard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from airstore.charts.helm.command import Helm
from airstore.deploy.model.target import ReleaseTarget

_GRACE = 60.0  # seconds for Helm to notice its own time-out


@dataclass(frozen=True)
class HelmCalls:
    """Runs Helm for one Helm release at a time.

    Attributes:
        kubeconfig: None inside a cluster.
        guard: lock file that every Helm holds while it runs.
    """

    helm: Helm
    kubeconfig: Path | None
    guard: Path = field(repr=False)

    @cached_property
    def major(self) -> int:
        """3 or 4."""
        return self.helm.version()[0]

    def run(
        self, arguments: Sequence[str], target: ReleaseTarget, watch: Callable[[], None] | None = None
    ) -> str:
        """Run one command for a Helm release; returns its standard output.

        Args:
            arguments: Helm's.
            target: the Helm release.
            watch: called every second meanwhile; what it raises ends Helm, and is raised.

        Raises:
            UsageError: Helm refused or its time was up.
        """
        flags = [f"--namespace={target.namespace}"]
        flags += [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        command, *rest = arguments
        what = f"{command} {target.running.key}"
        timeout = target.timeout + _GRACE
        words = [command, *flags, *rest]
        return self.helm.run(words, what, timeout=timeout, guard=self.guard, watch=watch)
