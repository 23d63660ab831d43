"""The state machine of one run: from the plan and what the journal says to the next step. Pure.

Forward: everything that a rollback needs (backups, their verification) comes before the first change. Then
Helm releases in the order of their needs, each with its CRDs, upgrade, hook and health; removals last.
Backed up is whatever a change can reach: the database whose own chart stays, too, because an application's
migration writes into it.

Back: first everything that writes is stopped, dependents before what they need; then data are restored; then
what this run installed is uninstalled; then the previous charts come back in the order of needs, because an
API does not become healthy while its database is down.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum

from airstore.core.frozen import frozen
from airstore.deploy.run.reach import needed, needing


class StepKind(StrEnum):
    """What a step does."""

    BACKUP = "backup"
    VERIFY = "verify-backup"
    CRDS = "crds"
    UPGRADE = "upgrade"
    POST = "post-upgrade"
    HEALTH = "health"
    REMOVE = "remove"
    STOP = "stop-writers"
    RESTORE = "rollback-hook"
    UNINSTALL = "uninstall"
    REINSTATE = "reinstate"
    START = "start-writers"
    RESTORE_AGAIN = "rollback-hook-again"
    RECOVERED = "recovered"


class Status(StrEnum):
    """What the journal says about a step, and what the operator asked for."""

    BEGIN = "begin"
    DONE = "done"
    FAILED = "failed"
    TURN = "turn"
    RESUME = "resume"
    GIVE_UP = "give-up"


class Mode(StrEnum):
    """What a run is for."""

    APPLY = "apply"
    ROLLBACK = "rollback"
    UNINSTALL = "uninstall"


class End(StrEnum):
    """How a run can end."""

    SUCCEEDED = "succeeded"
    UNTOUCHED = "untouched"
    ROLLED_BACK = "rolled-back"
    NEEDS_OPERATOR = "needs-operator"


@frozen
class Step:
    """One thing to do to one Helm release."""

    kind: StepKind
    item: str

    def __str__(self) -> str:
        return f"{self.kind} {self.item}"


@frozen
class Event:
    """One line of the journal: a step began, ended or failed, or the operator decided something."""

    status: Status
    step: Step | None = None
    detail: str = ""


@frozen
class Item:
    """One Helm release of a run.

    Attributes:
        key: ``NAMESPACE/NAME``.
        action: ``install``, ``change``, ``unchanged`` or ``remove``.
        needs: keys of the Helm releases that it needs, in the old state or in the new one.
        hooks: names of its hooks.
        backup: data of an earlier run that the ``rollback`` hook restores; where there is none, a
            ``preUpgrade`` hook of this run must have made it.
        rank: its place in the order in which the state before was installed.
        skipped: the operator gave its data up: nothing is backed up, nothing restored.
        abandoned: the operator gave it up: a rollback stops it, and does not install it again.
    """

    key: str
    action: str
    needs: tuple[str, ...] = ()
    hooks: frozenset[str] = frozenset()
    backup: str = ""
    rank: int = 0
    skipped: bool = False
    abandoned: bool = False


@frozen
class Run:
    """What a run is about.

    Attributes:
        items: in the order of the product file, removals last. Of a rollback on demand: how the state to
            leave was reached, so that ``install`` is what goes and ``remove`` what comes back.
    """

    items: tuple[Item, ...]
    mode: Mode = Mode.APPLY


# CRDs are additive and stay: there is nothing to roll back.
_TOUCHING = frozenset({StepKind.UPGRADE, StepKind.REMOVE})
_BACKUPS = frozenset({StepKind.BACKUP, StepKind.VERIFY})


def next_step(run: Run, events: Sequence[Event]) -> Step | End:
    """What to do next, or how the run ended."""
    failed = _failed_since_resume(events)
    if run.mode is Mode.UNINSTALL and failed:
        return End.NEEDS_OPERATOR  # there is nothing to go back to: it is called again
    touched = _touched(run, events)
    if not _goes_back(run, events):
        # What was touched already is no longer what a backup would be taken for: an older airstore began the
        # run, which backed up less.
        steps = (step for step in forward_steps(run) if not touched or step.kind not in _BACKUPS)
        return _first_open(steps, events) or End.SUCCEEDED
    if not touched:
        return End.SUCCEEDED if run.mode is Mode.ROLLBACK else End.UNTOUCHED
    for step in back_steps(run, touched, events):
        if step in failed and step.kind is not StepKind.RESTORE:
            return End.NEEDS_OPERATOR
        if step not in _done(events) and step not in failed:
            return step
    return End.SUCCEEDED if run.mode is Mode.ROLLBACK else End.ROLLED_BACK


def forward_steps(run: Run) -> Iterator[Step]:
    """Every step of an apply or an uninstall in which nothing fails."""
    for item in backed_up(run):
        yield Step(StepKind.BACKUP, item.key)
        if "verifyBackup" in item.hooks:
            yield Step(StepKind.VERIFY, item.key)
    for item in run.items:
        if item.action in {"install", "change"}:
            yield Step(StepKind.CRDS, item.key)
            yield Step(StepKind.UPGRADE, item.key)
            if "postUpgrade" in item.hooks:
                yield Step(StepKind.POST, item.key)
            yield Step(StepKind.HEALTH, item.key)
    # What left the product goes in the reverse of the order in which it came.
    yield from (Step(StepKind.REMOVE, item.key) for item in reversed(run.items) if item.action == "remove")


def back_steps(run: Run, touched: Collection[str], events: Sequence[Event]) -> Iterator[Step]:
    """The rollback, when these items were touched."""
    restored = _restored(run, touched, events)
    stopped = set(touched) | needing(_edges(run), (item.key for item in restored))
    for item in reversed(run.items):
        if item.key in stopped:
            yield Step(StepKind.STOP, item.key)
    restored = [item for item in restored if item.key not in given_up(events)]
    yield from (Step(StepKind.RESTORE, item.key) for item in reversed(restored))
    for item in reversed(run.items):
        if item.key in touched and item.action == "install":
            yield Step(StepKind.UNINSTALL, item.key)
    abandoned = _abandoned(run, events)
    for item in sorted(run.items, key=lambda each: each.rank):
        if item.key not in abandoned:
            yield from _again(item, touched, stopped)
        if item in restored and Step(StepKind.RESTORE, item.key) in _failed_since_resume(events):
            # The failed upgrade may have left nothing that the hook could talk to; now the old chart runs.
            yield Step(StepKind.RESTORE_AGAIN, item.key)
        if item.key in stopped - abandoned and item.action != "install":
            yield Step(StepKind.RECOVERED, item.key)


def _again(item: Item, touched: Collection[str], stopped: Collection[str]) -> Iterator[Step]:
    if item.key in touched and item.action in {"change", "remove"}:
        yield Step(StepKind.REINSTATE, item.key)
    if item.key in stopped and item.action != "install":
        yield Step(StepKind.START, item.key)


def stopped(run: Run, events: Sequence[Event]) -> list[str]:
    """Keys of what the rollback stops, if it begins now, and that comes back."""
    gone = {item.key for item in run.items if item.action == "install"} | _abandoned(run, events)
    steps = back_steps(run, _touched(run, events), events)
    return [step.item for step in steps if step.kind is StepKind.STOP and step.item not in gone]


def stopped_at_most(run: Run) -> list[str]:
    """Keys of what a rollback stops, and that comes back, when everything fails after every backup."""
    begun = [Event(Status.BEGIN, step) for step in forward_steps(run)]
    done = [Event(Status.DONE, step) for step in forward_steps(run) if step.kind is StepKind.BACKUP]
    return stopped(run, [*begun, *done])


def backed_up(run: Run) -> list[Item]:
    """Items that a run backs up first: they are there, and a change reaches their data."""
    there = [item for item in reached(run) if item.action in {"change", "unchanged"}]
    return [item for item in there if "preUpgrade" in item.hooks and not item.skipped]


def reached(run: Run) -> list[Item]:
    """Items that change, or that are needed, directly or not, by one that does."""
    changing = (item.key for item in run.items if item.action != "unchanged")
    found = needed(_edges(run), changing)
    return [item for item in run.items if item.key in found]


def _restored(run: Run, touched: Collection[str], events: Sequence[Event]) -> list[Item]:
    found = needed(_edges(run), touched)
    hooked = [item for item in run.items if "rollback" in item.hooks and not item.skipped]
    return [item for item in hooked if item.key in found and _restorable(item, touched, events)]


def _restorable(item: Item, touched: Collection[str], events: Sequence[Event]) -> bool:
    if item.backup or Step(StepKind.BACKUP, item.key) in _done(events):
        return True
    # A hook that needs no backup of ours knows by itself what to undo, of its own chart's change.
    return item.action == "change" and item.key in touched and "preUpgrade" not in item.hooks


def given_up(events: Sequence[Event], kind: StepKind = StepKind.RESTORE) -> set[str]:
    """Items of which the operator no longer wants something done: data restored, charts reinstated."""
    decided = (event.step for event in events if event.status is Status.GIVE_UP)
    return {step.item for step in decided if step and step.kind is kind}


def _abandoned(run: Run, events: Sequence[Event]) -> set[str]:
    return {item.key for item in run.items if item.abandoned} | given_up(events, StepKind.REINSTATE)


def _touched(run: Run, events: Sequence[Event]) -> set[str]:
    if run.mode is Mode.ROLLBACK:
        return {item.key for item in run.items if item.action != "unchanged" or item.backup}
    begun = (event.step for event in events if event.status is Status.BEGIN and event.step)
    return {step.item for step in begun if step.kind in _TOUCHING}


def _edges(run: Run) -> dict[str, tuple[str, ...]]:
    return {item.key: item.needs for item in run.items}


def _goes_back(run: Run, events: Sequence[Event]) -> bool:
    """The first failure of an apply turns it back, and so does the operator."""
    if run.mode is Mode.APPLY:
        return any(event.status in {Status.TURN, Status.FAILED} for event in events)
    return run.mode is Mode.ROLLBACK


def _done(events: Sequence[Event]) -> set[Step]:
    return {event.step for event in events if event.status is Status.DONE and event.step}


def _failed_since_resume(events: Sequence[Event]) -> set[Step]:
    failed: set[Step] = set()
    for event in events:
        if event.status is Status.RESUME:
            failed = {step for step in failed if step.kind is StepKind.RESTORE}
        elif event.step and event.status is Status.FAILED:
            failed.add(event.step)
        elif event.step and event.status is Status.DONE:
            failed.discard(event.step)
    return failed


def _first_open(steps: Iterator[Step], events: Sequence[Event]) -> Step | None:
    done = _done(events)
    return next((step for step in steps if step not in done), None)
