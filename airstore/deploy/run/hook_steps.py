"""The steps of a run that are hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airstore.core.errors import DeployError
from airstore.deploy.hooks.runner import Hook, clear
from airstore.deploy.model.redact import Redactor
from airstore.deploy.run.parts import Hooks
from airstore.deploy.run.steps import Event, Status, Step, StepKind
from airstore.deploy.run.transition import Transition
from airstore.deploy.run.waits import Waits

NAMES = {
    StepKind.BACKUP: "preUpgrade",
    StepKind.VERIFY: "verifyBackup",
    StepKind.POST: "postUpgrade",
    StepKind.RESTORE: "rollback",
    StepKind.RESTORE_AGAIN: "rollback",
}


class HookSteps:
    """Backups, restores and what follows an upgrade."""

    def __init__(
        self,
        transition: Transition,
        hooks: Hooks,
        waits: Waits,
        redactor: Redactor,
        say: Callable[[str], None],
    ) -> None:
        self._transition, self._hooks, self._waits = transition, hooks, waits
        self._redactor, self._say = redactor, say

    def run(self, step: Step) -> None:
        """Run the hook of a step to its end.

        Raises:
            DeployError: it failed.
        """
        if step.kind is StepKind.RESTORE_AGAIN:
            self._listening(step)
        backup, target = self._transition.backup(step.item), self._transition.new[step.item]
        if step.kind is StepKind.BACKUP:
            clear(backup)
        hook = Hook(NAMES[step.kind], target, self._transition.previous, backup)
        self._hooks.run(hook, self._waits.hook(target, step))

    def end_left(self, events: Sequence[Event]) -> None:
        """End what an airstore that was killed left running.

        Args:
            events: of the run's journal.
        """
        done = {event.step for event in events if event.status is Status.DONE}
        for step in dict.fromkeys(event.step for event in events if event.status is Status.BEGIN):
            if step and step.kind in NAMES and step not in done:
                self._hooks.end(self._transition.new[step.item])

    def _listening(self, step: Step) -> None:
        """Wait until a database that was only just started can be talked to; the hook says whether it can."""
        try:
            self._waits.healthy(self._transition.old[step.item], step)
        except DeployError as fault:
            self._say(f"{self._redactor.text(str(fault))}; its rollback hook is tried nevertheless")
