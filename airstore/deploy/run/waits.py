"""Waiting during a step: the pods are looked at, progress is shown, and a Lease that was lost ends it."""

from __future__ import annotations

from collections.abc import Mapping

from airstore.core.kube.sights import Cause
from airstore.deploy.hooks.runner import Watching
from airstore.deploy.model.protocols import ClusterWorkloads, Held
from airstore.deploy.model.redact import Redactor
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.run.steps import Step
from airstore.deploy.waiting.health import Clock, await_gates
from airstore.deploy.waiting.watching import PATIENCE, Display, Stage, Watch, watching_hook


class Waits:
    """The waits of one run.

    Args:
        workloads: what is waited for.
        held: the Lease.
        clock: measures time-outs.
        display: shows how far a step has come.
        redactor: takes secrets out of what is shown.
    """

    def __init__(
        self, workloads: ClusterWorkloads, held: Held, clock: Clock, display: Display, redactor: Redactor
    ) -> None:
        self._workloads, self._clock, self._held = workloads, clock, held
        self._stage = Stage(workloads, clock, display, redactor)

    def healthy(self, target: ReleaseTarget, step: Step, *, hopeful: bool = True) -> None:
        """Until every gate of a Helm release holds.

        Args:
            target: the Helm release.
            step: that it is a part of, for people.
            hopeful: wait to the end, whatever is seen; else a cause that no time will cure ends it.

        Raises:
            DeployError: time is up, or no time will help.
            LockedError: the Lease was lost.
        """
        grace = None if hopeful else _grace(target)
        self.until_gates_hold(target, Watch(self._stage, str(step), target, grace=grace))

    def until_gates_hold(self, target: ReleaseTarget, watch: Watch) -> None:
        """As `healthy`, watched by what has watched already."""

        def check(reasons: str) -> None:
            self._held.check()
            watch(reasons)

        await_gates(self._workloads, self._clock, target, target.gates(), check)

    def upgrade(self, target: ReleaseTarget, step: Step) -> Watch:
        """What watches Helm while it upgrades."""
        return Watch(self._stage, str(step), target, grace=_grace(target), changed=True)

    def hook(self, target: ReleaseTarget, step: Step) -> Watching:
        """What watches a hook."""
        return watching_hook(self._stage, str(step), target)


def _grace(target: ReleaseTarget) -> Mapping[Cause, float] | None:
    return PATIENCE if target.helm.fail_fast else None
