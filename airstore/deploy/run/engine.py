"""The engine: asks the state machine for the next step, journals that it begins, does it, journals the end.

A kill between any two lines of the journal is safe: what began and did not end is done again, and every step
may be done again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from airstore.core.errors import AirstoreError, LockedError, StorageError
from airstore.core.excerpt import excerpt
from airstore.core.frozen import frozen
from airstore.deploy.model.protocols import Held
from airstore.deploy.model.redact import Redactor
from airstore.deploy.run.helm_steps import HelmSteps
from airstore.deploy.run.hook_steps import HookSteps
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.steps import End, Run, Status, Step, StepKind, next_step
from airstore.deploy.run.workload_steps import WorkloadSteps
from airstore.deploy.waiting.health import Clock
from airstore.deploy.waiting.watching import Display

_ATTEMPTS = 3  # of a step during a rollback
_PAUSE = 5.0  # seconds between them
_LONGEST = 4000  # characters of an error that the journal keeps
_BACK = frozenset(
    {
        StepKind.STOP,
        StepKind.UNINSTALL,
        StepKind.REINSTATE,
        StepKind.START,
        StepKind.RESTORE_AGAIN,
        StepKind.RECOVERED,
    }
)


class StepActions:
    """Which part of a run does which step."""

    def __init__(self, helm: HelmSteps, workloads: WorkloadSteps, hooks: HookSteps) -> None:
        self.hooks = hooks
        self._actions: dict[StepKind, Callable[[Step], None]] = {
            StepKind.BACKUP: hooks.run,
            StepKind.VERIFY: hooks.run,
            StepKind.CRDS: helm.crds,
            StepKind.UPGRADE: helm.upgrade,
            StepKind.POST: hooks.run,
            StepKind.HEALTH: workloads.health,
            StepKind.REMOVE: helm.remove,
            StepKind.STOP: workloads.stop,
            StepKind.RESTORE: hooks.run,
            StepKind.UNINSTALL: helm.uninstall,
            StepKind.REINSTATE: helm.reinstate,
            StepKind.START: workloads.start,
            StepKind.RESTORE_AGAIN: hooks.run,
            StepKind.RECOVERED: workloads.recovered,
        }

    def perform(self, step: Step) -> None:
        """Do one step.

        Raises:
            AirstoreError: it failed.
        """
        self._actions[step.kind](step)


@frozen
class Announcer:
    """Tells people what is done, secrets taken out.

    Attributes:
        say: takes a line.
        display: shows how far a step has come.
    """

    say: Callable[[str], None] = field(repr=False)
    display: Display = field(repr=False)
    redactor: Redactor = field(repr=False)

    def failed(self, step: Step, fault: AirstoreError, after: str = "") -> str:
        """Say that a step failed; returns why, as the journal may keep it."""
        text = self.redactor.text(str(fault))
        self.say(f"{step}: {text}; {after}" if after else f"{step} failed: {text}")
        return excerpt(text, _LONGEST)


class Engine:
    """Drives one run to its end."""

    def __init__(
        self, run: Run, journal: Journal, actions: StepActions, held: Held, clock: Clock, told: Announcer
    ) -> None:
        self._run, self.journal, self._actions = run, journal, actions
        self._held, self._clock, self._told = held, clock, told

    def drive(self) -> End:
        """Do step after step.

        Raises:
            LockedError: the Lease was lost; the next command resumes.
            StorageError: the journal cannot be written; the next command resumes.
        """
        self._actions.hooks.end_left(self.journal.events)
        while isinstance(step := next_step(self._run, self.journal.events), Step):
            self._held.check()
            self.journal.record(Status.BEGIN, step)
            self._told.say(f"{step} ...")
            try:
                fault = self._attempt(step)
            finally:
                self._told.display.clear()
            if fault is None:
                self.journal.record(Status.DONE, step)
            else:
                self.journal.record(Status.FAILED, step, self._told.failed(step, fault))
        return step

    def _attempt(self, step: Step) -> AirstoreError | None:
        # A rollback is worth a second try, and none counts while the API server is away: one that restarts
        # must not leave a site half-way. One that stays away takes the Lease with it; the run is resumed.
        attempts = _ATTEMPTS if step.kind in _BACK else 1
        for attempt in range(attempts):
            try:
                self._actions.perform(step)
            except (LockedError, StorageError):
                raise
            except AirstoreError as fault:
                if step.kind in _BACK:
                    self._held.confirm()
                if attempt + 1 == attempts:
                    return fault
                self._told.failed(step, fault, "trying again")
                self._clock.sleep(_PAUSE)
                self._held.check()
            else:
                break
        return None
