"""``airstore uninstall``: the product's Helm releases go, in reverse order; volume claims and CRDs stay."""

from __future__ import annotations

from airstore.core.errors import NotFoundError, UsageError
from airstore.deploy.plan.plan import plan
from airstore.deploy.run.steps import Mode, Status
from airstore.history import ledger
from airstore.ops.apply.session.drive import Outcome, Site, alone, close_recorded, drive, open_run, outcome_of
from airstore.ops.apply.session.plan import SitePlan
from airstore.ops.apply.session.runs import RunPlan


def uninstall(site: Site) -> Outcome:
    """Uninstall everything that runs, or go on with an uninstall.

    Raises:
        LockedError: another process holds the lock.
        NotFoundError: nothing runs.
        OperatorNeededError: a Helm release could not be uninstalled.
    """
    with alone(site) as held:
        ended = close_recorded(site)
        if ended and ended.end and site.runs.plan(ended).mode is Mode.UNINSTALL:
            return outcome_of(site, ended, ended.end)
        journal = open_run(site)
        if journal is None:
            entry = _running(site)
            items = tuple((running.key, "remove", "") for running in entry.running)
            begun = RunPlan(Mode.UNINSTALL, "", entry.version, items, (), entry.running)
            return drive(site, held, site.runs.begin(site.runs.name(site.now()), begun))
        if site.runs.plan(journal).mode is not Mode.UNINSTALL:
            raise UsageError(
                f"run {journal.name} has not ended",
                hint="resume it: `airstore apply`; or roll it back: `airstore rollback`",
            )
        journal.record(Status.RESUME)
        return drive(site, held, journal)


def plan_uninstall(site: Site) -> SitePlan:
    """What `uninstall` would do; changes nothing.

    Raises:
        NotFoundError: nothing runs.
    """
    entry = _running(site)
    return SitePlan("", entry.version, plan((), entry.running))


def _running(site: Site) -> ledger.Entry:
    entry = ledger.running(site.store.history)
    if entry is None:
        raise NotFoundError("nothing runs that could be uninstalled", hint="see `airstore history`")
    return entry
