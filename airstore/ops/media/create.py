"""``airstore media create``: what was planned is written, or only measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airstore.core.frozen import frozen
from airstore.core.progress import Progress
from airstore.media.delta.effort import Effort
from airstore.media.delta.making.memory import DEFAULT as DEFAULT_MEMORY
from airstore.media.index import MediaFile, MediaIndex
from airstore.media.writer import ONE, Carriers, MediaContents, measure_media, write_media
from airstore.ops.media.plan import MediaPlan
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.roots import signed_roots
from airstore.store.blobs import BlobStore


@frozen
class MediaForm:
    """How media are written.

    Attributes:
        effort: how much time smaller media are worth; None: objects travel as they are, which every airstore
            reads.
        carriers: what they are carried on.
        memory: bytes that making them may take.
        beside: puts into their directory what no index lists, such as the tool.
    """

    effort: Effort | None = Effort.NORMAL
    carriers: Carriers = ONE
    memory: int = DEFAULT_MEMORY
    beside: Callable[[Path], object] = lambda _directory: None


DEFAULT = MediaForm()


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
    contents = _contents(store, blobs, plan, form)
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
    contents = _contents(store, blobs, plan, form)
    return measure_media(blobs.layout.temporary, contents, _describer(plan), progress, form.carriers)


def _contents(store: StoreDirectory, blobs: BlobStore, plan: MediaPlan, form: MediaForm) -> MediaContents:
    roots = signed_roots(store)
    carried = roots if len(roots) > 1 else {}
    if form.effort:
        return MediaContents(
            blobs,
            store.history,
            delta=plan.task,
            effort=form.effort,
            memory=form.memory,
            roots=carried,
        )
    return MediaContents(blobs, store.history, plan.selection, roots=carried)


def _describer(plan: MediaPlan) -> Callable[[dict[str, MediaFile]], MediaIndex]:
    sites, releases = plan.sites, plan.releases
    return lambda files: MediaIndex(
        product=plan.product,
        site=sites[0] if len(sites) == 1 else "",
        release=plan.release,
        base=releases[0] if releases else None,
        files=files,
        sites=sites if len(sites) > 1 else (),
        bases=releases if len(releases) > 1 else (),
    )
