"""``airstore media create``: what has to be carried so that a site holds a release."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from airstore.core.errors import IncompleteError, SequenceError
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.core.progress import Progress
from airstore.media.delta.writer import Effort, Task
from airstore.media.index import MediaFile, MediaIndex, ReleaseId
from airstore.media.writer import ONE, Carriers, MediaContents, measure_media, write_media
from airstore.ops.media.receipts import Receipt
from airstore.ops.stores.collected import collected
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.roots import signed_roots
from airstore.ops.stores.trusted import count_held, refuse_collected, verified
from airstore.store.blobs import BlobStore, Selection, select


@dataclass(frozen=True)
class Base:
    """The state a delta starts from.

    Attributes:
        release: the newest release the site holds.
        blobs: what it holds.
        site: who may take the media in; empty for anyone with that release.
    """

    release: ReleaseId
    blobs: frozenset[Digest]
    site: str = ""


@dataclass(frozen=True)
class MediaPlan:
    """What media would carry.

    Attributes:
        new: blobs that travel, those of a full media included.
        shared: blobs of the release that the base holds already.
        selection: objects that the base lacks.
        task: what a delta would be about; full media carry one that rests on nothing.
    """

    product: str
    release: ReleaseId
    base: Base | None
    new: frozenset[Digest]
    shared: frozenset[Digest]
    selection: Selection
    task: Task


@dataclass(frozen=True)
class MediaForm:
    """How media are written.

    Attributes:
        effort: how much time smaller media are worth; None: objects travel as they are, which every airstore
            reads.
        carriers: what they are carried on.
        beside: puts into their directory what no index lists, such as the tool.
    """

    effort: Effort | None = Effort.NORMAL
    carriers: Carriers = ONE
    beside: Callable[[Path], object] = lambda _directory: None


DEFAULT = MediaForm()


def plan_media(store: StoreDirectory, blobs: BlobStore, to: str, base: Base | None) -> MediaPlan:
    """Decide what travels for release ``to``.

    Raises:
        NotFoundError: no such release.
        NotTrustedError: the release in our own history is not properly signed.
        IncompleteError: this store lacks blobs of the release.
        SequenceError: the base is not older than the release.
    """
    wanted_release = verified(store, to)
    if base and base.release.sequence >= wanted_release.release.sequence:
        raise SequenceError(
            f"there is nothing to bring: a delta leads forward, and {base.release.version} is not older "
            f"than {to}",
            hint="to fix a damaged site, make full media: without --from and --receipt",
        )
    wanted = frozenset(wanted_release.release.blobs())
    lacking = [digest for digest in wanted if blobs.size(digest) is None]
    if lacking:
        refuse_collected(store, wanted_release)
        raise IncompleteError(
            f"this store lacks {len(lacking)} blobs of release {to}, such as {lacking[0]}",
            hint="run `airstore check`, and create the release again from its sources",
        )
    held = base.blobs & wanted if base else frozenset()
    known = [digest for digest in base.blobs if blobs.size(digest) is not None] if base else []
    return MediaPlan(
        product=wanted_release.release.product,
        release=wanted_release.identity,
        base=base,
        new=wanted - held,
        shared=held,
        selection=select(blobs, wanted - held, known),
        task=_task(store, wanted_release.release, wanted - held, base, known),
    )


def _task(
    store: StoreDirectory,
    release: Release,
    new: Iterable[Digest],
    base: Base | None,
    known: Iterable[Digest],
) -> Task:
    before = _places(verified(store, base.release.version).release) if base else {}
    return Task(sorted(new), sorted(known), {**before, **_places(release)})


def _places(release: Release) -> dict[Digest, str]:
    """What a blob is for: those of the same place in two releases are like each other."""
    return {
        blob.digest: f"{artifact.repository} {blob.media_type}"
        for artifact in release.artifacts
        for blob in artifact.blobs
    }


def create_media(
    store: StoreDirectory,
    blobs: BlobStore,
    plan: MediaPlan,
    out: Path,
    sign: Callable[[bytes], bytes],
    progress: Progress,
    form: MediaForm = DEFAULT,
) -> MediaIndex:
    """Write what was planned; returns the signed index.

    Args:
        store: the publisher's.
        blobs: its blobs.
        plan: what travels.
        out: a new directory.
        sign: turns a statement into an envelope.
        progress: shows what is written.
        form: how it is written.

    Raises:
        UsageError: ``out`` is in use, or volumes are too small.
        StorageError: the disk is full; nothing is left behind.
    """
    contents = _contents(store, blobs, plan, form.effort)
    return write_media(out, contents, _describer(plan), sign, progress, form.carriers, form.beside)


def rehearse_media(
    store: StoreDirectory,
    blobs: BlobStore,
    plan: MediaPlan,
    progress: Progress,
    form: MediaForm = DEFAULT,
) -> MediaIndex:
    """The index that `create_media` would sign; what it lists is made in the store's ``tmp/`` and removed.

    Raises:
        UsageError: volumes are too small.
        StorageError: the disk is full.
    """
    contents = _contents(store, blobs, plan, form.effort)
    return measure_media(blobs.layout.temporary, contents, _describer(plan), progress, form.carriers)


def _contents(
    store: StoreDirectory, blobs: BlobStore, plan: MediaPlan, effort: Effort | None
) -> MediaContents:
    roots = signed_roots(store)
    carried = roots if len(roots) > 1 else {}
    if effort:
        return MediaContents(blobs, store.history, delta=plan.task, effort=effort, roots=carried)
    return MediaContents(blobs, store.history, plan.selection, roots=carried)


def _describer(plan: MediaPlan) -> Callable[[dict[str, MediaFile]], MediaIndex]:
    return lambda files: MediaIndex(
        product=plan.product,
        site=plan.base.site if plan.base else "",
        release=plan.release,
        base=plan.base.release if plan.base else None,
        files=files,
    )


def is_current(store: StoreDirectory, base: Base, to: str) -> bool:
    """Whether a site holds release ``to`` and every blob of it."""
    wanted = verified(store, to)
    return base.release == wanted.identity and base.blobs >= wanted.release.blobs().keys()


def is_collected(store: StoreDirectory, blobs: BlobStore, base: Base) -> bool:
    """Whether `airstore gc` has dropped what deltas from this base would start from."""
    found = verified(store, base.release.version)
    return count_held(blobs, found.release) < len(found.release.blobs()) and found.digest in collected(store)


def base_from_release(store: StoreDirectory, version: str) -> Base:
    """A base that assumes the site holds release ``version`` as the publisher made it."""
    base = verified(store, version)
    return Base(base.identity, frozenset(base.release.blobs()))


def base_from_receipt(store: StoreDirectory, receipt: Receipt) -> Base | None:
    """A base from what a site says it holds; None where it holds no release yet.

    Raises:
        SequenceError: the receipt is about another product, or a release that we did not make.
    """
    if receipt.product not in {"", store.name}:
        raise SequenceError(
            f"the receipt is about product {receipt.product!r}, this store makes {store.name!r}"
        )
    if receipt.release is None:
        return None
    if (
        store.history.lookup(receipt.release.version) is None
        or verified(store, receipt.release.version).identity != receipt.release
    ):
        raise SequenceError(
            f"the receipt of site {receipt.site!r} names another release {receipt.release.version} than "
            "this store made",
            hint="the site follows a fork, or this store was restored; compare `airstore log` on both sides",
        )
    return Base(receipt.release, frozenset(receipt.blobs), receipt.site)
