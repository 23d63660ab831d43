"""``airstore apply``: bring a site's Helm releases to a release, all of them, or back to where they were."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from airstore.core.errors import AirstoreError, DeployError, UsageError
from airstore.core.site import SiteFile
from airstore.deploy.images import samples, strangers
from airstore.deploy.journal import Journal, unfinished
from airstore.deploy.ledger import Running
from airstore.deploy.plan import observed
from airstore.deploy.preflight import problems, refused
from airstore.deploy.protocols import Permission
from airstore.deploy.steps import End, Mode
from airstore.ops.access import Access
from airstore.ops.at_work import refuse_unfinished
from airstore.ops.backups import prune_backups
from airstore.ops.drive import (
    LEASE_NAMESPACE,
    Outcome,
    Site,
    alone,
    disturbed,
    drive,
    look_at,
    open_run,
    statuses,
)
from airstore.ops.images import image_problems
from airstore.ops.plan_site import Planned, SitePlan, make_plan
from airstore.ops.runs import RunPlan
from airstore.ops.runs import targets as make_targets

_PULL = 180.0  # seconds for a node to pull one image
_PROBING = (
    Permission("list", "nodes"),
    Permission("patch", "pods", "", LEASE_NAMESPACE),
    Permission("create", "pods", "", LEASE_NAMESPACE),
    Permission("delete", "pods", "", LEASE_NAMESPACE),
)


@dataclass(frozen=True)
class Wish:
    """What an apply is asked for.

    Attributes:
        version: empty for the newest release, or for that of a run to be resumed.
        access: how to reach the registry that nodes pull from.
        check_images: see first whether nodes can pull every image.
        ask_registry: and ask the registry for each; not where what it lacks is going to be pushed.
        check_nodes: what every node has to pull: ``one`` image of each host, ``all``, or ``none``.
        skipped: keys of Helm releases that are not backed up; a run that is resumed keeps its own.
    """

    site_file: SiteFile
    version: str
    access: Access
    check_images: bool = True
    ask_registry: bool = True
    check_nodes: str = "one"
    skipped: frozenset[str] = frozenset()


def plan_apply(site: Site, wish: Wish) -> SitePlan:
    """What `apply` would do now: the plan against the ledger and what Helm says runs. Changes nothing.

    Raises:
        LockedError: another process is at work on a run.
        UsageError: an earlier run is to be finished first.
        DeployError: a prerequisite is missing.
    """
    goes_on_with = "`airstore apply` goes on with it; --dry-run cannot"
    refuse_unfinished(site.store, unfinished(site.runs.directory), goes_on_with)
    planned = _observe(site, wish)
    _preflight(site, wish, planned)
    return planned.plan


def goes_on(site: Site) -> bool:
    """Whether `apply` would go on with a run that was killed, which needs no registry first."""
    return unfinished(site.runs.directory) is not None


def apply(site: Site, wish: Wish) -> Outcome:
    """Go on with a run that was killed, or begin one, and drive it to its end.

    Raises:
        LockedError: somebody else is at it.
        DeployError: a prerequisite is missing, or a step failed; what ran before runs (again).
        OperatorNeededError: the way back failed too.
    """
    with alone(site) as held:
        journal = open_run(site)
        if journal:
            _check_resumed(site, wish, journal)
            site.say(f"going on with run {journal.name}")
            outcome = drive(site, held, journal)
            _prune(site, wish.site_file)
            return outcome
        planned = _observe(site, wish)
        _preflight(site, wish, planned)
        if wish.check_images:
            _stop_at(_node_problems(site, wish, planned))
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


def _observe(site: Site, wish: Wish) -> Planned:
    planned = make_plan(site.store, site.blobs, site.rendering, wish.site_file, wish.version)
    targets = make_targets([each.running for each in planned.wanted], planned.release)
    _stop_at(refused(site.cluster, targets.values(), pulling=site.pulling))
    found = statuses(site, targets)
    foreign = found.keys() - {running.key for running in planned.now}
    if foreign:
        raise DeployError(
            f"nothing was changed: Helm releases exist that this site's ledger does not know: "
            f"{', '.join(sorted(foreign))}",
            hint="uninstall them with helm, or use the store that installed them",
        )
    now = make_targets(planned.now, None)
    steps = observed(planned.plan.steps, disturbed(site, now, found))
    return replace(planned, plan=replace(planned.plan, steps=steps))


def _changed(planned: Planned) -> set[str]:
    return {step.key for step in planned.plan.steps if step.action in {"install", "change"}}


def _preflight(site: Site, wish: Wish, planned: Planned) -> None:
    changed = _changed(planned)
    targets = make_targets([each.running for each in planned.wanted], planned.release)
    found = problems(
        site.cluster, [target for key, target in targets.items() if key in changed], site.store.path
    )
    if wish.check_images and changed:
        found += _image_problems(site, wish, planned, changed)
    _stop_at(found)


def _image_problems(site: Site, wish: Wish, planned: Planned, changed: Collection[str]) -> Iterator[str]:
    """What nodes could not pull: named as the release does not have it, or not in the registry."""
    wanted = [each for each in planned.wanted if each.running.key in changed]
    for each in wanted:
        yield from (f"{each.running.key}: {left}" for left in each.leftovers)
    targets = make_targets([each.running for each in wanted], planned.release)
    yield from strangers(targets.values(), planned.release, wish.site_file.registry_address)
    if wish.ask_registry:
        yield from image_problems(site.store, planned.release, wish.site_file, wish.access, site.kubeconfig)


def _node_problems(site: Site, wish: Wish, planned: Planned) -> Iterator[str]:
    """What the nodes themselves cannot pull; asked last, because it makes pods."""
    if wish.check_nodes == "none" or not wish.site_file.registry_address:
        return
    if any(site.cluster.refusals(_PROBING)):
        site.say("whether the nodes can pull is not checked: you may not list nodes or make pods for that")
        return
    changed = _changed(planned)
    targets = make_targets([e.running for e in planned.wanted if e.running.key in changed], planned.release)
    place, every = wish.site_file.registry_address, wish.check_nodes == "all"
    images = samples(targets.values(), planned.release, place, every=every)
    if not images:
        return
    site.say(f"the nodes pull {', '.join(images)}")
    site.let_pull(LEASE_NAMESPACE)
    secret = "" if wish.site_file.registry.get("pullSecret") else wish.site_file.pull_secret
    yield from site.cluster.unpullable(images, LEASE_NAMESPACE, secret, _PULL * len(images))


def _stop_at(found: Iterable[str]) -> None:
    if listed := "\n".join(f"  {problem}" for problem in found):
        raise DeployError(f"nothing was changed: prerequisites are missing\n{listed}")


def _changes(planned: Planned) -> bool:
    return any(step.action != "unchanged" for step in planned.plan.steps)


def _begin(site: Site, wish: Wish, planned: Planned) -> Journal:
    runs = site.runs
    name = runs.name(site.now())
    actions = {step.key: step.action for step in planned.plan.steps}
    before = {running.key: running for running in planned.now}
    new: list[Running] = []
    for prepared in planned.wanted:
        unchanged = actions[prepared.running.key] == "unchanged"
        new.append(
            runs.renew(name, before[prepared.running.key], prepared)
            if unchanged
            else runs.keep_values(name, prepared)
        )
    plan = RunPlan(
        Mode.APPLY,
        planned.plan.version,
        planned.previous,
        tuple((key, action, "") for key, action in actions.items()),
        tuple(new),
        planned.now,
        wish.skipped,
    )
    return runs.begin(name, plan)


def _check_resumed(site: Site, wish: Wish, journal: Journal) -> None:
    plan = site.runs.plan(journal)
    if plan.mode is not Mode.APPLY:
        raise UsageError(
            f"{plan.mode} run {journal.name} has not ended", hint=f"go on with it: airstore {plan.mode}"
        )
    if wish.skipped - plan.skipped:
        raise UsageError(
            f"run {journal.name} has not ended; it backs up what it was begun with",
            hint="go on with it without --skip-backup; or turn it back: `airstore rollback`",
        )
    if wish.version and wish.version != plan.version:
        raise UsageError(
            f"run {journal.name}, which applies {plan.version}, has not ended",
            hint="go on with it: `airstore apply`; or turn it back: `airstore rollback`",
        )
