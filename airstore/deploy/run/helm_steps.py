"""The steps of a run that Helm does, with what is done to the cluster right before."""

from __future__ import annotations

from collections.abc import Callable

from airstore.charts.images.rewrite import rewrite
from airstore.charts.packages.archive import read_chart
from airstore.core.errors import DeployError, ProgramError, UsageError
from airstore.deploy.helm.actions import Supplies, protect_claims
from airstore.deploy.helm.reason import reason
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.plan import crds
from airstore.deploy.run.parts import Cluster, HelmReleases
from airstore.deploy.run.replacing import make_room, move_of
from airstore.deploy.run.steps import Step
from airstore.deploy.run.transition import Transition
from airstore.deploy.run.waits import Waits
from airstore.deploy.waiting.health import unhealthy


class HelmSteps:
    """Definitions, upgrades, removals and reinstatements of one run."""

    def __init__(
        self,
        transition: Transition,
        helm: HelmReleases,
        cluster: Cluster,
        supplies: Supplies,
        waits: Waits,
        say: Callable[[str], None],
    ) -> None:
        self._transition, self._helm, self._cluster = transition, helm, cluster
        self._supplies, self._waits, self._say = supplies, waits, say

    def crds(self, step: Step) -> None:
        """Bring a chart's CustomResourceDefinitions, which Helm upgrades never change."""
        target = self._transition.new[step.item]
        chart = read_chart(self._supplies.chart(target), f"chart {target.running.chart}")
        rules = self._supplies.rewriting(target)
        for wanted in crds.chart_crds(chart):
            document = rewrite(wanted, rules) if rules else wanted
            live = self._cluster.live(document, target.namespace)
            self._cluster.apply(crds.additive(document, live), target.namespace)

    def upgrade(self, step: Step) -> None:
        """Install or upgrade, watched.

        Raises:
            DeployError: Helm refused or its time was up; the message says what the pods say.
        """
        new, old = self._transition.new[step.item], self._transition.old.get(step.item)
        self._namespace(new)
        if old:
            protect_claims(self._cluster, old, new)
        make_room(self._cluster, move_of(self._helm, new, tuple(new.documents())), self._say)
        watch = self._waits.upgrade(new, step)
        try:
            self._helm.install(new, wait=True, watch=watch)
        except (UsageError, ProgramError) as fault:
            # Helm says at most which object is not ready; the pods say why.
            why = unhealthy(self._cluster, new, new.workload_gates()) or watch.why()
            raise DeployError(reason(new, str(fault), why)) from fault
        # An earlier run may have stopped it for good, and what stops it need not be a field of its chart.
        if self._cluster.start_writers(new.namespace, new.name, self._transition.places(step.item)):
            self._waits.until_gates_hold(new, watch)

    def remove(self, step: Step) -> None:
        """Uninstall what left the product."""
        self._helm.uninstall(self._transition.old[step.item])

    def uninstall(self, step: Step) -> None:
        """Uninstall what this run installed."""
        self._helm.uninstall(self._transition.new[step.item])

    def reinstate(self, step: Step) -> None:
        """Install what was installed before.

        Without waiting: what was scaled to 0, and has no replicas in its chart, starts only afterwards.
        """
        old = self._transition.old[step.item]
        self._namespace(old)
        self._helm.turn(old)
        back = move_of(self._helm, old, self._helm.reinstates(old), back=True)
        make_room(self._cluster, back, self._say)
        self._helm.reinstate(old)

    def _namespace(self, target: ReleaseTarget) -> None:
        self._cluster.ensure_namespace(target.namespace)
        self._cluster.let_pull(target.namespace)
