"""``airstore apply``: bring a site's Helm releases to a release, all of them, or back to where they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from airstore.core.errors import AirstoreError, DeployError, UsageError
from airstore.core.release import Release
from airstore.core.site import SiteFile
from airstore.deploy.checks.preflight import problems, refused
from airstore.deploy.helm.records import HelmStatus
from airstore.deploy.model.target import Target
from airstore.deploy.plan.plan import observed
from airstore.deploy.run.journal import Journal, unfinished
from airstore.deploy.run.steps import End, Mode
from airstore.history import ledger
from airstore.history.ledger import Running
from airstore.ops.apply.adopt import adopt, find_adopted, not_adoptable
from airstore.ops.apply.backups import prune_backups
from airstore.ops.apply.checks.preflight import stop_at
from airstore.ops.apply.checks.pullable import Coming, ImageChecks, image_findings, node_findings
from airstore.ops.apply.checks.regenerated import regenerated
from airstore.ops.apply.checks.rehearse import rehearse_apply
from airstore.ops.apply.session.at_work import refuse_unfinished
from airstore.ops.apply.session.drive import (
    Outcome,
    Site,
    alone,
    disturbed,
    drive,
    look_at,
    open_run,
    statuses,
)
from airstore.ops.apply.session.installations import Adopted
from airstore.ops.apply.session.plan import Planned, SitePlan, backups_of, make_plan
from airstore.ops.apply.session.runs import RunPlan
from airstore.ops.apply.session.runs import targets as make_targets


@dataclass(frozen=True)
class Wish:
    """What an apply is asked for.

    Attributes:
        images: how images are checked, and the site file.
        version: empty for the newest release, or for that of a run to be resumed.
        skipped: keys of Helm releases that are not backed up; a run that is resumed keeps its own.
        abandoned: keys of those that are not installed again if the run fails; likewise.
        adopt: take over Helm releases that somebody else installed.
    """

    images: ImageChecks
    version: str
    skipped: frozenset[str] = frozenset()
    abandoned: frozenset[str] = frozenset()
    adopt: bool = False

    @property
    def site_file(self) -> SiteFile:
        """The site file."""
        return self.images.site_file


def plan_apply(site: Site, wish: Wish) -> SitePlan:
    """What `apply` would do now: the plan against the ledger and what Helm says runs. Changes nothing.

    Raises:
        LockedError: another process holds the lock of a run.
        UsageError: an earlier run is to be finished first.
        DeployError: a prerequisite is missing.
    """
    goes_on_with = "`airstore apply` resumes it; --dry-run cannot"
    refuse_unfinished(site.store, unfinished(site.runs.directory), goes_on_with)
    planned, _ = _observe(site, wish)
    planned = _preflight(site, wish, planned)
    return replace(planned.plan, backups=backups_of(site.store, planned, wish.skipped))


def goes_on(site: Site) -> bool:
    """Whether `apply` would go on with a run that was killed, which needs no registry first."""
    return unfinished(site.runs.directory) is not None


def running(site: Site) -> Release | None:
    """The release of the product that runs, by the ledger; None of nothing, and of what was adopted."""
    entry = ledger.running(site.store.history)
    return site.supplies.find_release(entry.version) if entry else None


def apply(site: Site, wish: Wish) -> Outcome:
    """Go on with a run that was killed, or begin one, and drive it to its end.

    Raises:
        LockedError: another process holds the lock.
        DeployError: a prerequisite is missing, or a step failed; what ran before runs (again).
        OperatorNeededError: the rollback failed too.
    """
    with alone(site) as held:
        journal = open_run(site)
        if journal:
            _check_resumed(site, wish, journal)
            site.say(f"resuming run {journal.name}")
            outcome = drive(site, held, journal)
            _prune(site, wish.site_file)
            return outcome
        planned, found = _observe(site, wish)
        planned = _preflight(site, wish, planned)
        stop_at(node_findings(site, wish.images, _coming(site, wish, planned)))
        for step in planned.plan.steps:
            for warning in step.warnings:
                site.say(f"warning: {step.key}: {warning}")
        if found:
            planned = replace(planned, now=adopt(site, found))
        if planned.plan.version == planned.plan.running and not _changes(planned):
            running = make_targets(planned.now, planned.release)
            return Outcome("", End.SUCCEEDED, planned.plan.version, *look_at(site, running, {}))
        outcome = drive(site, held, _begin(site, wish, planned))
        _prune(site, wish.site_file)
        return outcome


def _prune(site: Site, site_file: SiteFile) -> None:
    """As the site's policy says; the release runs, whatever becomes of old backups."""
    if (keep := site_file.backups.get("keep")) is None:
        return
    try:
        pruned = prune_backups(site.store, keep, site_file.backups.get("states"))
    except AirstoreError as fault:
        site.say(f"old backups were not pruned: {fault}")
    else:
        for run in pruned:
            site.say(f"pruned the backups of run {run}, which no rollback needs")


def _observe(site: Site, wish: Wish) -> tuple[Planned, tuple[Adopted, ...]]:
    """The plan in view of the cluster, and what is to be adopted for it."""
    planned = make_plan(site.store, site.blobs, site.rendering, wish.site_file, wish.version)
    targets = make_targets([each.running for each in planned.wanted], planned.release)
    stop_at(refused(site.cluster, targets.values(), pulling=site.pulling))
    found = statuses(site, targets)
    foreign = {key: found[key] for key in found.keys() - {running.key for running in planned.now}}
    adopted = _to_adopt(site, wish, {key: targets[key] for key in foreign}, foreign)
    if adopted:
        others = [each.running for each in adopted]
        planned = make_plan(site.store, site.blobs, site.rendering, wish.site_file, wish.version, others)
    now = make_targets((each for each in planned.now if each.key not in foreign), None)
    steps = observed(planned.plan.steps, disturbed(site, now, found))
    planned = replace(planned, plan=replace(planned.plan, steps=steps))
    before = {each.key: each for each in planned.now or _uninstalled(site)}
    warnings = regenerated(site, wish.site_file, planned, before)
    reasons = {key: f"adopted: Helm's revision {each.revision}" for key, each in foreign.items()}
    steps = tuple(
        replace(s, reason=reasons.get(s.key, s.reason), warnings=warnings.get(s.key, ())) for s in steps
    )
    return replace(planned, plan=replace(planned.plan, steps=steps)), adopted


def _to_adopt(
    site: Site, wish: Wish, targets: Mapping[str, Target], foreign: Mapping[str, HelmStatus]
) -> tuple[Adopted, ...]:
    if foreign and not wish.adopt:
        raise DeployError(
            "nothing was changed: Helm releases exist that this site's ledger does not know: "
            f"{', '.join(sorted(foreign))}",
            hint="`airstore apply --adopt` takes them over with their data and Secrets, and can go back to"
            " them; --adopt --dry-run shows what it would change",
        )
    stop_at(not_adoptable(foreign))
    return find_adopted(site, targets)


def _changed(planned: Planned) -> set[str]:
    return {step.key for step in planned.plan.steps if step.action in {"install", "change"}}


def _preflight(site: Site, wish: Wish, planned: Planned) -> Planned:
    """Stop at everything that stands in the way; else the plan, with what would be replaced."""
    changed = _changed(planned)
    targets = make_targets([each.running for each in planned.wanted], planned.release)
    found = problems(
        site.cluster, [target for key, target in targets.items() if key in changed], site.store.path
    )
    if not _changes(planned):
        stop_at(found)
        return planned
    answers = rehearse_apply(
        site, planned, _run_plan(wish, planned, (each.running for each in planned.wanted))
    )
    stop_at([*found, *answers.findings, *_image_problems(site, wish, planned)], hint=answers.hint)
    return replace(planned, plan=replace(planned.plan, steps=answers.shown(planned.plan.steps)))


def _image_problems(site: Site, wish: Wish, planned: Planned) -> Iterator[str]:
    changed = _changed(planned)
    for each in planned.wanted if wish.images.wanted else ():
        if each.running.key in changed:
            yield from (f"{each.running.key}: {left}" for left in each.leftovers)
    for coming in _coming(site, wish, planned):
        yield from image_findings(site, wish.images, coming)


def _coming(site: Site, wish: Wish, planned: Planned) -> list[Coming]:
    """What is going to run, and what runs now and would run again after a failure."""
    changed = _changed(planned)
    wanted = [each.running for each in planned.wanted if each.running.key in changed]
    coming = [Coming(planned.release, make_targets(wanted, planned.release))]
    actions = {step.key: step.action for step in planned.plan.steps}
    back = {key for key, action in actions.items() if action in {"change", "remove"}} - wish.abandoned
    before = [each for each in planned.now if each.key in back]
    release = site.supplies.find_release(planned.previous)
    if before and release:  # what was adopted came from wherever its nodes pulled it
        coming.append(Coming(release, make_targets(before, release), back=True))
    return coming


def _changes(planned: Planned) -> bool:
    return any(step.action != "unchanged" for step in planned.plan.steps)


def _begin(site: Site, wish: Wish, planned: Planned) -> Journal:
    runs, kept = site.runs, site.installations
    name = runs.name(site.now())
    actions = {step.key: step.action for step in planned.plan.steps}
    before = {running.key: running for running in planned.now}
    earlier = {} if before else {each.key: each for each in _uninstalled(site)}
    new: list[Running] = []
    for prepared in planned.wanted:
        unchanged = actions[prepared.running.key] == "unchanged"
        new.append(
            kept.renew(name, before[prepared.running.key], prepared)
            if unchanged
            else kept.inherit(name, prepared, earlier.get(prepared.running.key))
        )
    return runs.begin(name, _run_plan(wish, planned, new))


def _run_plan(wish: Wish, planned: Planned, new: Iterable[Running]) -> RunPlan:
    items = tuple((step.key, step.action, "") for step in planned.plan.steps)
    version, previous = planned.plan.version, planned.previous
    given_up = wish.skipped, wish.abandoned
    return RunPlan(Mode.APPLY, version, previous, items, tuple(new), planned.now, *given_up)


def _uninstalled(site: Site) -> tuple[Running, ...]:
    """What ran last, of a product that was uninstalled; its volumes and their Secrets may have stayed."""
    entries = ledger.entries(site.store.history)
    return next((entry.running for entry in entries if entry.changed and entry.running), ())


def _check_resumed(site: Site, wish: Wish, journal: Journal) -> None:
    plan = site.runs.plan(journal)
    if plan.mode is not Mode.APPLY:
        raise UsageError(
            f"{plan.mode} run {journal.name} has not ended", hint=f"resume it: airstore {plan.mode}"
        )
    if wish.skipped - plan.skipped:
        raise UsageError(
            f"run {journal.name} has not ended; it backs up what it was begun with",
            hint="resume it without --skip-backup; or roll it back: `airstore rollback`",
        )
    if wish.abandoned - plan.abandoned:
        raise UsageError(
            f"run {journal.name} has not ended; what it can go back to was settled when it began",
            hint="resume it without --skip-reinstate; or roll it back: `airstore rollback --skip-reinstate`",
        )
    if wish.version and wish.version != plan.version:
        raise UsageError(
            f"run {journal.name}, which applies {plan.version}, has not ended",
            hint="resume it: `airstore apply`; or roll it back: `airstore rollback`",
        )
