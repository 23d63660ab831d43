"""Health gates: what must be so before a Helm release counts as healthy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from airstore.core.errors import DeployError, TransferError
from airstore.core.model.gates import Gate
from airstore.deploy.model.protocols import ClusterWorkloads
from airstore.deploy.model.target import ReleaseTarget

_PAUSE = 2.5  # seconds between questions
_SETTLED = 5.0  # seconds that everything must hold


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        time.sleep(seconds)


def await_gates(
    workloads: ClusterWorkloads,
    clock: Clock,
    target: ReleaseTarget,
    gates: Iterable[Gate],
    check: Callable[[str], None],
) -> None:
    """Ask until every gate holds for a moment: a container that dies at once was up, too.

    Args:
        workloads: answers.
        clock: measures the Helm release's time-out.
        target: the Helm release.
        gates: what must be so.
        check: called with what does not hold, after each round; raises when the run must stop.

    Raises:
        DeployError: time is up; the message names what is not healthy and why.
    """
    every = list(gates)
    deadline = clock.now() + target.timeout
    since: float | None = None
    while every:
        reasons = unhealthy(workloads, target, every)
        check(reasons)
        now = clock.now()
        since = None if reasons else now if since is None else since
        if since is not None and now - since >= _SETTLED:
            return
        if reasons and now >= deadline:
            raise DeployError(f"{target.running.key} is not healthy after {target.helm.timeout}: {reasons}")
        clock.sleep(_PAUSE)


def unhealthy(workloads: ClusterWorkloads, target: ReleaseTarget, gates: Iterable[Gate]) -> str:
    """Gates that do not hold now, and why; an empty string if all do."""
    asked = ((gate, _ask(workloads, gate, target.namespace)) for gate in gates)
    return "; ".join(f"{gate}: {why}" for gate, why in asked if why)


def _ask(workloads: ClusterWorkloads, gate: Gate, namespace: str) -> str | None:
    try:
        return workloads.ready(gate, namespace)
    except TransferError as fault:  # an API server that restarts is no unhealthy product
        return str(fault)
