"""One Helm on one cluster: every call with its namespace, its kubeconfig, a deadline and the guard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path

from airstore.charts.helm.access import ClusterAccess
from airstore.charts.helm.command import Helm
from airstore.core.frozen import frozen
from airstore.deploy.model.target import ReleaseTarget

_GRACE = 60.0  # seconds for Helm to notice its own time-out


@frozen
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
        self,
        arguments: Sequence[str],
        target: ReleaseTarget,
        watch: Callable[[], None] | None = None,
        *,
        read: Sequence[Path] = (),
    ) -> str:
        """Run one command for a Helm release; returns its standard output.

        Args:
            arguments: Helm's.
            target: the Helm release.
            watch: called every second meanwhile; what it raises ends Helm, and is raised.
            read: files and directories that the arguments name.

        Raises:
            UsageError: Helm refused or its time was up.
        """
        command, *rest = arguments
        return self.helm.run_with(
            ClusterAccess(self.kubeconfig),
            [command, f"--namespace={target.namespace}", *rest],
            f"{command} {target.running.key}",
            read=read,
            timeout=target.timeout + _GRACE,
            guard=self.guard,
            watch=watch,
        )
