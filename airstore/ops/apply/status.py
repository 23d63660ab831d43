"""``airstore status``: what should run, what Helm says runs, and what drifted from what was installed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from airstore.core.frozen import frozen
from airstore.deploy.model.target import ReleaseTarget, targets_of
from airstore.history import ledger
from airstore.ops.apply.drift import drift_of, put_back
from airstore.ops.apply.session.at_work import is_at_work
from airstore.ops.apply.session.found import disturbed, statuses
from airstore.ops.apply.session.session import ApplySession

_REPAIRS = 3  # of one difference in a row; something else changes it, and goes on doing so


class SiteCondition(StrEnum):
    """How a site is, the worst that holds."""

    GOOD = "good"
    DRIFTED = "drifted"
    UNHEALTHY = "unhealthy"


@frozen
class ReleaseStatus:
    """One Helm release.

    Attributes:
        helm: Helm's status and revision; ``absent`` where Helm knows no such release.
        disturbed: what somebody else than airstore did to it; empty if nothing.
        health: what is not healthy and why; empty if all is.
        drift: how live objects differ from what was installed, an object and field each.
    """

    name: str
    namespace: str
    chart: str
    chart_version: str
    helm: str
    disturbed: str
    health: tuple[str, ...]
    drift: tuple[str, ...]

    @property
    def key(self) -> str:
        """``NAMESPACE/NAME``."""
        return f"{self.namespace}/{self.name}"

    @property
    def condition(self) -> SiteCondition:
        """How it is."""
        if self.health or not self.helm.startswith("deployed"):
            return SiteCondition.UNHEALTHY
        return SiteCondition.DRIFTED if self.drift or self.disturbed else SiteCondition.GOOD


@frozen
class SiteStatus:
    """A site.

    Attributes:
        newest: the newest release in the store.
        running: the release that runs, by the ledger; empty for none.
        run: a run that has not ended; empty if there is none.
        at_work: another process is at work on that run right now; else it was killed, or needs an operator.
    """

    newest: str
    running: str
    run: str
    releases: tuple[ReleaseStatus, ...]
    at_work: bool = False

    @property
    def condition(self) -> SiteCondition:
        """How the site is; a run that has not ended counts as unhealthy."""
        found = {each.condition for each in self.releases} | (
            {SiteCondition.UNHEALTHY} if self.run else set()
        )
        return next(
            (each for each in (SiteCondition.UNHEALTHY, SiteCondition.DRIFTED) if each in found),
            SiteCondition.GOOD,
        )

    @property
    def good(self) -> bool:
        """Everything is as the ledger says."""
        return self.condition is SiteCondition.GOOD


def status(session: ApplySession) -> SiteStatus:
    """Compare the ledger with the cluster; changes nothing.

    Raises:
        TransferError: the cluster does not answer.
    """
    entry = ledger.running(session.store.history)
    journal = session.unfinished()
    found = _targets(session, entry) if entry else {}
    return SiteStatus(
        newest=session.release().version,
        running=entry.version if entry else "",
        run=journal.name if journal else "",
        releases=tuple(_status(session, target) for target in found.values()),
        at_work=is_at_work(session.store, journal),
    )


@dataclass
class Repairs:
    """Putting back what drifted, and giving up where something else keeps changing it.

    Attributes:
        tried: a difference to how often it was put back in a row.
    """

    session: ApplySession
    tried: Counter[str] = field(default_factory=Counter)

    def repair(self) -> list[str]:
        """Put back what drifted or is absent, from the store; returns what was done, for people.

        Only what the ledger says runs is put back, as it was kept: nothing is rendered, no hook runs. What
        Helm lost or somebody else changed is installed again.

        Raises:
            LockedError: another process holds the lock.
            TransferError: the cluster does not answer.
        """
        with self.session.alone():
            entry = ledger.running(self.session.store.history)
            if entry is None or self.session.unfinished():
                return []
            targets = _targets(self.session, entry)
            changed = disturbed(self.session, targets, statuses(self.session, targets))
            done, seen = list[str](), set[str]()
            for key, target in targets.items():
                self.session.held.check()
                if key in changed:
                    done.append(f"installed again: {key} ({changed[key]})")
                    self._reinstall(target)
                else:
                    done += self._put_back(target, seen)
                if self.session.cluster.start_writers(
                    target.namespace, target.name, sorted(target.namespaces)
                ):
                    done.append(f"started again: {key}, which a rollback had stopped")
            for gone in self.tried.keys() - seen:
                del self.tried[gone]
            return done

    def _reinstall(self, target: ReleaseTarget) -> None:
        self.session.cluster.ensure_namespace(target.namespace)
        self.session.cluster.let_pull(target.namespace)
        self.session.helm.reinstate(target, hooks=False)

    def _put_back(self, target: ReleaseTarget, seen: set[str]) -> Iterator[str]:
        redactor = self.session.installations.redactor([target.running])
        for each in drift_of(self.session, target):
            name = f"{target.running.key}: {redactor.text('; '.join(each.lines))}"
            seen.add(name)
            self.tried[name] += 1
            if self.tried[name] <= _REPAIRS:
                put_back(self.session, target, each)
                yield f"put back: {name}"
            elif self.tried[name] == _REPAIRS + 1:
                yield f"left alone, because something else keeps changing it (see drift.ignore): {name}"


def drifted(session: ApplySession) -> list[str]:
    """What is not as it was installed, a line each, for people.

    Raises:
        TransferError: the cluster does not answer.
    """
    entry = ledger.running(session.store.history)
    targets = _targets(session, entry) if entry else {}
    changed = disturbed(session, targets, statuses(session, targets))
    lines = [f"{key}: {reason}" for key, reason in changed.items()]
    for key, target in targets.items():
        redactor = session.installations.redactor([target.running])
        found = drift_of(session, target) if key not in changed else ()
        lines += [f"{key}: {redactor.text(line)}" for each in found for line in each.lines]
    return lines


def _targets(session: ApplySession, entry: ledger.Entry) -> dict[str, ReleaseTarget]:
    return targets_of(entry.running, session.release_of_state(entry.version))


def _status(session: ApplySession, target: ReleaseTarget) -> ReleaseStatus:
    key = target.running.key
    found = statuses(session, {key: target})
    reasons = (session.cluster.ready(gate, target.namespace) for gate in target.gates())
    # Crashed containers are quoted, and what drifted may be a password: an applier's log is read by many.
    redactor = session.installations.redactor([target.running])
    return ReleaseStatus(
        name=target.name,
        namespace=target.namespace,
        chart=target.running.chart,
        chart_version=target.running.chart_version,
        helm=f"{found[key].status}, revision {found[key].revision}" if found else "absent",
        disturbed=disturbed(session, {key: target}, found).get(key, ""),
        health=tuple(redactor.text(reason) for reason in reasons if reason),
        drift=tuple(redactor.text(line) for each in drift_of(session, target) for line in each.lines),
    )
