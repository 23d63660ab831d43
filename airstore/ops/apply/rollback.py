"""``airstore rollback``: back to what ran before, data included; the trusted sequence stays where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airstore.core.errors import NotFoundError, UsageError
from airstore.core.release import Release
from airstore.deploy.plan.backups import Backup, Index
from airstore.deploy.plan.plan import alike, observed, plan
from airstore.deploy.plan.stack import below
from airstore.deploy.run.journal import Journal, unfinished
from airstore.deploy.run.steps import End, Kind, Mode, Status, Step, stopped
from airstore.history import ledger
from airstore.history.ledger import Entry, Running
from airstore.ops.apply.backups import is_there, read_index
from airstore.ops.apply.checks.preflight import stop_at
from airstore.ops.apply.checks.pullable import Coming, ImageChecks, image_findings, node_findings
from airstore.ops.apply.checks.rehearse import Answers, rehearse_rollback
from airstore.ops.apply.restore import Choice, Journey, find_backups
from airstore.ops.apply.session.at_work import refuse_unfinished
from airstore.ops.apply.session.drive import (
    Outcome,
    Site,
    alone,
    close_recorded,
    disturbed,
    drive,
    open_run,
    outcome_of,
    statuses,
)
from airstore.ops.apply.session.plan import SitePlan
from airstore.ops.apply.session.runs import RunPlan
from airstore.ops.apply.session.runs import targets as make_targets


@dataclass(frozen=True)
class Goal:
    """What a rollback is asked for.

    Attributes:
        version: the release to go back to; empty for the one below what runs.
        images: how images are checked.
        choice: what becomes of data.
        abandoned: keys of Helm releases that are stopped and not installed again.
    """

    images: ImageChecks
    version: str = ""
    choice: Choice = field(default_factory=Choice)
    abandoned: frozenset[str] = frozenset()


@dataclass(frozen=True)
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


def rollback(site: Site, goal: Goal) -> Outcome:
    """Turn back a run that has not ended, or go back to a release that ran before.

    Raises:
        LockedError: another process holds the lock.
        NotFoundError: that release is not among those that ran below this one.
        UsageError: what was chosen cannot be restored; or a run has not ended that goes elsewhere.
        DeployError: a backup that is needed is missing; nothing was changed.
        OperatorNeededError: the rollback failed.
    """
    with alone(site) as held:
        if (ended := close_recorded(site)) and (outcome := _gone_back(site, ended, goal.version)):
            return outcome
        journal = open_run(site)
        if journal is None:
            begun, warnings = _plan(site, goal)
            for warning in warnings:
                site.say(warning)
            _preflight(site, goal, begun)
            stop_at(node_findings(site, goal.images, _coming(site, begun)))
            return drive(site, held, site.runs.begin(site.runs.name(site.now()), begun))
        if release := comes_back(site, goal):
            course = site.supplies.course(site.runs.plan(journal), journal.directory)
            back = {key: old for key, old in course.old.items() if key not in goal.abandoned}
            coming = Coming(release, back, back=True)
            stop_at(image_findings(site, goal.images, coming), f"run {journal.name} was not rolled back")
        _turn(site, journal, goal)
        return drive(site, held, journal, asked_back=True)


def plan_rollback(site: Site, goal: Goal) -> RollbackPlan:
    """What `rollback` would do now; changes nothing.

    Raises:
        NotFoundError, UsageError, DeployError: as `rollback`; and where a run has not ended.
    """
    refuse_unfinished(site.store, unfinished(site.runs.directory), "`airstore rollback` turns it back")
    begun, warnings = _plan(site, goal)
    stays = {key for key, action, _ in begun.items if action == "unchanged"}
    steps = _preflight(site, goal, begun).shown(plan(begun.old, begun.new, stays))
    restores = {key: backup.split("/")[2] for key, _, backup in begun.items if backup}
    return RollbackPlan(SitePlan(begun.previous, begun.version, steps), restores, warnings)


def comes_back(site: Site, goal: Goal) -> Release | None:
    """The release of the product that `rollback` would have run again; None for nothing.

    Raises:
        NotFoundError: there is nothing to go back to.
    """
    journal = unfinished(site.runs.directory)
    version = site.runs.plan(journal).previous if journal else ""
    if journal is None:
        index = read_index(site.store)
        version = index.states[_entries(site, index, goal.version)[1]].entry.version
    return site.supplies.find_release(version)


def _preflight(site: Site, goal: Goal, begun: RunPlan) -> Answers:
    """Stop at what the API server would refuse, or nodes could not pull; nothing has been stopped yet."""
    answers = rehearse_rollback(site, begun)
    images = (found for each in _coming(site, begun) for found in image_findings(site, goal.images, each))
    stop_at([*answers.findings, *images], hint=answers.hint)
    return answers


def _coming(site: Site, begun: RunPlan) -> list[Coming]:
    """What runs again, apart from what is not even stopped; nothing of what was adopted is ours to check."""
    course = site.supplies.course(begun, site.runs.directory)
    again = {key: course.old[key] for key in stopped(course.run, ())}
    release = site.supplies.find_release(begun.previous)
    return [Coming(release, again, back=True)] if release else []


def _gone_back(site: Site, journal: Journal, version: str) -> Outcome | None:
    """If this run went back already: to begin another one would go back twice."""
    planned = site.runs.plan(journal)
    back = planned.mode is Mode.ROLLBACK or journal.end in {End.ROLLED_BACK, End.UNTOUCHED}
    if not back or journal.end is None or version not in {"", planned.previous}:
        return None
    return outcome_of(site, journal, journal.end)


def _turn(site: Site, journal: Journal, goal: Goal) -> None:
    planned = site.runs.plan(journal)
    if planned.mode is Mode.UNINSTALL:
        raise UsageError(f"uninstall run {journal.name} has not ended", hint="resume it: airstore uninstall")
    if goal.version and goal.version != planned.previous:
        raise UsageError(
            f"run {journal.name} has not ended; it goes back to {planned.previous or 'nothing'}",
            hint="let it end first: `airstore rollback` without --to",
        )
    if goal.choice.runs:
        raise UsageError(
            f"run {journal.name} has not ended; it restores the backups that it made itself",
            hint="let it end first: `airstore rollback` without --backup",
        )
    _give_up(site, journal, goal)
    failed = any(event.status is Status.FAILED for event in journal.events)
    journal.record(Status.RESUME if failed or planned.mode is Mode.ROLLBACK else Status.TURN)
    site.say(f"turning back run {journal.name}")


def _give_up(site: Site, journal: Journal, goal: Goal) -> None:
    keys, choice = [key for key, _, _ in site.runs.plan(journal).items], goal.choice
    if unknown := (choice.skipped | goal.abandoned) - set(keys):
        raise UsageError(f"run {journal.name} has nothing to do with {', '.join(sorted(unknown))}")
    for key in keys if choice.keep else sorted(choice.skipped):
        journal.record(Status.GIVE_UP, Step(Kind.RESTORE, key))
    for key in sorted(goal.abandoned):
        journal.record(Status.GIVE_UP, Step(Kind.REINSTATE, key))


def _plan(site: Site, goal: Goal) -> tuple[RunPlan, tuple[str, ...]]:
    index = read_index(site.store)
    now, depth = _entries(site, index, goal.version)
    before = index.states[depth].entry
    release = site.supplies.release(now.version)
    hooked = {f"{helm.namespace}/{helm.name}": helm.hooks for helm in release.helm_releases}
    # The plan is read the way there: what the present state added goes, what it removed comes back.
    targets = {**make_targets(before.running, None), **make_targets(now.running, None)}
    changed = disturbed(site, make_targets(now.running, None), statuses(site, targets))
    steps = observed(plan(now.running, before.running, _same(site, now, before)), changed)
    there = [step.key for step in steps if step.action in {"change", "unchanged"}]
    journey = Journey(
        index,
        depth,
        release.product,
        tuple(key for key in there if {"preUpgrade", "rollback"} <= hooked.get(key, {}).keys()),
        tuple(step.key for step in steps if step.action == "remove"),
    )
    backups = find_backups(journey, goal.choice, lambda backup: is_there(site.store, backup))
    items = tuple((s.key, s.action, backups[s.key].place if s.key in backups else "") for s in steps)
    skipped = frozenset(there) if goal.choice.keep else goal.choice.skipped
    versions, given_up = (now.version, before.version), (skipped, goal.abandoned)
    begun = RunPlan(Mode.ROLLBACK, *versions, items, now.running, before.running, *given_up)
    return begun, tuple(_warnings(before.version, backups)) if goal.choice.runs else ()


def _same(site: Site, now: Entry, before: Entry) -> set[str]:
    """Keys of what both states have installed: alike, or one revision of Helm, as of what was adopted."""
    old = {each.key: each for each in before.running}
    pairs = [(each, old[each.key]) for each in now.running if each.key in old]
    return {newer.key for newer, older in pairs if alike(newer, older) or _one_revision(site, newer, older)}


def _one_revision(site: Site, newer: Running, older: Running) -> bool:
    kept = site.installations.kept(newer)
    return kept is not None and kept == site.installations.kept(older)


def _warnings(version: str, backups: Mapping[str, Backup]) -> list[str]:
    return [
        f"{key}: the backup of run {backup.run} holds the data of {backup.state}, not of {version}"
        for key, backup in backups.items()
        if backup.state != version
    ]


def _entries(site: Site, index: Index, version: str) -> tuple[Entry, int]:
    """What runs, and the depth of the state to go back to."""
    now, states = ledger.running(site.store.history), index.states
    if now is None:
        last = states[-1].version if states else ""
        hint = (
            f"`airstore apply --release {last}` installs what ran last" if last else "see `airstore history`"
        )
        raise NotFoundError("nothing runs that could be rolled back", hint=hint)
    wanted = version or (states[-2].version if len(states) > 1 else "")
    depth = below(states, wanted) if wanted != now.version else None
    if depth is None:
        known = ", ".join(dict.fromkeys(state.version for state in reversed(states[:-1]))) or "nothing"
        raise NotFoundError(
            f"{version or 'an earlier release'} is not what ran before {now.version}; what did: {known}",
            hint="`airstore apply --release VERSION` brings up a release that is not among them",
        )
    return now, depth
