"""The engine: asks the state machine for the next step, journals that it begins, does it, journals the end.

A kill between any two lines of the journal is safe: what began and did not end is done again, and every step
may be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from airstore.charts.archive import read_chart
from airstore.charts.rewrite import rewrite
from airstore.core.errors import AirstoreError, DeployError, LockedError, StorageError, UsageError
from airstore.core.excerpt import excerpt
from airstore.deploy import crds
from airstore.deploy.health import Clock, await_gates, unhealthy
from airstore.deploy.helm_actions import Supplies, protect_claims
from airstore.deploy.helm_records import HelmStatus
from airstore.deploy.hooks import Hook, clear
from airstore.deploy.immutable import make_room
from airstore.deploy.journal import Journal
from airstore.deploy.protocols import Held, Objects, Workloads
from airstore.deploy.redact import Redactor
from airstore.deploy.steps import End, Item, Kind, Run, Status, Step, next_step
from airstore.deploy.target import Target

_ATTEMPTS = 3  # of a step on the way back
_PAUSE = 5.0  # seconds between them
_LONGEST = 4000  # characters of an error that the journal keeps


class HelmReleases(Protocol):
    """Helm; `airstore.deploy.helm_actions.HelmActions` is the real one."""

    def install(self, target: Target, *, wait: bool) -> None:
        """Install or upgrade, whatever state an earlier run left the release in."""

    def reinstate(self, target: Target) -> None:
        """Install again the very objects that were installed before."""

    def turn(self, target: Target) -> None:
        """Before the old chart follows a failed upgrade: see to it that nothing of that will be left."""

    def uninstall(self, target: Target) -> None:
        """Uninstall unless that was done already; volume claims stay."""

    def status(self, target: Target) -> HelmStatus | None:
        """The newest revision; None where there is no such release."""


class Hooks(Protocol):
    """Runs hooks; `airstore.deploy.hooks.HookRunner` is the real one."""

    def run(self, hook: Hook) -> None:
        """Run one hook to its end."""

    def end(self, target: Target) -> None:
        """End what an airstore that was killed left running of a Helm release's hooks."""


class Cluster(Objects, Workloads, Protocol):
    """What the engine itself asks of a cluster."""


@dataclass(frozen=True)
class World:
    """Everything outside that the engine acts on.

    Attributes:
        let_pull: makes pods of a namespace able to pull; called before anything is installed there.
    """

    helm: HelmReleases
    cluster: Cluster
    hooks: Hooks
    supplies: Supplies
    clock: Clock
    held: Held
    let_pull: Callable[[str], None]


@dataclass(frozen=True)
class Course:
    """What a run is about, with everything it takes to do its steps.

    Attributes:
        run: the items.
        new: key to Helm release as it is to be; of a rollback on demand, as it is now.
        old: key to Helm release as it was; of a rollback on demand, as it is to be again.
        previous: the version of the product that ``old`` is.
        backups: directory of the run's own backups, one below it for each item.
    """

    run: Run
    new: Mapping[str, Target]
    old: Mapping[str, Target]
    previous: str
    backups: Path

    def item(self, key: str) -> Item:
        """One item by its key."""
        return next(item for item in self.run.items if item.key == key)

    def backup(self, key: str) -> Path:
        """Where the backup of an item is, or goes."""
        earlier = self.item(key).backup
        return Path(earlier) if earlier else self.backups / key.replace("/", "_")


@dataclass
class Engine:
    """Drives one run to its end.

    Attributes:
        say: told what is done, in words for people.
    """

    world: World
    course: Course
    journal: Journal
    redactor: Redactor = field(repr=False)
    say: Callable[[str], None]

    def drive(self) -> End:
        """Do step after step.

        Raises:
            LockedError: the Lease was lost; the next command goes on.
            StorageError: the journal cannot be written; the next command goes on.
        """
        self._end_left_hooks()
        while isinstance(step := next_step(self.course.run, self.journal.events), Step):
            self.world.held.check()
            self.journal.record(Status.BEGIN, step)
            self.say(f"{step} ...")
            fault = self._attempt(step)
            if fault is None:
                self.journal.record(Status.DONE, step)
                continue
            text = self.redactor.text(str(fault))
            self.say(f"{step} failed: {text}")
            self.journal.record(Status.FAILED, step, excerpt(text, _LONGEST))
        return step

    def _end_left_hooks(self) -> None:
        events = self.journal.events
        done = {event.step for event in events if event.status is Status.DONE}
        for step in dict.fromkeys(event.step for event in events if event.status is Status.BEGIN):
            if step and step.kind in _HOOKS and step not in done:
                self.world.hooks.end(self.course.new[step.item])

    def _attempt(self, step: Step) -> AirstoreError | None:
        # The way back is worth a second try: an API server that restarts must not leave a site half-way.
        attempts = _ATTEMPTS if step.kind in _BACK else 1
        for attempt in range(attempts):
            try:
                self._perform(step)
            except (LockedError, StorageError):
                raise
            except AirstoreError as fault:
                if attempt + 1 == attempts:
                    return fault
                self.say(f"{step}: {self.redactor.text(str(fault))}; trying again")
                self.world.clock.sleep(_PAUSE)
                self.world.held.check()
            else:
                break
        return None

    def _perform(self, step: Step) -> None:
        key = step.item
        if step.kind is Kind.RESTORE_AGAIN:
            self._listening(self.course.old[key])
        if step.kind in _HOOKS:
            self._hook(_HOOKS[step.kind], key)
        elif step.kind is Kind.CRDS:
            self._crds(self.course.new[key])
        elif step.kind is Kind.UPGRADE:
            self._upgrade(self.course.new[key], self.course.old.get(key))
        elif step.kind is Kind.REMOVE:
            self.world.helm.uninstall(self.course.old[key])
        elif step.kind is Kind.UNINSTALL:
            self.world.helm.uninstall(self.course.new[key])
        elif step.kind is Kind.REINSTATE:
            self._reinstate(self.course.old[key])
        else:
            self._workloads(step.kind, key)

    def _workloads(self, kind: Kind, key: str) -> None:
        target = self._present(key)
        if kind is Kind.STOP:
            self._stop(key, target)
        elif kind is Kind.START:
            self.world.cluster.start_writers(target.namespace, target.name, self._places(key))
        elif kind is Kind.HEALTH:
            self._await(self.course.new[key])
        elif kind is Kind.RECOVERED:
            self._await(self.course.old[key])

    def _stop(self, key: str, target: Target) -> None:
        if new := self.course.new.get(key):
            self.world.hooks.end(new)  # a Job that could not be ended when it failed still writes
            for document in new.documents():
                if document.get("kind") == "Job":  # Helm's hooks, too: it leaves them when its time is up
                    self.world.cluster.stop_job(document, new.namespace)
        stateful = "rollback" in self.course.item(key).hooks
        self.world.cluster.stop_writers(
            target.namespace, target.name, self._places(key), keep_stateful=stateful
        )

    def _present(self, key: str) -> Target:
        return self.course.new.get(key) or self.course.old[key]

    def _places(self, key: str) -> list[str]:
        sides = (self.course.new.get(key), self.course.old.get(key))
        return sorted({place for side in sides if side for place in side.namespaces})

    def _await(self, target: Target) -> None:
        gates = {
            tuple(gate.items()): gate for gate in (*target.workload_gates(), *target.helm.health)
        }.values()
        await_gates(self.world.cluster, self.world.clock, target, gates, self.world.held.check)

    def _listening(self, target: Target) -> None:
        """Wait until a database that was only just started can be talked to; the hook says whether it can."""
        try:
            self._await(target)
        except DeployError as fault:
            self.say(f"{self.redactor.text(str(fault))}; its rollback hook is tried nevertheless")

    def _hook(self, name: str, key: str) -> None:
        backup = self.course.backup(key)
        if name == "preUpgrade":
            clear(backup)
        self.world.hooks.run(Hook(name, self.course.new[key], self.course.previous, backup))

    def _crds(self, target: Target) -> None:
        chart = read_chart(self.world.supplies.chart(target), f"chart {target.running.chart}")
        rules = self.world.supplies.rewriting(target)
        for wanted in crds.chart_crds(chart):
            document = rewrite(wanted, rules) if rules else wanted
            live = self.world.cluster.live(document, target.namespace)
            self.world.cluster.apply(crds.additive(document, live), target.namespace)

    def _upgrade(self, new: Target, old: Target | None) -> None:
        self._namespace(new)
        if old:
            protect_claims(self.world.cluster, old, new)
        try:
            self.world.helm.install(new, wait=True)
        except UsageError as fault:
            # Helm says at most which object is not ready; the pods say why.
            why = unhealthy(self.world.cluster, new, new.workload_gates())
            raise DeployError(f"{fault}\n{why}" if why else str(fault)) from fault

    def _reinstate(self, old: Target) -> None:
        # Without waiting: what was scaled to 0, and has no replicas in its chart, starts only afterwards.
        self._namespace(old)
        self.world.helm.turn(old)
        try:
            self.world.helm.reinstate(old)
        except UsageError:
            make_room(self.world.cluster, old)  # for the next attempt
            raise

    def _namespace(self, target: Target) -> None:
        self.world.cluster.ensure_namespace(target.namespace)
        self.world.let_pull(target.namespace)


_HOOKS = {
    Kind.BACKUP: "preUpgrade",
    Kind.VERIFY: "verifyBackup",
    Kind.POST: "postUpgrade",
    Kind.RESTORE: "rollback",
    Kind.RESTORE_AGAIN: "rollback",
}
_BACK = frozenset({Kind.STOP, Kind.UNINSTALL, Kind.REINSTATE, Kind.START, Kind.RESTORE_AGAIN, Kind.RECOVERED})
