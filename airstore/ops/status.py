"""``airstore status``: what is wanted, what Helm says runs, and what drifted from what was applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airstore.deploy import ledger
from airstore.deploy.drift import differences
from airstore.deploy.journal import unfinished
from airstore.deploy.target import Target, is_hook, object_name
from airstore.ops.drive import Site, alone
from airstore.ops.runs import targets as make_targets
from airstore.ops.trusted import trusted_release


@dataclass(frozen=True)
class ReleaseStatus:
    """One Helm release.

    Attributes:
        helm: Helm's status and revision; ``absent`` where Helm knows no such release.
        health: what is not healthy and why; empty if all is.
        drift: how live objects differ from the manifests, an object and field each.
    """

    name: str
    namespace: str
    chart: str
    chart_version: str
    helm: str
    health: tuple[str, ...]
    drift: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Nothing is to be done."""
        return self.helm.startswith("deployed") and not self.health and not self.drift


@dataclass(frozen=True)
class SiteStatus:
    """A site.

    Attributes:
        newest: the newest release in the store.
        running: the release that runs, by the ledger; empty for none.
        run: a run that has not ended; empty if there is none.
    """

    newest: str
    running: str
    run: str
    releases: tuple[ReleaseStatus, ...]

    @property
    def good(self) -> bool:
        """Everything is as the ledger says."""
        return not self.run and all(each.good for each in self.releases)


def status(site: Site) -> SiteStatus:
    """Compare the ledger with the cluster; changes nothing.

    Raises:
        TransferError: the cluster does not answer.
    """
    entry = ledger.running(site.store.history)
    journal = unfinished(site.runs.directory)
    found = _targets(site, entry) if entry else {}
    return SiteStatus(
        newest=trusted_release(site.store).version,
        running=entry.version if entry else "",
        run=journal.name if journal else "",
        releases=tuple(_status(site, target) for target in found.values()),
    )


def reconcile(site: Site, seen: SiteStatus) -> list[str]:
    """Install again what Helm lost or what drifted, from the store; returns what was done.

    Only what the ledger says runs is put back: nothing is upgraded, no hook runs.

    Raises:
        LockedError: somebody else is at it.
    """
    if seen.run or all(each.good for each in seen.releases):
        return []
    done = []
    with alone(site) as held:
        entry = ledger.running(site.store.history)
        if entry is None or unfinished(site.runs.directory):
            return []
        actions = site.helm_actions()
        drifted = {f"{each.namespace}/{each.name}" for each in seen.releases if _broken(each)}
        for key, target in _targets(site, entry).items():
            if key in drifted:
                held.check()
                site.cluster.ensure_namespace(target.namespace)
                site.let_pull(target.namespace)
                actions.install(target, wait=False)
                done.append(key)
    return done


def _broken(each: ReleaseStatus) -> bool:
    return bool(each.drift) or not each.helm.startswith("deployed")


def _targets(site: Site, entry: ledger.Entry) -> dict[str, Target]:
    return make_targets(entry.running, site.supplies.release(entry.version))


def _status(site: Site, target: Target) -> ReleaseStatus:
    found = site.helm_actions().status(target)
    gates = [*target.helm.health, *target.workload_gates()]
    unique = {tuple(sorted(gate.items())): gate for gate in gates}.values()
    reasons = (site.cluster.ready(gate, target.namespace) for gate in unique)
    # Crashed containers are quoted, and what drifted may be a password: an applier's log is read by many.
    redactor = site.runs.redactor([target.running])
    return ReleaseStatus(
        name=target.name,
        namespace=target.namespace,
        chart=target.running.chart,
        chart_version=target.running.chart_version,
        helm=f"{found.status}, revision {found.revision}" if found else "absent",
        health=tuple(redactor.text(reason) for reason in reasons if reason),
        drift=tuple(redactor.text(difference) for difference in _drift(site, target)),
    )


def _drift(site: Site, target: Target) -> Iterator[str]:
    for document in target.documents():
        if is_hook(document):
            continue  # Helm deletes those when it likes
        live = site.cluster.live(document, target.namespace)
        what = f"{document.get('kind')} {object_name(document)}"
        if live is None:
            yield f"{what}: absent"
            continue
        yield from (f"{what}: {difference}" for difference in differences(document, live))
