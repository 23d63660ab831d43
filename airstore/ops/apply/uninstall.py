"""``airstore uninstall``: the product's Helm releases go, in reverse order; volume claims and CRDs stay."""

from __future__ import annotations

from airstore.core.errors import NotFoundError, UsageError
from airstore.deploy.plan.plan import plan
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.steps import Mode, Status
from airstore.history import ledger
from airstore.ops.apply.session.drive import drive
from airstore.ops.apply.session.ending.outcome import RunOutcome, outcome_of
from airstore.ops.apply.session.ending.record import close_recorded, open_run
from airstore.ops.apply.session.plan import SitePlan
from airstore.ops.apply.session.session import ApplySession


def uninstall(session: ApplySession) -> RunOutcome:
    """Uninstall everything that runs, or go on with an uninstall.

    Raises:
        LockedError: another process holds the lock.
        NotFoundError: nothing runs.
        OperatorNeededError: a Helm release could not be uninstalled.
    """
    with session.alone():
        ended = close_recorded(session)
        if ended and ended.end and Intent.of(ended).mode is Mode.UNINSTALL:
            return outcome_of(session, ended, ended.end)
        journal = open_run(session)
        if journal is None:
            entry = _running(session)
            items = tuple((running.key, "remove", "") for running in entry.running)
            begun = Intent(Mode.UNINSTALL, "", entry.version, items, (), entry.running)
            return drive(session, session.begin(begun))
        if Intent.of(journal).mode is not Mode.UNINSTALL:
            raise UsageError(
                f"run {journal.name} has not ended",
                hint="resume it: `airstore apply`; or roll it back: `airstore rollback`",
            )
        journal.record(Status.RESUME)
        return drive(session, journal)


def plan_uninstall(session: ApplySession) -> SitePlan:
    """What `uninstall` would do; changes nothing.

    Raises:
        NotFoundError: nothing runs.
    """
    entry = _running(session)
    return SitePlan("", entry.version, plan((), entry.running))


def _running(session: ApplySession) -> ledger.Entry:
    entry = ledger.running(session.store.history)
    if entry is None:
        raise NotFoundError("nothing runs that could be uninstalled", hint="see `airstore history`")
    return entry
