"""``airstore gc``: what is to go is found out first, and written down before any of it goes.

Killed anywhere, what stays is whole; the next run does what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.progress import Progress
from airstore.ops.gc.pins import Pins
from airstore.ops.gc.plan import Collection, KeptRelease, decide, kept_releases, strange
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.ops.stores.releases.collected import collected, mark
from airstore.ops.stores.releases.summaries import Holding, by_version, holdings, release_of, summaries
from airstore.store.blobs import BlobStore, statistics, sweeping


@frozen
class GarbageCollection:
    """What a garbage collection did, or would do.

    Attributes:
        plan: what goes and what stays.
        before: bytes of the store's packs.
        freed: bytes of packs that came free; about, where nothing was done yet.
    """

    plan: Collection
    before: int
    freed: int


def collect(
    store: StoreDirectory,
    keep: int,
    pins: Callable[[], Pins],
    progress: Progress,
    *,
    dry_run: bool = False,
) -> GarbageCollection:
    """Drop the content of releases that nothing keeps; with the store's lock.

    Args:
        store: of either side.
        keep: how many of the newest releases stay anyway, at least one.
        pins: finds out what else stays; asked with the lock.
        progress: shows what is rewritten.
        dry_run: only find out.

    Raises:
        LockedError: another airstore process is changing the store.
        NotFoundError: nothing describes any more what runs.
        UsageError: the store is shared, and only in part here.
        DamagedError: something that stays is damaged or missing; nothing was changed.
        StorageError: the disk is full or failed; the next run goes on.
    """
    with store.locked(), store.open_blobs() as blobs:
        _refuse_partial(store, blobs)
        before, gone = statistics(blobs).stored_bytes, _collected(store)
        found = list(holdings(summaries(store), blobs, gone or {}))
        plan = _plan(store, blobs, found, keep, pins())
        with sweeping(blobs, plan.blobs) as sweep:
            if dry_run:
                return GarbageCollection(plan, before, sweep.freed)
            sweep.require()
            if (marks := _marks(gone or {}, found, plan)) != gone:
                mark(store, marks)
            with progress.task("rewriting packs", sweep.total) as advance:
                sweep.run(advance)
        return GarbageCollection(plan, before, before - statistics(blobs).stored_bytes)


def _refuse_partial(store: StoreDirectory, blobs: BlobStore) -> None:
    """What stays of a pack is written anew, so that all of it has to be here."""
    if blobs.partial.names:
        raise UsageError(
            f"{store.path} is only in part here: {len(blobs.partial.names)} packs are at its remote",
            hint="run it where the store is whole, or fetch it first: airstore pull --whole",
        )


def _collected(store: StoreDirectory) -> Mapping[Digest, str] | None:
    with suppress(DamagedError):  # what is dropped now is written down anew
        return collected(store)
    return None


def _plan(
    store: StoreDirectory, blobs: BlobStore, found: Sequence[Holding], keep: int, pins: Pins
) -> Collection:
    kept = kept_here(found, keep, pins)
    _require_whole(store, found, kept)
    history, known = store.history, by_version(each.summary for each in found)
    needed = {each.version: frozenset(release_of(history, known[each.version]).blobs()) for each in kept}
    whole = store.side == PUBLISHER
    return decide(found, kept, needed, dict(blobs.sizes()), pins, whole=whole)


def kept_here(found: Sequence[Holding], keep: int, pins: Pins) -> list[KeptRelease]:
    """`kept_releases`, where all is known of what has to stay.

    Raises:
        NotFoundError: nothing describes any more what runs.
    """
    for version in strange(found, pins):
        if version in pins.vital:
            raise NotFoundError(
                f"{version} {pins.releases[version][0]}, and is not in the history any more: nothing says"
                " what it needs, so nothing is dropped",
                hint="`airstore apply` a release that `airstore release list` names, then run this again",
            )
    return kept_releases(found, keep, pins)


def _require_whole(store: StoreDirectory, found: Sequence[Holding], kept: Sequence[KeptRelease]) -> None:
    """What stays has to be here, or the index may have forgotten it; a site may have skipped a release."""
    dropped = {each.summary.link.version for each in found if each.collected}
    for each in kept:
        expected = store.side == PUBLISHER or each.version == found[-1].summary.link.version
        if expected and not each.whole and each.version not in dropped:
            raise DamagedError(
                f"release {each.version} is kept, and not all of its blobs are in {store.path}",
                hint="run `airstore repair`, then the same command again; nothing was changed",
            )


def _marks(gone: Mapping[Digest, str], found: Sequence[Holding], plan: Collection) -> dict[Digest, str]:
    """Those that go now, and those that went before and have not come back."""
    back = {each.summary.digest for each in found if each.whole}
    earlier = {digest: version for digest, version in gone.items() if digest not in back}
    return {**earlier, **{each.digest: each.version for each in plan.dropped}}
