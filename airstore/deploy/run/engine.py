"""The engine: asks the state machine for the next step, journals that it begins, does it, journals the end.

A kill between any two lines of the journal is safe: what began and did not end is done again, and every step
may be done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from airstore.charts.images.rewrite import rewrite
from airstore.charts.packages.archive import read_chart
from airstore.core.errors import (
    AirstoreError,
    DeployError,
    LockedError,
    ProgramError,
    StorageError,
    UsageError,
)
from airstore.core.excerpt import excerpt
from airstore.core.kube.sights import Cause
from airstore.deploy.checks.rehearsal import rehearse
from airstore.deploy.helm.actions import protect_claims
from airstore.deploy.helm.reason import reason
from airstore.deploy.hooks.runner import Hook, clear
from airstore.deploy.model.redact import Redactor
from airstore.deploy.model.target import Target
from airstore.deploy.plan import crds
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.replacing import make_room, move_of
from airstore.deploy.run.steps import End, Kind, Status, Step, next_step, stopped
from airstore.deploy.run.world import Course, World
from airstore.deploy.waiting.health import await_gates, unhealthy, unique
from airstore.deploy.waiting.watching import PATIENCE, Stage, Watch, watching_hook

_ATTEMPTS = 3  # of a step during a rollback
_PAUSE = 5.0  # seconds between them
_LONGEST = 4000  # characters of an error that the journal keeps


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
    _can_return: bool = False

    def drive(self) -> End:
        """Do step after step.

        Raises:
            LockedError: the Lease was lost; the next command resumes.
            StorageError: the journal cannot be written; the next command resumes.
        """
        self._end_left_hooks()
        while isinstance(step := next_step(self.course.run, self.journal.events), Step):
            self.world.held.check()
            self.journal.record(Status.BEGIN, step)
            self.say(f"{step} ...")
            try:
                fault = self._attempt(step)
            finally:
                self.world.display.clear()
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
        # A rollback is worth a second try: an API server that restarts must not leave a site half-way.
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
            self._listening(step)
        if step.kind in _HOOKS:
            self._hook(_HOOKS[step.kind], step)
        elif step.kind is Kind.CRDS:
            self._crds(self.course.new[key])
        elif step.kind is Kind.UPGRADE:
            self._upgrade(step)
        elif step.kind is Kind.REMOVE:
            self.world.helm.uninstall(self.course.old[key])
        elif step.kind is Kind.UNINSTALL:
            self.world.helm.uninstall(self.course.new[key])
        elif step.kind is Kind.REINSTATE:
            self._reinstate(self.course.old[key])
        else:
            self._workloads(step)

    def _workloads(self, step: Step) -> None:
        kind, key = step.kind, step.item
        target = self._present(key)
        if kind is Kind.STOP:
            self._stop(key, target)
        elif kind is Kind.START:
            self.world.cluster.start_writers(target.namespace, target.name, self._places(key))
        elif kind is Kind.HEALTH:
            new = self.course.new[key]
            self._await(new, Watch(self._stage, str(step), new, patience=_patience(new)))
        elif kind is Kind.RECOVERED:
            self._await(self.course.old[key], Watch(self._stage, str(step), self.course.old[key]))

    def _stop(self, key: str, target: Target) -> None:
        self._check_return()
        if new := self.course.new.get(key):
            self.world.hooks.end(new)  # a Job that could not be ended when it failed still writes
            for document in new.documents():
                if document.get("kind") == "Job":  # Helm's hooks, too: it leaves them when its time is up
                    self.world.cluster.stop_job(document, new.namespace)
        stateful = "rollback" in self.course.item(key).hooks
        self.world.cluster.stop_writers(
            target.namespace, target.name, self._places(key), keep_stateful=stateful
        )

    def _check_return(self) -> None:
        """Before the first thing is stopped: whether what ran before would be let in again.

        What is stopped now and refused later would leave nothing that runs.
        """
        if self._can_return:
            return
        moves = []
        for key in stopped(self.course.run, self.journal.events):
            old = self.course.old[key]
            moves.append(move_of(self.world.helm, old, self.world.helm.reinstates(old), back=True))
        found = rehearse(self.world.cluster, moves).values()
        if lines := [f"  {finding}" for each in found for finding in each.findings]:
            raise DeployError("nothing is stopped, because it could not start again:\n" + "\n".join(lines))
        self._can_return = True

    def _present(self, key: str) -> Target:
        return self.course.new.get(key) or self.course.old[key]

    def _places(self, key: str) -> list[str]:
        sides = (self.course.new.get(key), self.course.old.get(key))
        return sorted({place for side in sides if side for place in side.namespaces})

    @property
    def _stage(self) -> Stage:
        return Stage(self.world.cluster, self.world.clock, self.world.display, self.redactor)

    def _await(self, target: Target, watch: Watch) -> None:
        def check(reasons: str) -> None:
            self.world.held.check()
            watch(reasons)

        gates = unique([*target.workload_gates(), *target.helm.health])
        await_gates(self.world.cluster, self.world.clock, target, gates, check)

    def _listening(self, step: Step) -> None:
        """Wait until a database that was only just started can be talked to; the hook says whether it can."""
        target = self.course.old[step.item]
        try:
            self._await(target, Watch(self._stage, str(step), target))
        except DeployError as fault:
            self.say(f"{self.redactor.text(str(fault))}; its rollback hook is tried nevertheless")

    def _hook(self, name: str, step: Step) -> None:
        backup, target = self.course.backup(step.item), self.course.new[step.item]
        if name == "preUpgrade":
            clear(backup)
        hook = Hook(name, target, self.course.previous, backup)
        self.world.hooks.run(hook, watching_hook(self._stage, str(step), target))

    def _crds(self, target: Target) -> None:
        chart = read_chart(self.world.supplies.chart(target), f"chart {target.running.chart}")
        rules = self.world.supplies.rewriting(target)
        for wanted in crds.chart_crds(chart):
            document = rewrite(wanted, rules) if rules else wanted
            live = self.world.cluster.live(document, target.namespace)
            self.world.cluster.apply(crds.additive(document, live), target.namespace)

    def _upgrade(self, step: Step) -> None:
        new, old = self.course.new[step.item], self.course.old.get(step.item)
        self._namespace(new)
        if old:
            protect_claims(self.world.cluster, old, new)
        make_room(self.world.cluster, move_of(self.world.helm, new, tuple(new.documents())), self.say)
        watch = Watch(self._stage, str(step), new, patience=_patience(new), changed=True)
        try:
            self.world.helm.install(new, wait=True, watch=watch)
        except (UsageError, ProgramError) as fault:
            # Helm says at most which object is not ready; the pods say why.
            why = unhealthy(self.world.cluster, new, new.workload_gates()) or watch.why()
            raise DeployError(reason(new, str(fault), why)) from fault

    def _reinstate(self, old: Target) -> None:
        # Without waiting: what was scaled to 0, and has no replicas in its chart, starts only afterwards.
        self._namespace(old)
        self.world.helm.turn(old)
        back = move_of(self.world.helm, old, self.world.helm.reinstates(old), back=True)
        make_room(self.world.cluster, back, self.say)
        self.world.helm.reinstate(old)

    def _namespace(self, target: Target) -> None:
        self.world.cluster.ensure_namespace(target.namespace)
        self.world.let_pull(target.namespace)


def _patience(target: Target) -> Mapping[Cause, float] | None:
    return PATIENCE if target.helm.fail_fast else None


_HOOKS = {
    Kind.BACKUP: "preUpgrade",
    Kind.VERIFY: "verifyBackup",
    Kind.POST: "postUpgrade",
    Kind.RESTORE: "rollback",
    Kind.RESTORE_AGAIN: "rollback",
}
_BACK = frozenset({Kind.STOP, Kind.UNINSTALL, Kind.REINSTATE, Kind.START, Kind.RESTORE_AGAIN, Kind.RECOVERED})
