"""The steps of a run that stop and start pods, or wait for them."""

from __future__ import annotations

from collections.abc import Sequence

from airstore.core.errors import DeployError
from airstore.deploy.checks.rehearsal import rehearse
from airstore.deploy.run.parts import Cluster, HelmReleases, Hooks
from airstore.deploy.run.replacing import moves_back
from airstore.deploy.run.steps import Event, Step
from airstore.deploy.run.transition import Transition
from airstore.deploy.run.waits import Waits


class WorkloadSteps:
    """Stopping, starting and health of one run.

    Args:
        events: of the run's journal, which go on growing.
    """

    def __init__(
        self,
        transition: Transition,
        helm: HelmReleases,
        cluster: Cluster,
        hooks: Hooks,
        waits: Waits,
        events: Sequence[Event],
    ) -> None:
        self._transition, self._helm, self._cluster = transition, helm, cluster
        self._hooks, self._waits, self._events = hooks, waits, events
        self._can_return = False

    def stop(self, step: Step) -> None:
        """Scale what writes to 0, and end its Jobs.

        Raises:
            DeployError: what would be stopped could not start again; nothing is stopped.
        """
        key = step.item
        self._check_return()
        if new := self._transition.new.get(key):
            self._hooks.end(new)  # a Job that could not be ended when it failed still writes
            for document in new.documents():
                if document.get("kind") == "Job":  # Helm's hooks, too: it leaves them when its time is up
                    self._cluster.stop_job(document, new.namespace)
        stateful = "rollback" in self._transition.item(key).hooks
        target, places = self._transition.present(key), self._transition.places(key)
        self._cluster.stop_writers(target.namespace, target.name, places, keep_stateful=stateful)

    def start(self, step: Step) -> None:
        """Give what was stopped its replicas back."""
        target, places = self._transition.present(step.item), self._transition.places(step.item)
        self._cluster.start_writers(target.namespace, target.name, places)

    def health(self, step: Step) -> None:
        """Wait until what is new is healthy; no longer than that can help."""
        self._waits.healthy(self._transition.new[step.item], step, hopeful=False)

    def recovered(self, step: Step) -> None:
        """Wait until what ran before is healthy again."""
        self._waits.healthy(self._transition.old[step.item], step)

    def _check_return(self) -> None:
        """Before the first thing is stopped: whether what ran before would be let in again.

        What is stopped now and refused later would leave nothing that runs.
        """
        if self._can_return:
            return
        moves = moves_back(self._helm, self._transition, self._events)
        found = rehearse(self._cluster, moves).values()
        if lines := [f"  {finding}" for each in found for finding in each.findings]:
            raise DeployError("nothing is stopped, because it could not start again:\n" + "\n".join(lines))
        self._can_return = True
