"""Driving a run to its end: the engine over Helm, cluster and hooks, then the ledger, then what is said."""

from __future__ import annotations

from airstore.deploy.run.engine import Announcer, Engine, StepActions
from airstore.deploy.run.helm_steps import HelmSteps
from airstore.deploy.run.hook_steps import HookSteps
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.steps import End
from airstore.deploy.run.waits import Waits
from airstore.deploy.run.workload_steps import WorkloadSteps
from airstore.deploy.waiting.health import SystemClock
from airstore.ops.apply.session.ending import report
from airstore.ops.apply.session.ending.outcome import RunOutcome, look, outcome_of
from airstore.ops.apply.session.ending.record import end_run
from airstore.ops.apply.session.session import ApplySession


def drive(session: ApplySession, journal: Journal, *, asked_back: bool = False) -> RunOutcome:
    """Go on with a run until it ends; inside `ApplySession.alone`.

    Args:
        session: store and cluster.
        journal: of the run.
        asked_back: to have rolled back is what was asked for.

    Raises:
        DeployError: it failed, and what ran before runs again.
        OperatorNeededError: the rollback failed too.
    """
    intent = Intent.of(journal)
    end = _engine(session, journal, intent).drive()
    end_run(session, journal, intent, end)
    if end is End.SUCCEEDED or (asked_back and end in {End.ROLLED_BACK, End.UNTOUCHED}):
        return outcome_of(session, journal, end)
    states, confirmed = look(session, journal, succeeded=False)
    if end is End.NEEDS_OPERATOR:
        raise report.needs_operator(journal, intent, states, session.invocation.resume)
    run = session.transition(intent, journal.directory).run
    lost = report.given_up_words(run, journal, intent)
    raise report.failed(journal, intent, end, states, confirmed=confirmed, lost=lost)


def _engine(session: ApplySession, journal: Journal, intent: Intent) -> Engine:
    """The parts of a run, each with what it acts on."""
    helm, cluster, say = session.helm, session.cluster, session.say
    display, held, clock = session.console.display, session.held, SystemClock()
    transition = session.transition(intent, journal.directory)
    redactor = session.installations.redactor([*intent.new, *intent.old])
    hooks = session.hooks(journal.directory, redactor)
    waits = Waits(cluster, held, clock, display, redactor)
    actions = StepActions(
        HelmSteps(transition, helm, cluster, session.supplies, waits, say),
        WorkloadSteps(transition, helm, cluster, hooks, waits, journal.events),
        HookSteps(transition, hooks, waits, redactor, say),
    )
    return Engine(transition.run, journal, actions, held, clock, Announcer(say, display, redactor))
