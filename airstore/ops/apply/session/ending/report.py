"""What is said of a run that has ended: what failed, and what was seen in the cluster afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airstore.core.errors import AirstoreError, DeployError, OperatorNeededError
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.reach import needed
from airstore.deploy.run.steps import End, Mode, Run, Status, StepKind, given_up
from airstore.history.ledger import ADOPTED


def failures(journal: Journal) -> list[str]:
    """Every step that failed, with why, in order."""
    return [f"{event.step}: {event.detail}" for event in journal.events if event.status is Status.FAILED]


def needs_operator(journal: Journal, intent: Intent, seen: Mapping[str, str], resume: str) -> AirstoreError:
    """The error of a run of which nothing more can be done without somebody looking."""
    return OperatorNeededError(
        f"{_what(intent)}, and rolling back failed too: {failures(journal)[-1]}\n{_listed(seen)}",
        hint=f"look at the cluster, repair what is broken, then resume with: {resume}",
    )


def failed(
    journal: Journal, intent: Intent, end: End, seen: Mapping[str, str], *, confirmed: bool, lost: str
) -> AirstoreError:
    """The error of a run that failed and went back, or that failed before it changed anything.

    Args:
        journal: of the run.
        intent: what it was to do.
        end: how it ended.
        seen: key to what is there now.
        confirmed: that is what was there before.
        lost: what is said of data that were given up; empty where none were.
    """
    why = (failures(journal) or ["an operator turned it back"])[0]
    hint = f"logs are in {journal.directory}"
    if end is End.UNTOUCHED:
        return DeployError(f"{_what(intent)}; nothing was changed: {why}", hint=hint)
    back = f"{_named(intent.previous)} runs again" if intent.old else "nothing runs, as before"
    if not confirmed:
        before = _named(intent.previous) if intent.old else "nothing"
        back = f"{before} should run again, but this is what was found below"
        hint += "; `airstore status` looks again"
    return DeployError(f"{_what(intent)}; {back}: {why}\n{lost}{_listed(seen)}", hint=hint)


def given_up_words(run: Run, journal: Journal, intent: Intent) -> str:
    """What is said of what the operator gave up: a line for each loss; empty where there is none."""
    abandoned = intent.abandoned | given_up(journal.events, StepKind.REINSTATE)
    lines = [
        f"the data of {key} stay as the failed upgrade left them: their backup was given up"
        for key in _lost_data(run, journal, intent)
    ]
    lines += [
        f"{key} was stopped and not installed again, as was asked: `airstore apply --repair` tries to"
        for key in sorted(abandoned & _touched(journal))
    ]
    return "".join(f"{line}\n" for line in lines)


def _touched(journal: Journal) -> set[str]:
    begun = {event.step for event in journal.events if event.status is Status.BEGIN}
    return {
        step.item
        for step in begun
        if step and step.kind in {StepKind.UPGRADE, StepKind.REMOVE, StepKind.STOP}
    }


def _lost_data(run: Run, journal: Journal, intent: Intent) -> Iterator[str]:
    """Keys of the Helm releases whose data the run could change, and that were given up."""
    begun = {event.step for event in journal.events if event.status is Status.BEGIN}
    touched = {step.item for step in begun if step and step.kind in {StepKind.UPGRADE, StepKind.REMOVE}}
    reached = needed({item.key: item.needs for item in run.items}, touched)
    hooked = {item.key for item in run.items if "rollback" in item.hooks}
    yield from sorted(reached & hooked & (intent.skipped | given_up(journal.events)))


def _named(version: str) -> str:
    return "what was adopted" if version == ADOPTED else f"release {version}"


def _what(intent: Intent) -> str:
    names = {Mode.APPLY: "applying", Mode.ROLLBACK: "rolling back from", Mode.UNINSTALL: "uninstalling"}
    return f"{names[intent.mode]} {intent.version or intent.previous} failed"


def _listed(seen: Mapping[str, str]) -> str:
    return "\n".join(f"  {key}: {state}" for key, state in seen.items())
