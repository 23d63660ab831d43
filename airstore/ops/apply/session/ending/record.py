"""How a run ended, in the ledger: written before the journal is closed, and read where that was killed."""

from __future__ import annotations

from airstore.deploy.plan.plan import as_installed
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.steps import End, Mode
from airstore.history import ledger
from airstore.ops.apply.session.ending import report, stayed
from airstore.ops.apply.session.session import ApplySession
from airstore.ops.stores.site import anchors, ledgers


def open_run(session: ApplySession) -> Journal | None:
    """The run that has not ended. One that was killed between the ledger and its journal's end has.

    Raises:
        DamagedError: a journal does not read.
    """
    return None if close_recorded(session) else session.unfinished()


def close_recorded(session: ApplySession) -> Journal | None:
    """Close the run that was killed between the ledger and its journal's end, if there is one.

    Whoever asked for it was never told how it ended, and asks again.

    Raises:
        DamagedError: a journal does not read.
    """
    journal = session.unfinished()
    recorded = _recorded(session, journal) if journal else None
    if journal is None or recorded is None:
        return None
    journal.close(recorded)
    return journal


def end_run(session: ApplySession, journal: Journal, intent: Intent, end: End) -> None:
    """Have the ledger say how a run ended; then it has, unless an operator is needed."""
    failures = report.failures(journal)
    details: dict[str, str | int] = {"run": journal.name, "end": str(end), ledger.SEAL: journal.seal()}
    if failures:
        details["failure"] = failures[-1] if end is End.NEEDS_OPERATOR else failures[0]
    succeeded = end is End.SUCCEEDED
    version, running = intent.outcome
    if succeeded and intent.mode is Mode.ROLLBACK:
        stayed.keep(session.installations, intent)
    hide, kept = ledgers.redaction(session.store), session.installations.kept
    after = running if succeeded else ()
    if whole := " ".join(each.values for each in after if kept(each)):
        details[ledger.KEPT] = whole
    entry = ledger.Entry(
        intent.mode,
        version if succeeded else (intent.version or intent.previous),
        "succeeded" if succeeded else "failed",
        session.now(),
        details,
        tuple(as_installed(each, kept(each), hide) for each in after),
    )
    anchors.record(session.store, entry)
    if end is not End.NEEDS_OPERATOR:
        journal.close(end)


def _recorded(session: ApplySession, journal: Journal) -> End | None:
    """How the ledger says that this run ended; None if it does not. Pushes may have come after it."""
    own = (each for each in ledger.entries(session.store.history) if each.details.get("run") == journal.name)
    newest = next(own, None)
    if newest is None:
        return None
    end = End(str(newest.details.get("end")))
    return None if end is End.NEEDS_OPERATOR else end
