"""``airstore apply``: bring a site's Helm releases to a release, all of them, or back to where they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from airstore.core.errors import AirstoreError, DeployError, UsageError
from airstore.deploy.checks.preflight import problems, refused
from airstore.deploy.helm.records import HelmStatus
from airstore.deploy.model.target import ReleaseTarget, targets_of
from airstore.deploy.plan.plan import observed
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.steps import End, Mode
from airstore.history import ledger
from airstore.history.ledger import Running
from airstore.ops.apply.adopt import adopt, find_adopted, not_adoptable
from airstore.ops.apply.backups import prune_by_policy
from airstore.ops.apply.checks.preflight import stop_at
from airstore.ops.apply.checks.pullable import Coming, ImageChecks
from airstore.ops.apply.checks.regenerated import regenerated
from airstore.ops.apply.checks.rehearse import rehearse_apply
from airstore.ops.apply.push import RegistryPush
from airstore.ops.apply.session.at_work import refuse_unfinished
from airstore.ops.apply.session.drive import drive
from airstore.ops.apply.session.ending.outcome import RunOutcome, look_at
from airstore.ops.apply.session.ending.record import open_run
from airstore.ops.apply.session.found import disturbed, statuses
from airstore.ops.apply.session.installations import Adopted
from airstore.ops.apply.session.plan import Planned, SitePlan, backups_of, make_plan
from airstore.ops.apply.session.session import ApplySession
from airstore.ops.apply.status import Repairs


class Apply:
    """One apply, as it is asked for.

    Args:
        session: store and cluster.
        images: how images are checked.
        version: the release to apply; empty for the newest one, or for that of a run to be resumed.
        skipped: keys of Helm releases that are not backed up; a run that is resumed keeps its own.
        abandoned: keys of those that are not installed again if the run fails; likewise.
        adopt: take over Helm releases that somebody else installed.
    """

    def __init__(
        self,
        session: ApplySession,
        images: ImageChecks,
        version: str = "",
        skipped: frozenset[str] = frozenset(),
        abandoned: frozenset[str] = frozenset(),
        *,
        adopt: bool = False,
    ) -> None:
        self._session, self._images = session, images
        self._version, self._adopt = version, adopt
        self._skipped, self._abandoned = skipped, abandoned

    def plan(self) -> SitePlan:
        """What `run` would do now: the plan against the ledger and what Helm says runs. Changes nothing.

        Raises:
            LockedError: another process holds the lock of a run.
            UsageError: an earlier run is to be finished first.
            DeployError: a prerequisite is missing.
        """
        session = self._session
        refuse_unfinished(
            session.store, session.unfinished(), "`airstore apply` resumes it; --dry-run cannot"
        )
        planned, _ = self._observe()
        planned = self._preflight(planned)
        return replace(planned.plan, backups=backups_of(session.store, planned, self._skipped))

    def run(self, push: RegistryPush | None, *, repair: bool) -> RunOutcome:
        """Go on with a run that was killed, or begin one, and drive it to its end.

        Args:
            push: brings the registry first what it lacks, unless a run goes on; None: nothing is pushed.
            repair: first put back what drifted.

        Raises:
            LockedError: another process holds the lock.
            DeployError: a prerequisite is missing, or a step failed; what ran before runs (again).
            OperatorNeededError: the rollback failed too.
        """
        session = self._session
        if push and session.unfinished() is None:
            self._push(push)
        for line in Repairs(session).repair() if repair else ():
            session.say(line)
        with session.alone():
            journal = open_run(session)
            if journal:
                _check_resumed(journal, self._version, self._skipped, self._abandoned)
                session.say(f"resuming run {journal.name}")
            else:
                planned = self._ready()
                if planned.plan.version == planned.plan.running and not _changes(planned):
                    there = targets_of(planned.now, planned.release)
                    return RunOutcome("", End.SUCCEEDED, planned.plan.version, *look_at(session, there, {}))
                journal = self._begin(planned)
            outcome = drive(session, journal)
            _prune(session)
            return outcome

    def _push(self, push: RegistryPush) -> None:
        """What is to run; and what runs, which has to be there if that fails."""
        session = self._session
        release = session.release(self._version)
        push.push(release, always=True)
        entry = ledger.running(session.store.history)
        now = session.release_of_state(entry.version) if entry else None
        if now and now.version != release.version:
            push.push(now, always=False)

    def _ready(self) -> Planned:
        """The plan, once nothing stands in its way; what is to be adopted for it is."""
        session = self._session
        planned, found = self._observe()
        planned = self._preflight(planned)
        stop_at(self._images.node_findings(session, self._coming(planned)))
        for step in planned.plan.steps:
            for warning in step.warnings:
                session.say(f"warning: {step.key}: {warning}")
        return replace(planned, now=adopt(session, found)) if found else planned

    def _observe(self) -> tuple[Planned, tuple[Adopted, ...]]:
        """The plan in view of the cluster, and what is to be adopted for it."""
        session = self._session
        planned = self._planned()
        targets = targets_of([each.running for each in planned.wanted], planned.release)
        stop_at(refused(session.cluster, targets.values(), pulling=session.cluster.pulling))
        found = statuses(session, targets)
        foreign = {key: found[key] for key in found.keys() - {running.key for running in planned.now}}
        adopted = self._to_adopt({key: targets[key] for key in foreign}, foreign)
        if adopted:
            planned = self._planned([each.running for each in adopted])
        now = targets_of((each for each in planned.now if each.key not in foreign), None)
        steps = observed(planned.plan.steps, disturbed(session, now, found))
        planned = replace(planned, plan=replace(planned.plan, steps=steps))
        before = {each.key: each for each in planned.now or _uninstalled(session)}
        warnings = regenerated(session, planned, before)
        reasons = {key: f"adopted: Helm's revision {each.revision}" for key, each in foreign.items()}
        steps = tuple(
            replace(s, reason=reasons.get(s.key, s.reason), warnings=warnings.get(s.key, ())) for s in steps
        )
        return replace(planned, plan=replace(planned.plan, steps=steps)), adopted

    def _planned(self, adopted: Sequence[Running] = ()) -> Planned:
        session = self._session
        return make_plan(
            session.store, session.blobs, session.rendering, session.file, self._version, adopted
        )

    def _to_adopt(
        self, targets: Mapping[str, ReleaseTarget], foreign: Mapping[str, HelmStatus]
    ) -> tuple[Adopted, ...]:
        if foreign and not self._adopt:
            raise DeployError(
                "nothing was changed: Helm releases exist that this site's ledger does not know: "
                f"{', '.join(sorted(foreign))}",
                hint="`airstore apply --adopt` takes them over with their data and Secrets, and can go back"
                " to them; --adopt --dry-run shows what it would change",
            )
        stop_at(not_adoptable(foreign))
        return find_adopted(self._session, targets)

    def _preflight(self, planned: Planned) -> Planned:
        """Stop at everything that stands in the way; else the plan, with what would be replaced."""
        session, changed = self._session, _changed(planned)
        targets = targets_of([each.running for each in planned.wanted], planned.release)
        changing = [target for key, target in targets.items() if key in changed]
        found = problems(session.cluster, changing, session.store.path)
        if not _changes(planned):
            stop_at(found)
            return planned
        intent = self._intent(planned, [each.running for each in planned.wanted])
        answers = rehearse_apply(session, planned, intent)
        stop_at([*found, *answers.findings, *self._image_problems(planned)], hint=answers.hint)
        return replace(planned, plan=replace(planned.plan, steps=answers.shown(planned.plan.steps)))

    def _image_problems(self, planned: Planned) -> Iterator[str]:
        changed = _changed(planned)
        for each in planned.wanted if self._images.enabled else ():
            if each.running.key in changed:
                yield from (f"{each.running.key}: {left}" for left in each.leftovers)
        for coming in self._coming(planned):
            yield from self._images.findings(self._session, coming)

    def _coming(self, planned: Planned) -> list[Coming]:
        """What is going to run, and what runs now and would run again after a failure."""
        changed = _changed(planned)
        wanted = [each.running for each in planned.wanted if each.running.key in changed]
        coming = [Coming(planned.release, targets_of(wanted, planned.release))]
        actions = {step.key: step.action for step in planned.plan.steps}
        back = {key for key, action in actions.items() if action in {"change", "remove"}} - self._abandoned
        before = [each for each in planned.now if each.key in back]
        release = self._session.release_of_state(planned.previous)
        if before and release:  # what was adopted came from wherever its nodes pulled it
            coming.append(Coming(release, targets_of(before, release), back=True))
        return coming

    def _begin(self, planned: Planned) -> Journal:
        session, kept = self._session, self._session.installations
        name = session.runs.name(session.now())
        actions = {step.key: step.action for step in planned.plan.steps}
        before = {running.key: running for running in planned.now}
        earlier = {} if before else {each.key: each for each in _uninstalled(session)}
        new: list[Running] = []
        for prepared in planned.wanted:
            key = prepared.running.key
            unchanged = actions[key] == "unchanged"
            new.append(
                kept.renew(name, before[key], prepared)
                if unchanged
                else kept.inherit(name, prepared, earlier.get(key))
            )
        return session.begin(self._intent(planned, new), name)

    def _intent(self, planned: Planned, new: Sequence[Running]) -> Intent:
        items = tuple((step.key, step.action, "") for step in planned.plan.steps)
        version, previous = planned.plan.version, planned.previous
        given_up = self._skipped, self._abandoned
        return Intent(Mode.APPLY, version, previous, items, tuple(new), planned.now, *given_up)


def _prune(session: ApplySession) -> None:
    """As the site's policy says; the release runs, whatever becomes of old backups."""
    try:
        for line in prune_by_policy(session.store, session.file.backups):
            session.say(line)
    except AirstoreError as fault:
        session.say(f"old backups were not pruned: {fault}")


def _changed(planned: Planned) -> set[str]:
    return {step.key for step in planned.plan.steps if step.action in {"install", "change"}}


def _changes(planned: Planned) -> bool:
    return any(step.action != "unchanged" for step in planned.plan.steps)


def _uninstalled(session: ApplySession) -> tuple[Running, ...]:
    """What ran last, of a product that was uninstalled; its volumes and their Secrets may have stayed."""
    entries = ledger.entries(session.store.history)
    return next((entry.running for entry in entries if entry.changed and entry.running), ())


def _check_resumed(
    journal: Journal, version: str, skipped: frozenset[str], abandoned: frozenset[str]
) -> None:
    intent = Intent.of(journal)
    if intent.mode is not Mode.APPLY:
        raise UsageError(
            f"{intent.mode} run {journal.name} has not ended", hint=f"resume it: airstore {intent.mode}"
        )
    if skipped - intent.skipped:
        raise UsageError(
            f"run {journal.name} has not ended; it backs up what it was begun with",
            hint="resume it without --skip-backup; or roll it back: `airstore rollback`",
        )
    if abandoned - intent.abandoned:
        raise UsageError(
            f"run {journal.name} has not ended; what it can go back to was settled when it began",
            hint="resume it without --skip-reinstate; or roll it back: `airstore rollback --skip-reinstate`",
        )
    if version and version != intent.version:
        raise UsageError(
            f"run {journal.name}, which applies {intent.version}, has not ended",
            hint="resume it: `airstore apply`; or roll it back: `airstore rollback`",
        )
