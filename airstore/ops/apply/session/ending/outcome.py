"""What is said of a run that has ended well, and what was found of its Helm releases in the cluster."""

from __future__ import annotations

from collections.abc import Mapping

from airstore.core.frozen import frozen
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.observed import observe
from airstore.deploy.run.steps import End, Mode
from airstore.ops.apply.session.session import ApplySession


@frozen
class RunOutcome:
    """How a run ended.

    Attributes:
        run: its name; empty where there was nothing to do.
        version: what should run now; empty for nothing.
        states: Helm release to what was found of it in the cluster.
        confirmed: that is what should run, healthy, and nothing else of the product.
    """

    run: str
    end: End
    version: str
    states: Mapping[str, str]
    confirmed: bool


def outcome_of(session: ApplySession, journal: Journal, end: End) -> RunOutcome:
    """What to say of a run that has ended well, or as an operator wanted it to end."""
    intent = Intent.of(journal)
    version, running = intent.outcome if end is End.SUCCEEDED else (intent.previous, intent.old)
    states, confirmed = look(session, journal, succeeded=end is End.SUCCEEDED)
    return RunOutcome(journal.name, end, version if running else "", states, confirmed)


def look(session: ApplySession, journal: Journal, *, succeeded: bool) -> tuple[dict[str, str], bool]:
    """Key to what is found of each Helm release of a run, and whether that is what should be there."""
    intent = Intent.of(journal)
    transition = session.transition(intent, journal.directory)
    newer = succeeded and intent.mode is Mode.APPLY
    back = not succeeded or intent.mode is Mode.ROLLBACK
    wanted = transition.new if newer else transition.old if back else {}
    return look_at(session, wanted, {**transition.new, **transition.old})


def look_at(
    session: ApplySession, wanted: Mapping[str, ReleaseTarget], others: Mapping[str, ReleaseTarget]
) -> tuple[dict[str, str], bool]:
    """As `look`, of any Helm releases that should run and others that should not."""
    seen = observe(session.helm, session.cluster, wanted, others)
    redactor = session.installations.redactor(target.running for target in {**others, **wanted}.values())
    states = {key: redactor.text(str(each)) for key, each in seen.items()}
    return states, all(each.is_as(wanted.get(key)) for key, each in seen.items())
