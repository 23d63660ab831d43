"""``airstore plan``: which Helm releases would change at a site, without changing anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from airstore.core.frozen import frozen
from airstore.core.model.release import Release
from airstore.core.model.site import SiteFile
from airstore.deploy.model.target import targets_of
from airstore.deploy.plan.generated import adopted_alike
from airstore.deploy.plan.plan import PlanStep, alike, plan
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.steps import Mode, Run, backed_up
from airstore.deploy.run.transition import items_of
from airstore.history import ledger
from airstore.history.ledger import ADOPTED, Running
from airstore.ops.apply.session.installations import Installations
from airstore.ops.apply.session.prepare import PreparedRelease, Rendering, prepare_release
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import held_release, state_release
from airstore.ops.stores.site.anchors import anchored_by, require_anchored
from airstore.ops.stores.site.ledgers import require_whole
from airstore.store.blobs import BlobStore


@frozen
class SitePlan:
    """What an apply would do to Helm releases.

    Attributes:
        version: the release that would run.
        running: the release that runs now; empty when nothing does.
        backups: keys of the Helm releases that are backed up first.
        images: how many the release has; None for the way back and out, which ask for no release.
        signed_images: of how many of them the publisher verified upstream signatures.
    """

    version: str
    running: str
    steps: tuple[PlanStep, ...]
    backups: tuple[str, ...] = ()
    images: int | None = None
    signed_images: int | None = None


@frozen
class Planned:
    """A plan with everything it takes to carry it out.

    Attributes:
        plan: what is printed.
        release: the release that would run.
        wanted: its Helm releases as they would run, in the order of the product file.
        now: those that run.
        previous: the release that runs or, after an uninstall, ran last; empty before the first one.
    """

    plan: SitePlan
    release: Release
    wanted: tuple[PreparedRelease, ...]
    now: tuple[Running, ...]
    previous: str = ""


def plan_site(
    store: StoreDirectory,
    blobs: BlobStore,
    rendering: Rendering,
    site: SiteFile,
    version: str,
    compare: str = "",
) -> SitePlan:
    """Compare a release, rendered with the site's values, with what the ledger says runs.

    Args:
        store: a site's.
        blobs: the store's blobs.
        rendering: how charts are rendered.
        site: the site file.
        version: the release to plan; empty for the newest one.
        compare: compare with this release, rendered with the same site file, instead of the ledger.

    Raises:
        NotFoundError: no such release.
        IncompleteError: blobs of it are missing.
        UsageError: a chart does not render, or a bound variable is not set.
    """
    planned = make_plan(store, blobs, rendering, site, version)
    if not compare:
        return replace(planned.plan, backups=backups_of(store, planned))
    other = prepare_release(store, blobs, rendering, site, held_release(store, blobs, compare))
    steps = plan([each.running for each in planned.wanted], [each.running for each in other])
    return replace(planned.plan, running=compare, steps=steps)


def make_plan(
    store: StoreDirectory,
    blobs: BlobStore,
    rendering: Rendering,
    site: SiteFile,
    version: str,
    adopted: Sequence[Running] = (),
) -> Planned:
    """As `plan_site` against the ledger; ``airstore apply`` carries it out.

    Args:
        store: a site's.
        blobs: the store's blobs.
        rendering: how charts are rendered.
        site: the site file.
        version: the release to plan; empty for the newest one.
        adopted: what runs besides, installed by somebody else.

    Raises:
        NotFoundError: no such release.
        IncompleteError: blobs of it are missing.
        UsageError: a chart does not render, or a bound variable is not set.
    """
    require_whole(store)
    require_anchored(anchored_by(store, site.anchor))
    release = held_release(store, blobs, version)
    last = ledger.last(store.history)
    previous, known = (last.version, last.running) if last else ("", ())
    now = (*known, *adopted)
    upgrades = replace(rendering, installed=rendering.installed | {each.key for each in now})
    wanted = prepare_release(store, blobs, upgrades, site, release)
    same = _same(Installations(store), wanted, {each.key: each for each in known})
    if adopted:
        again = prepare_release(store, blobs, upgrades, site, release)
        sides = ([each.running for each in side] for side in (wanted, again))
        same |= set(adopted_alike(adopted, *sides))
    steps = plan([each.running for each in wanted], now, same)
    signed = sum(bool(image.signatures) for image in release.images)
    running = previous if known else ""
    shown = SitePlan(release.version, running, steps, (), len(release.images), signed)
    return Planned(shown, release, wanted, now, previous or (ADOPTED if adopted else ""))


def backups_of(store: StoreDirectory, planned: Planned, skipped: Collection[str] = ()) -> tuple[str, ...]:
    """Keys of the Helm releases that an apply of this plan would back up, but for those that are skipped."""
    running = tuple(each.running for each in planned.wanted)
    older = state_release(store, planned.previous)
    intent = Intent(
        Mode.APPLY,
        planned.plan.version,
        planned.previous,
        tuple((step.key, step.action, "") for step in planned.plan.steps),
        running,
        planned.now,
        frozenset(skipped),
    )
    found = items_of(intent, targets_of(running, planned.release), targets_of(planned.now, older))
    return tuple(item.key for item in backed_up(Run(found)))


def _same(
    installations: Installations, wanted: Sequence[PreparedRelease], now: Mapping[str, Running]
) -> set[str]:
    """Keys of what runs as it is wanted: made of the same, whatever random values it renders to now."""
    pairs = ((each, now[each.running.key]) for each in wanted if each.running.key in now)
    return {
        old.key
        for each, old in pairs
        if (installations.same_inputs(old, each) if old.values else alike(each.running, old))
    }
