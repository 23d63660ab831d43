"""What the API server would refuse of an apply or a rollback, asked before anything is stopped or changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from airstore.core.frozen import frozen
from airstore.core.kube.rights import Right
from airstore.deploy.checks.rehearsal import Move, RehearsalFinding, describe, rehearse
from airstore.deploy.helm.kept import Standing
from airstore.deploy.model.redact import Redactor
from airstore.deploy.model.target import ReleaseTarget, targets_of
from airstore.deploy.plan.plan import PlanStep
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.replacing import moves_back
from airstore.deploy.run.steps import Mode, Run, stopped_at_most
from airstore.deploy.run.transition import items_of
from airstore.ops.apply.session.plan import Planned
from airstore.ops.apply.session.session import ApplySession


@frozen
class Answers:
    """What the API server said.

    Attributes:
        findings: what it would refuse, a line each, secrets taken out.
        replaced: key to the objects that would be deleted and made again.
    """

    findings: tuple[str, ...]
    replaced: Mapping[str, tuple[str, ...]]
    hint: str = ""

    def shown(self, steps: Sequence[PlanStep]) -> tuple[PlanStep, ...]:
        """Steps of a plan, each with the objects that it replaces."""
        return tuple(replace(step, replaces=self.replaced.get(step.key, ())) for step in steps)


def rehearse_apply(session: ApplySession, planned: Planned, run: Intent) -> Answers:
    """Ask for what an apply would install, and for what its rollback would.

    Raises:
        TransferError: the cluster or Helm did not answer.
    """
    changed = run.keys("install", "change")
    new = targets_of([each.running for each in planned.wanted], planned.release)
    old = targets_of(run.old, session.release_of_state(run.previous))
    standing = _Standings(session)
    forward = [
        standing.move(new[each.running.key], each.documents)
        for each in planned.wanted
        if each.running.key in changed
    ]
    back = [
        standing.back(old[key])
        for key in stopped_at_most(Run(items_of(run, new, old), Mode.APPLY))
        if key in old
    ]
    known = frozenset(text for each in planned.wanted for text in each.secrets)
    redactor = Redactor(known | session.installations.redactor(run.old).secrets)
    return _answers(session, forward, back, redactor)


def rehearse_rollback(session: ApplySession, run: Intent) -> Answers:
    """Ask for what a rollback would install again.

    Raises:
        TransferError: the cluster or Helm did not answer.
    """
    back = moves_back(session.helm, session.transition(run), ())
    return _answers(session, [], back, session.installations.redactor([*run.new, *run.old]))


class _Standings:
    """What Helm has of each Helm release, asked once."""

    def __init__(self, session: ApplySession) -> None:
        self._helm = session.helm
        self._known: dict[str, Standing] = {}

    def move(
        self, target: ReleaseTarget, documents: Iterable[Mapping[str, object]], *, back: bool = False
    ) -> Move:
        """A Helm release as it would be installed over what stands."""
        key = target.running.key
        found = self._known[key] = self._known.get(key) or self._helm.standing(target)
        return Move(target, tuple(documents), found.documents, found.on_server, back)

    def back(self, target: ReleaseTarget) -> Move:
        """What a rollback would install again."""
        return self.move(target, self._helm.reinstates(target), back=True)


def _answers(session: ApplySession, forward: list[Move], back: list[Move], redactor: Redactor) -> Answers:
    _say_unasked(session, [*forward, *back])
    ahead, behind = rehearse(session.cluster, forward), rehearse(session.cluster, back)
    found = [finding for each in (*ahead.values(), *behind.values()) for finding in each.findings]
    replaced = ahead or behind
    return Answers(
        tuple(dict.fromkeys(redactor.text(str(finding)) for finding in found)),
        {key: tuple(map(describe, each.replaced)) for key, each in replaced.items() if each.replaced},
        _way_out(found),
    )


def _way_out(found: Sequence[RehearsalFinding]) -> str:
    if not found or not all(finding.move.back for finding in found):
        return ""
    names = dict.fromkeys(f"--skip-reinstate {finding.move.target.running.key}" for finding in found)
    return (
        "change what refuses them, so that there is a way to go back; or do without it, after a question: "
        f"{' '.join(names)}"
    )


def _say_unasked(session: ApplySession, moves: Iterable[Move]) -> None:
    """Who may not make pods is told that nobody knows whether they would be let in."""
    places = sorted({place for move in moves for place in _places(move)})
    for each in session.cluster.refusals([Right("create", "pods", "", place) for place in places]):
        where = f"namespace {each.namespace}"
        session.say(f"whether pods will be admitted to {where} is not checked: you may not make any there")


def _places(move: Move) -> Iterator[str]:
    yield move.target.namespace
    for document in move.documents:
        if place := (document.get("metadata") or {}).get("namespace"):
            yield str(place)
