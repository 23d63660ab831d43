"""``airstore rollback``: back to what ran before, data included; the trusted sequence stays where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airstore.core.errors import NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.core.model.release import Release
from airstore.deploy.model.target import targets_of
from airstore.deploy.plan.backups import Backup, BackupIndex
from airstore.deploy.plan.plan import PlanStep, alike, observed, plan
from airstore.deploy.plan.stack import below
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.steps import End, Mode, Status, Step, StepKind, stopped
from airstore.history import ledger
from airstore.history.ledger import Entry, Running
from airstore.ops.apply.backups import is_there, read_index
from airstore.ops.apply.checks.preflight import stop_at
from airstore.ops.apply.checks.pullable import Coming, ImageChecks
from airstore.ops.apply.checks.rehearse import Answers, rehearse_rollback
from airstore.ops.apply.push import RegistryPush
from airstore.ops.apply.restore import Choice, Journey, find_backups
from airstore.ops.apply.session.at_work import refuse_unfinished
from airstore.ops.apply.session.drive import drive
from airstore.ops.apply.session.ending.outcome import RunOutcome, outcome_of
from airstore.ops.apply.session.ending.record import close_recorded, open_run
from airstore.ops.apply.session.found import disturbed, statuses
from airstore.ops.apply.session.plan import SitePlan
from airstore.ops.apply.session.session import ApplySession


@frozen
class RollbackPlan:
    """What a rollback would do.

    Attributes:
        plan: of the Helm releases.
        restores: key to the run whose backup is restored.
        warnings: what an operator should know before.
    """

    plan: SitePlan
    restores: Mapping[str, str]
    warnings: tuple[str, ...]


class Rollback:
    """One rollback, as it is asked for.

    Args:
        session: store and cluster.
        images: how images are checked.
        version: the release to go back to; empty for the one below what runs.
        choice: what becomes of data.
        abandoned: keys of Helm releases that are stopped and not installed again.
    """

    def __init__(
        self,
        session: ApplySession,
        images: ImageChecks,
        version: str,
        choice: Choice,
        abandoned: frozenset[str],
    ) -> None:
        self._session, self._images = session, images
        self._version, self._choice, self._abandoned = version, choice, abandoned

    def run(self, push: RegistryPush | None) -> RunOutcome:
        """Turn back a run that has not ended, or go back to a release that ran before.

        Args:
            push: brings the registry first what it lacks of what comes back; None: nothing is pushed.

        Raises:
            LockedError: another process holds the lock.
            NotFoundError: that release is not among those that ran below this one.
            UsageError: what was chosen cannot be restored; or a run has not ended that goes elsewhere.
            DeployError: a backup that is needed is missing; nothing was changed.
            OperatorNeededError: the rollback failed.
        """
        if push and (release := self._comes_back()):
            push.push(release, always=False)
        with self._session.alone():
            ended = close_recorded(self._session)
            if ended and (outcome := self._gone_back(ended)):
                return outcome
            journal = open_run(self._session)
            return self._turn(journal) if journal else self._go_back()

    def plan(self) -> RollbackPlan:
        """What `run` would do now; changes nothing.

        Raises:
            NotFoundError, UsageError, DeployError: as `run`; and where a run has not ended.
        """
        refuse_unfinished(
            self._session.store, self._session.unfinished(), "`airstore rollback` turns it back"
        )
        intent, warnings = self._intent()
        steps = self._preflight(intent).shown(plan(intent.old, intent.new, set(intent.keys("unchanged"))))
        restores = {key: backup.split("/")[2] for key, _, backup in intent.items if backup}
        return RollbackPlan(SitePlan(intent.previous, intent.version, steps), restores, warnings)

    def _go_back(self) -> RunOutcome:
        intent, warnings = self._intent()
        for warning in warnings:
            self._session.say(warning)
        self._preflight(intent)
        stop_at(self._images.node_findings(self._session, self._coming(intent)))
        return drive(self._session, self._session.begin(intent))

    def _turn(self, journal: Journal) -> RunOutcome:
        session, intent = self._session, Intent.of(journal)
        if release := session.release_of_state(intent.previous):
            old = session.transition(intent).old
            back = {key: each for key, each in old.items() if key not in self._abandoned}
            coming = Coming(release, back, back=True)
            stop_at(self._images.findings(session, coming), f"run {journal.name} was not rolled back")
        _check_turn(journal, intent, self._version, self._choice)
        self._give_up(journal, intent)
        _record_turn(session, journal, intent)
        return drive(session, journal, asked_back=True)

    def _give_up(self, journal: Journal, intent: Intent) -> None:
        keys = [key for key, _, _ in intent.items]
        if unknown := (self._choice.skipped | self._abandoned) - set(keys):
            raise UsageError(f"run {journal.name} has nothing to do with {', '.join(sorted(unknown))}")
        for key in keys if self._choice.keep else sorted(self._choice.skipped):
            journal.record(Status.GIVE_UP, Step(StepKind.RESTORE, key))
        for key in sorted(self._abandoned):
            journal.record(Status.GIVE_UP, Step(StepKind.REINSTATE, key))

    def _comes_back(self) -> Release | None:
        """The release of the product that will run again; None for nothing.

        Raises:
            NotFoundError: there is nothing to go back to.
        """
        journal = self._session.unfinished()
        if journal:
            return self._session.release_of_state(Intent.of(journal).previous)
        index = read_index(self._session.store)
        depth = self._entries(index)[1]
        return self._session.release_of_state(index.states[depth].entry.version)

    def _preflight(self, intent: Intent) -> Answers:
        """Stop at what the API server would refuse, or nodes could not pull; nothing has been stopped yet."""
        answers = rehearse_rollback(self._session, intent)
        coming = self._coming(intent)
        images = (found for each in coming for found in self._images.findings(self._session, each))
        stop_at([*answers.findings, *images], hint=answers.hint)
        return answers

    def _coming(self, intent: Intent) -> list[Coming]:
        """What runs again, apart from what is not even stopped; what was adopted is not ours to check."""
        transition = self._session.transition(intent)
        again = {key: transition.old[key] for key in stopped(transition.run, ())}
        release = self._session.release_of_state(intent.previous)
        return [Coming(release, again, back=True)] if release else []

    def _gone_back(self, journal: Journal) -> RunOutcome | None:
        """If this run went back already: to begin another one would go back twice."""
        intent = Intent.of(journal)
        back = intent.mode is Mode.ROLLBACK or journal.end in {End.ROLLED_BACK, End.UNTOUCHED}
        if not back or journal.end is None or self._version not in {"", intent.previous}:
            return None
        return outcome_of(self._session, journal, journal.end)

    def _intent(self) -> tuple[Intent, tuple[str, ...]]:
        """What a rollback would do, and what an operator should know before."""
        session, choice = self._session, self._choice
        index = read_index(session.store)
        now, depth = self._entries(index)
        before = index.states[depth].entry
        steps = _steps(session, now, before)
        there = _staying(steps)
        journey = _journey(session, session.release_of_state(now.version), index, depth, steps)
        backups = find_backups(journey, choice, lambda backup: is_there(session.store, backup))
        intent = Intent(
            Mode.ROLLBACK,
            now.version,
            before.version,
            tuple((s.key, s.action, backups[s.key].place if s.key in backups else "") for s in steps),
            now.running,
            before.running,
            frozenset(there) if choice.keep else choice.skipped,
            self._abandoned,
        )
        return intent, tuple(_warnings(before.version, backups)) if choice.runs else ()

    def _entries(self, index: BackupIndex) -> tuple[Entry, int]:
        """What runs, and the depth of the state to go back to."""
        now, states = ledger.running(self._session.store.history), index.states
        if now is None:
            last = states[-1].version if states else ""
            hint = (
                f"`airstore apply --release {last}` installs what ran last"
                if last
                else "see `airstore history`"
            )
            raise NotFoundError("nothing runs that could be rolled back", hint=hint)
        wanted = self._version or (states[-2].version if len(states) > 1 else "")
        depth = below(states, wanted) if wanted != now.version else None
        if depth is None:
            known = ", ".join(dict.fromkeys(state.version for state in reversed(states[:-1]))) or "nothing"
            raise NotFoundError(
                f"{self._version or 'an earlier release'} is not what ran before {now.version}; what did:"
                f" {known}",
                hint="`airstore apply --release VERSION` brings up a release that is not among them",
            )
        return now, depth


def _check_turn(journal: Journal, intent: Intent, version: str, choice: Choice) -> None:
    """Refuse what a run that has not ended cannot do any more."""
    if intent.mode is Mode.UNINSTALL:
        raise UsageError(f"uninstall run {journal.name} has not ended", hint="resume it: airstore uninstall")
    if version and version != intent.previous:
        raise UsageError(
            f"run {journal.name} has not ended; it goes back to {intent.previous or 'nothing'}",
            hint="let it end first: `airstore rollback` without --to",
        )
    if choice.runs:
        raise UsageError(
            f"run {journal.name} has not ended; it restores the backups that it made itself",
            hint="let it end first: `airstore rollback` without --backup",
        )


def _record_turn(session: ApplySession, journal: Journal, intent: Intent) -> None:
    """Have a run that has not ended go back."""
    failed = any(event.status is Status.FAILED for event in journal.events)
    journal.record(Status.RESUME if failed or intent.mode is Mode.ROLLBACK else Status.TURN)
    session.say(f"turning back run {journal.name}")


def _steps(session: ApplySession, now: Entry, before: Entry) -> tuple[PlanStep, ...]:
    """Read the way there: what the present state added goes, what it removed comes back."""
    targets = {**targets_of(before.running, None), **targets_of(now.running, None)}
    changed = disturbed(session, targets_of(now.running, None), statuses(session, targets))
    return observed(plan(now.running, before.running, _same(session, now, before)), changed)


def _journey(
    session: ApplySession, release: Release | None, index: BackupIndex, depth: int, steps: Sequence[PlanStep]
) -> Journey:
    helms = release.helm_releases if release else ()
    hooked = {f"{helm.namespace}/{helm.name}": helm.hooks for helm in helms}
    return Journey(
        index,
        depth,
        session.release().product,
        tuple(key for key in _staying(steps) if {"preUpgrade", "rollback"} <= hooked.get(key, {}).keys()),
        tuple(step.key for step in steps if step.action == "remove"),
    )


def _staying(steps: Sequence[PlanStep]) -> list[str]:
    """Keys of what is there before and after."""
    return [step.key for step in steps if step.action in {"change", "unchanged"}]


def _same(session: ApplySession, now: Entry, before: Entry) -> set[str]:
    """Keys of what both states have installed: alike, or one revision of Helm, as of what was adopted."""
    old = {each.key: each for each in before.running}
    pairs = [(each, old[each.key]) for each in now.running if each.key in old]
    return {
        newer.key for newer, older in pairs if alike(newer, older) or _one_revision(session, newer, older)
    }


def _one_revision(session: ApplySession, newer: Running, older: Running) -> bool:
    kept = session.installations.kept(newer)
    return kept is not None and kept == session.installations.kept(older)


def _warnings(version: str, backups: Mapping[str, Backup]) -> list[str]:
    return [
        f"{key}: the backup of run {backup.run} holds the data of {backup.state}, not of {version}"
        for key, backup in backups.items()
        if backup.state != version
    ]
