"""``airstore rollback``: back to what ran before, data included; the trusted sequence stays where it is."""

from __future__ import annotations

from pathlib import Path

from airstore.core.errors import DeployError, NotFoundError, UsageError
from airstore.deploy import ledger
from airstore.deploy.journal import Journal, load_all, unfinished
from airstore.deploy.ledger import Entry
from airstore.deploy.plan import observed, plan
from airstore.deploy.steps import End, Kind, Mode, Status, Step
from airstore.ops.drive import (
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
from airstore.ops.plan_site import SitePlan
from airstore.ops.runs import RunPlan, Runs
from airstore.ops.runs import targets as make_targets


def rollback(site: Site, version: str, *, keep_data: bool = False) -> Outcome:
    """Turn back a run that has not ended, or go back to a release that ran before.

    Args:
        site: store and cluster.
        version: the release to go back to; empty for what ran before the present one.
        keep_data: run no rollback hooks.

    Raises:
        LockedError: somebody else is at it.
        NotFoundError: that release never ran here.
        OperatorNeededError: the way back failed.
    """
    with alone(site) as held:
        if (ended := close_recorded(site)) and (outcome := _gone_back(site, ended, version)):
            return outcome
        journal = open_run(site)
        if journal is None:
            begun = _plan(site, version, keep_data=keep_data)
            return drive(site, held, site.runs.begin(site.runs.name(site.now()), begun))
        _turn(site, journal, version)
        return drive(site, held, journal, asked_back=True)


def plan_rollback(site: Site, version: str) -> SitePlan:
    """What `rollback` would do now; changes nothing.

    Raises:
        UsageError: a run has not ended.
        NotFoundError: that release never ran here.
    """
    if journal := unfinished(site.runs.directory):
        raise UsageError(f"run {journal.name} has not ended", hint="`airstore rollback` turns it back")
    now, before = _entries(site, version)
    return SitePlan(before.version, now.version, plan(before.running, now.running))


def _gone_back(site: Site, journal: Journal, version: str) -> Outcome | None:
    """If this run went back already: to begin another one would go back twice."""
    planned = site.runs.plan(journal)
    back = planned.mode is Mode.ROLLBACK or journal.end in {End.ROLLED_BACK, End.UNTOUCHED}
    if not back or journal.end is None or version not in {"", planned.previous}:
        return None
    return outcome_of(site, journal, journal.end)


def _turn(site: Site, journal: Journal, version: str) -> None:
    planned = site.runs.plan(journal)
    if planned.mode is Mode.UNINSTALL:
        raise UsageError(
            f"uninstall run {journal.name} has not ended", hint="go on with it: airstore uninstall"
        )
    if version and version != planned.previous:
        raise UsageError(
            f"run {journal.name} has not ended; it goes back to {planned.previous or 'nothing'}",
            hint="let it end first: `airstore rollback` without --to",
        )
    failed = any(event.status is Status.FAILED for event in journal.events)
    journal.record(Status.RESUME if failed or planned.mode is Mode.ROLLBACK else Status.TURN)
    site.say(f"turning back run {journal.name}")


def _plan(site: Site, version: str, *, keep_data: bool) -> RunPlan:
    now, before = _entries(site, version)
    # The plan is read the way there: what the present state added goes, what it removed comes back.
    steps = plan(now.running, before.running)
    new, old = make_targets(now.running, None), make_targets(before.running, None)
    found = statuses(site, {**old, **new})
    steps = observed(steps, disturbed(site, new, found))
    backups = {} if keep_data else _backups(site.runs, before.version)
    release = site.supplies.release(now.version)
    hooked = {f"{helm.namespace}/{helm.name}": helm.hooks for helm in release.helm_releases}
    items = []
    for step in steps:
        hooks = hooked.get(step.key, {}) if step.action == "change" else {}
        backup = backups.get(step.key, "")
        if "rollback" in hooks and "preUpgrade" in hooks and not backup and not keep_data:
            raise DeployError(
                f"nothing was changed: there is no backup of {step.key} from when {before.version} ran",
                hint="--keep-data goes back without restoring data",
            )
        items.append((step.key, step.action, backup))
    return RunPlan(Mode.ROLLBACK, now.version, before.version, tuple(items), now.running, before.running)


def _entries(site: Site, version: str) -> tuple[Entry, Entry]:
    """What runs, and what ran before."""
    done = [entry for entry in ledger.entries(site.store.history) if entry.changed]
    if not done or not done[0].running:
        raise NotFoundError("nothing runs that could be rolled back", hint="see `airstore history`")
    now, *earlier = done
    wanted = version or next((entry.version for entry in earlier if entry.version != now.version), "")
    before = next((entry for entry in earlier if entry.version == wanted and entry.running), None)
    if before is None or wanted == now.version:
        known = ", ".join(dict.fromkeys(e.version for e in earlier if e.version != now.version)) or "nothing"
        raise NotFoundError(
            f"{version or 'an earlier release'} did not run here before; what did: {known}",
            hint="`airstore apply --release VERSION` brings up a release that never ran here",
        )
    return now, before


def _backups(runs: Runs, version: str) -> dict[str, str]:
    """For each Helm release the first backup that was made after ``version`` began to run."""
    found: dict[str, str] = {}
    for journal in load_all(runs.directory):
        if journal.end is not End.SUCCEEDED:
            continue
        planned = runs.plan(journal)
        if planned.mode is Mode.APPLY:
            done = {event.step for event in journal.events if event.status is Status.DONE}
            for key, _, _ in planned.items:
                if Step(Kind.BACKUP, key) in done:
                    found[key] = str(_backup(journal, key))
        if planned.outcome[0] == version and planned.mode is not Mode.UNINSTALL:
            found = {key: path for key, path in found.items() if not path.startswith(str(journal.directory))}
            break
    return {key: path for key, path in found.items() if Path(path).is_dir()}


def _backup(journal: Journal, key: str) -> Path:
    return journal.directory.absolute() / "backup" / key.replace("/", "_")
