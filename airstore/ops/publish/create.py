"""``airstore release create``: from the product file to a signed commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from airstore.core.errors import DamagedError, NotFoundError, SequenceError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.model.product import Product
from airstore.core.model.release import Release
from airstore.core.progress import Progress
from airstore.history.exchange.rehearsal import rehearse
from airstore.ops.publish.contents import ReleaseContents
from airstore.ops.publish.diff import diff_releases
from airstore.ops.publish.images.check_images import check_images
from airstore.ops.publish.images.find_images import check_readable
from airstore.ops.publish.images.record_sizes import check_records
from airstore.ops.publish.ingest import Ingested, Wanted, ingest
from airstore.ops.publish.pending import Signing, add_signature, check_no_other, draft_of
from airstore.ops.publish.tree import in_tree
from airstore.ops.publish.upstream.asked import VouchedFor, check_rules, vouched_for, with_vouched
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.lost import require_refs
from airstore.ops.stores.releases.trusted import verified
from airstore.ops.stores.verify import RELEASE_FILE
from airstore.registry.sources.places import Places


@frozen
class Intake:
    """How images are taken in.

    Attributes:
        complete: refuse a release that lacks an optional part of an image.
        opening: open gzip layers now; otherwise when media rest on them, or by `optimize_store`.
    """

    complete: bool = False
    opening: bool = True


_AS_USUAL = Intake()


@frozen
class Created:
    """The result.

    Attributes:
        commit: empty when nothing had changed and the release existed already, and of a pending one.
        lacks: signatures that a pending one lacks.
    """

    release: Release
    commit: str
    ingested: Ingested
    lacks: int = 0


def create_release(
    store: StoreDirectory,
    contents: ReleaseContents,
    version: str,
    access: RegistryOptions,
    signing: Signing,
    progress: Progress,
    intake: Intake = _AS_USUAL,
) -> Created:
    """Import everything, then commit and sign; with the store's lock.

    Creating a version again from the same inputs changes nothing and is no error.

    Args:
        store: a publisher's.
        contents: from `gather`.
        version: of the product.
        access: how images are reached.
        signing: who makes the release.
        progress: shows each image.
        intake: how images are taken in.

    Raises:
        LockedError: another process holds the lock.
        UsageError: no site could install it, or a rule for signatures cannot be meant.
        SequenceError: the version exists with other content.
        NotFoundError: an image, or an optional part of one that ``intake`` asks for, cannot be had.
        NotTrustedError: an image is not signed upstream as the product file asks.
        TransferError, DamagedError: an image is not as its digests say, or its source broke off.
    """
    with store.locked():
        require_refs(store)
        _check_installable(contents)
        before = _before(store)
        files = contents.files()
        existing = verified(store, version).release if store.history.lookup(version) else None

        def make(taken: Ingested) -> Release:
            return _release(contents.product, version, with_vouched(taken, vouched), files, before)

        def accept(taken: Ingested) -> None:
            if intake.complete:
                _check_complete(taken)
            if existing:
                _check_same(existing, make(taken))
            else:
                _check_acceptable(store, make(taken), files)

        check_no_other(store, version)
        with access.images(contents.product) as source:
            vouched = check_sources(source, contents)
            ingested = _ingest(store, contents, source, progress, accept, opening=intake.opening)
        if existing:
            return Created(existing, "", ingested)
        release = make(ingested)
        done = add_signature(store, draft_of(store, release, files), signing)
        return Created(release, done.commit, ingested, done.lacks)


def check_contents(store: StoreDirectory, contents: ReleaseContents, access: RegistryOptions) -> None:
    """All that can be found wrong before anything is fetched.

    Raises:
        UsageError: a container's image is no reference, Helm could not keep its record, a file is too large,
            or a site would refuse the tree.
        NotFoundError, TransferError, DamagedError: images cannot be had; all of them are named.
        NotTrustedError: images are not signed upstream as the product file asks; all of them are named.
    """
    _check_installable(contents)
    files = contents.files()
    rehearse(store.history, files)
    with access.images(contents.product) as source:
        check_sources(source, contents)


def check_sources(source: Places, contents: ReleaseContents) -> VouchedFor:
    """Ask for every image, then for the signatures that the product file asks for.

    Raises:
        NotFoundError, TransferError, DamagedError: images cannot be had; all of them are named.
        UsageError: a rule for signatures fits no image, or its key cannot be read.
        NotTrustedError: images are not signed as they must be; all of them are named.
    """
    check_images(source, contents.references, contents.findings)
    return vouched_for(contents.product, contents.references, source)


def _check_installable(contents: ReleaseContents) -> None:
    check_readable(contents.unreadable)
    check_rules(contents.product, contents.references)
    check_records(contents.records)


def _ingest(
    store: StoreDirectory,
    contents: ReleaseContents,
    source: Places,
    progress: Progress,
    accept: Callable[[Ingested], None],
    *,
    opening: bool,
) -> Ingested:
    wanted = Wanted(contents.references, contents.charts, contents.product.platforms)
    with store.open_blobs() as blobs:
        return ingest(blobs, wanted, source, progress, accept, opening=opening)


def _check_acceptable(store: StoreDirectory, release: Release, files: Mapping[str, bytes]) -> None:
    """What every site will ask, asked here, where something can still be done about it."""
    data = release.to_bytes()
    try:
        same = Release.parse(data).to_bytes() == data
    except DamagedError as fault:
        raise UsageError(f"every site would refuse this release: {fault}") from fault
    if not same:
        raise UsageError("every site would read this release otherwise than it was made")
    rehearse(store.history, {**files, RELEASE_FILE: data})


@frozen
class _Before:
    """What a new release continues: how many there are, and the newest one's digest."""

    count: int
    newest: Digest | None


def _before(store: StoreDirectory) -> _Before:
    """The newest release alone is verified: its signature is over the digest of the one before, and so on."""
    if store.history.tip is None:
        return _Before(0, None)
    newest = verified(store)
    return _Before(newest.release.sequence, newest.digest)


def _release(
    product: Product,
    version: str,
    ingested: Ingested,
    files: dict[str, bytes],
    before: _Before,
) -> Release:
    return Release(
        product=product.name,
        version=version,
        sequence=before.count + 1,
        previous=before.newest,
        platforms=tuple(map(str, product.platforms)),
        images=ingested.images,
        charts=ingested.charts,
        helm_releases=in_tree(product.helm_releases),
        files={path: Digest.of(data) for path, data in files.items()},
        registry=product.registry,
        applier=product.applier,
    )


def _check_complete(taken: Ingested) -> None:
    lost = [f"{image.reference}: {part}: {part.why}" for image in taken.images for part in image.unavailable]
    if lost:
        raise NotFoundError(
            f"{len(lost)} optional parts of images cannot be had: " + "; ".join(lost[:5]),
            hint="leave out --require-attachments to release the images without them",
        )


def _check_same(existing: Release, release: Release) -> None:
    """Refuse to make a version again from other inputs, before any of them becomes visible."""
    same = replace(release, sequence=existing.sequence, previous=existing.previous)
    if same.to_bytes() != existing.to_bytes():
        raise SequenceError(
            f"release {release.version} exists with other content: {_difference(existing, same)}",
            hint="a release never changes: choose a new version, see `airstore release diff`",
        )


def _difference(old: Release, new: Release) -> str:
    """The first few things that differ, for the error message."""
    names = [change.name for change in diff_releases(old, new).artifacts]
    names += sorted(path for path in {*old.files, *new.files} if old.files.get(path) != new.files.get(path))
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "") or "the definition of Helm releases"
