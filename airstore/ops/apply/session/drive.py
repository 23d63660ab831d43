"""Driving a run against a site's cluster: the locks, the engine, the ledger, and what to say at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from airstore.core.site import SiteFile
from airstore.deploy.helm.actions import HelmActions
from airstore.deploy.helm.calls import HelmCalls
from airstore.deploy.helm.records import HelmStatus
from airstore.deploy.hooks.runner import HookRunner
from airstore.deploy.model.protocols import ClusterActions, Held
from airstore.deploy.model.redact import Redactor
from airstore.deploy.model.target import Target
from airstore.deploy.plan.plan import as_installed
from airstore.deploy.run.engine import Engine
from airstore.deploy.run.journal import Journal, unfinished
from airstore.deploy.run.observed import observe
from airstore.deploy.run.steps import End, Mode
from airstore.deploy.run.world import World
from airstore.deploy.waiting.health import SystemClock
from airstore.deploy.waiting.watching import Display, Silent
from airstore.history import ledger
from airstore.ops.apply.session import report, stayed
from airstore.ops.apply.session.handover import refuse_marked
from airstore.ops.apply.session.installations import Installations
from airstore.ops.apply.session.prepare import Rendering
from airstore.ops.apply.session.runs import RunPlan, Runs
from airstore.ops.apply.session.supplies import StoreSupplies
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.trusted import trusted_release
from airstore.process.guard import await_end
from airstore.store.blobs import BlobStore

LEASE_NAMESPACE = "airstore"
_DEAD_CHILDREN = 30.0  # seconds for programs of a killed run to be gone
_LOOKS = 1.0  # seconds; whoever only asks whether somebody is at work holds the lock for a moment


@dataclass(frozen=True)
class Site:
    """A site's store and its cluster, and how to work on them.

    Attributes:
        rendering: Helm, and how it renders charts against this cluster.
        file: the site file.
        environment: what hook scripts see besides what is documented.
        say: told what is done, in words for people.
        now: seconds since the epoch.
        let_pull: makes pods of a namespace able to pull from the site's registry.
        pulling: that takes a Secret and a change of the default ServiceAccount.
        resume: the command that resumes after an operator has looked.
        display: shows how far a step has come.
    """

    store: StoreDirectory
    blobs: BlobStore
    rendering: Rendering
    cluster: ClusterActions
    kubeconfig: Path | None
    file: SiteFile
    environment: Mapping[str, str] = field(repr=False)
    say: Callable[[str], None] = field(repr=False)
    now: Callable[[], int] = field(repr=False)
    let_pull: Callable[[str], None] = field(repr=False)
    pulling: bool
    resume: str
    display: Display = field(default_factory=Silent, repr=False)

    @property
    def runs(self) -> Runs:
        """The runs of the store."""
        return Runs(self.store)

    @property
    def installations(self) -> Installations:
        """What its runs installed."""
        return Installations(self.store)

    @cached_property
    def supplies(self) -> StoreSupplies:
        """Charts, values and hooks."""
        return StoreSupplies(self.store, self.blobs, self.installations)

    def helm_actions(self) -> HelmActions:
        """Helm on the cluster."""
        calls = HelmCalls(self.rendering.helm, self.kubeconfig, self.runs.guard)
        return HelmActions(calls, self.cluster, self.supplies, self.supplies)

    def hook_runner(self, directory: Path, redactor: Redactor) -> HookRunner:
        """Runs hooks, and keeps what they say in a directory."""
        return HookRunner(
            product=trusted_release(self.store).product,
            scripts=self.supplies,
            jobs=self.cluster,
            directory=directory,
            kubeconfig=self.kubeconfig,
            environment=self.environment,
            redactor=redactor,
            guard=self.runs.guard,
        )


@dataclass(frozen=True)
class Outcome:
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


@contextmanager
def alone(site: Site) -> Iterator[Held]:
    """Nobody else changes this store or, from wherever, this product in this cluster.

    Raises:
        UsageError: the applier in the cluster has the store.
        LockedError: another process holds the lock.
    """
    refuse_marked(site.store, "apply")
    with site.store.locked(_LOOKS):
        await_end(site.runs.guard, _DEAD_CHILDREN)
        product = trusted_release(site.store).product
        with site.cluster.lease(f"airstore-{product}", LEASE_NAMESPACE) as held:
            yield held


def open_run(site: Site) -> Journal | None:
    """The run that has not ended. One that was killed between the ledger and its journal's end has.

    Raises:
        DamagedError: a journal does not read.
    """
    return None if close_recorded(site) else unfinished(site.runs.directory)


def close_recorded(site: Site) -> Journal | None:
    """Close the run that was killed between the ledger and its journal's end, if there is one.

    Whoever asked for it was never told how it ended, and asks again.

    Raises:
        DamagedError: a journal does not read.
    """
    journal = unfinished(site.runs.directory)
    recorded = _recorded(site, journal) if journal else ""
    if journal is None or not recorded:
        return None
    journal.close(End(recorded))
    return journal


def outcome_of(site: Site, journal: Journal, end: End) -> Outcome:
    """What to say of a run that has ended well, or as an operator wanted it to end."""
    plan = site.runs.plan(journal)
    version, running = plan.outcome if end is End.SUCCEEDED else (plan.previous, plan.old)
    states, confirmed = look(site, journal, succeeded=end is End.SUCCEEDED)
    return Outcome(journal.name, end, version if running else "", states, confirmed)


def look(site: Site, journal: Journal, *, succeeded: bool) -> tuple[dict[str, str], bool]:
    """Key to what is found of each Helm release of a run, and whether that is what should be there."""
    plan = site.runs.plan(journal)
    course = site.supplies.course(plan, journal.directory)
    newer = succeeded and plan.mode is Mode.APPLY
    back = not succeeded or plan.mode is Mode.ROLLBACK
    wanted = course.new if newer else course.old if back else {}
    return look_at(site, wanted, {**course.new, **course.old})


def look_at(
    site: Site, wanted: Mapping[str, Target], others: Mapping[str, Target]
) -> tuple[dict[str, str], bool]:
    """As `look`, of any Helm releases that should run and others that should not."""
    seen = observe(site.helm_actions(), site.cluster, wanted, others)
    redactor = site.installations.redactor(target.running for target in {**others, **wanted}.values())
    states = {key: redactor.text(str(each)) for key, each in seen.items()}
    return states, all(each.is_as(wanted.get(key)) for key, each in seen.items())


def drive(site: Site, held: Held, journal: Journal, *, asked_back: bool = False) -> Outcome:
    """Go on with a run until it ends.

    Args:
        site: store and cluster.
        held: the Lease.
        journal: of the run.
        asked_back: to have rolled back is what was asked for.

    Raises:
        DeployError: it failed, and what ran before runs again.
        OperatorNeededError: the rollback failed too.
    """
    plan = site.runs.plan(journal)
    course = site.supplies.course(plan, journal.directory)
    redactor = site.installations.redactor([*plan.new, *plan.old])
    hooks = site.hook_runner(journal.directory, redactor)
    helm, clock = site.helm_actions(), SystemClock()
    world = World(helm, site.cluster, hooks, site.supplies, clock, held, site.let_pull, site.display)
    end = Engine(world, course, journal, redactor, site.say).drive()
    if asked_back and end in {End.ROLLED_BACK, End.UNTOUCHED}:
        _end(site, journal, plan, end)
        return outcome_of(site, journal, end)
    return _outcome(site, journal, plan, end)


def statuses(site: Site, targets: Mapping[str, Target]) -> dict[str, HelmStatus]:
    """Key to what Helm says, for the Helm releases that exist."""
    actions = site.helm_actions()
    found = {key: actions.status(target) for key, target in targets.items()}
    return {key: status for key, status in found.items() if status is not None}


def disturbed(site: Site, targets: Mapping[str, Target], found: Mapping[str, HelmStatus]) -> dict[str, str]:
    """Key to what somebody else than airstore did to a Helm release that airstore installed.

    Args:
        site: store and cluster.
        targets: what the ledger says runs.
        found: of `statuses`.
    """
    reasons = {key: _disturbed(site, target, found.get(key)) for key, target in targets.items()}
    return {key: reason for key, reason in reasons.items() if reason}


def _disturbed(site: Site, target: Target, found: HelmStatus | None) -> str:
    if found is None:
        return "Helm no longer has it"
    if found.status != "deployed":
        return f"Helm says that it is {found.status}"
    kept = site.supplies.kept(target)
    if kept and kept.revision != found.revision:
        return f"revision {found.revision} was not installed by airstore, which left revision {kept.revision}"
    if kept and kept != site.helm_actions().installed(target):
        return f"Helm's record of revision {found.revision} was changed"
    return ""


def _outcome(site: Site, journal: Journal, plan: RunPlan, end: End) -> Outcome:
    _end(site, journal, plan, end)
    if end is End.SUCCEEDED:
        return outcome_of(site, journal, end)
    states, confirmed = look(site, journal, succeeded=False)
    if end is End.NEEDS_OPERATOR:
        raise report.needs_operator(journal, plan, states, site.resume)
    run = site.supplies.course(plan, journal.directory).run
    lost = "".join(
        f"the data of {key} stay as the failed upgrade left them: their backup was given up\n"
        for key in report.lost_data(run, journal, plan)
    )
    raise report.failed(journal, plan, end, states, confirmed=confirmed, lost=lost)


def _end(site: Site, journal: Journal, plan: RunPlan, end: End) -> None:
    _record(site, journal, plan, end)
    if end is not End.NEEDS_OPERATOR:
        journal.close(end)


def _record(site: Site, journal: Journal, plan: RunPlan, end: End) -> None:
    failures = report.failures(journal)
    details: dict[str, str | int] = {"run": journal.name, "end": str(end)}
    if failures:
        details["failure"] = failures[-1] if end is End.NEEDS_OPERATOR else failures[0]
    succeeded = end is End.SUCCEEDED
    version, running = plan.outcome
    if succeeded and plan.mode is Mode.ROLLBACK:
        stayed.keep(site.installations, plan)
    entry = ledger.Entry(
        plan.mode,
        version if succeeded else (plan.version or plan.previous),
        "succeeded" if succeeded else "failed",
        site.now(),
        details,
        tuple(as_installed(each, site.installations.kept(each)) for each in running) if succeeded else (),
    )
    ledger.record(site.store.history, entry, (site.store.name, f"airstore@{site.store.name}.invalid"))


def _recorded(site: Site, journal: Journal) -> str:
    """How the newest ledger entry says that this run ended; empty if it does not."""
    newest = next(ledger.entries(site.store.history), None)
    if newest is None or newest.details.get("run") != journal.name:
        return ""
    end = str(newest.details.get("end"))
    return "" if end == End.NEEDS_OPERATOR else end
