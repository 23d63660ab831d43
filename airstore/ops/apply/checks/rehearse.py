"""What the API server would refuse of an apply or a rollback, asked before anything is stopped or changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from airstore.core.kube.rights import Right
from airstore.deploy.checks.rehearsal import Move, describe, rehearse
from airstore.deploy.helm.kept import Standing
from airstore.deploy.model.redact import Redactor
from airstore.deploy.model.target import Target
from airstore.deploy.plan.plan import Step
from airstore.deploy.run.steps import Mode, Run, stopped, stopped_at_most
from airstore.ops.apply.session.drive import Site
from airstore.ops.apply.session.plan import Planned
from airstore.ops.apply.session.runs import RunPlan, items
from airstore.ops.apply.session.runs import targets as make_targets


@dataclass(frozen=True)
class Answers:
    """What the API server said.

    Attributes:
        findings: what it would refuse, a line each, secrets taken out.
        replaced: key to the objects that would be deleted and made again.
    """

    findings: tuple[str, ...]
    replaced: Mapping[str, tuple[str, ...]]

    def shown(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """Steps of a plan, each with the objects that it replaces."""
        return tuple(replace(step, replaces=self.replaced.get(step.key, ())) for step in steps)


def rehearse_apply(site: Site, planned: Planned, run: RunPlan) -> Answers:
    """Ask for what an apply would install, and for what its rollback would.

    Raises:
        TransferError: the cluster or Helm did not answer.
    """
    changed = {key for key, action, _ in run.items if action in {"install", "change"}}
    new = make_targets([each.running for each in planned.wanted], planned.release)
    old = make_targets(run.old, site.supplies.find_release(run.previous))
    standing = _Standings(site)
    forward = [
        standing.move(new[each.running.key], each.documents)
        for each in planned.wanted
        if each.running.key in changed
    ]
    back = [
        standing.back(old[key])
        for key in stopped_at_most(Run(items(run, new, old), Mode.APPLY))
        if key in old
    ]
    known = frozenset(text for each in planned.wanted for text in each.secrets)
    redactor = Redactor(known | site.installations.redactor(run.old).secrets)
    return _answers(site, forward, back, redactor)


def rehearse_rollback(site: Site, run: RunPlan) -> Answers:
    """Ask for what a rollback would install again.

    Raises:
        TransferError: the cluster or Helm did not answer.
    """
    course = site.supplies.course(run, site.runs.directory)
    standing = _Standings(site)
    back = [standing.back(course.old[key]) for key in stopped(course.run, ())]
    return _answers(site, [], back, site.installations.redactor([*run.new, *run.old]))


class _Standings:
    """What Helm has of each Helm release, asked once."""

    def __init__(self, site: Site) -> None:
        self._helm = site.helm_actions()
        self._known: dict[str, Standing] = {}

    def move(self, target: Target, documents: Iterable[Mapping[str, object]], *, back: bool = False) -> Move:
        """A Helm release as it would be installed over what stands."""
        key = target.running.key
        found = self._known[key] = self._known.get(key) or self._helm.standing(target)
        return Move(target, tuple(documents), found.documents, found.on_server, back)

    def back(self, target: Target) -> Move:
        """What a rollback would install again."""
        return self.move(target, self._helm.reinstates(target), back=True)


def _answers(site: Site, forward: list[Move], back: list[Move], redactor: Redactor) -> Answers:
    _say_unasked(site, [*forward, *back])
    ahead, behind = rehearse(site.cluster, forward), rehearse(site.cluster, back)
    found = [finding for each in (*ahead.values(), *behind.values()) for finding in each.findings]
    replaced = ahead or behind
    return Answers(
        tuple(dict.fromkeys(redactor.text(str(finding)) for finding in found)),
        {key: tuple(map(describe, each.replaced)) for key, each in replaced.items() if each.replaced},
    )


def _say_unasked(site: Site, moves: Iterable[Move]) -> None:
    """Who may not make pods is told that nobody knows whether they would be let in."""
    places = sorted({place for move in moves for place in _places(move)})
    for each in site.cluster.refusals([Right("create", "pods", "", place) for place in places]):
        where = f"namespace {each.namespace}"
        site.say(f"whether pods will be admitted to {where} is not checked: you may not make any there")


def _places(move: Move) -> Iterator[str]:
    yield move.target.namespace
    for document in move.documents:
        if place := (document.get("metadata") or {}).get("namespace"):
            yield str(place)
