"""Media for every site that is behind, each in a directory of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from airstore.core.durable import make_directory
from airstore.core.progress import Progress
from airstore.media.index import MediaIndex
from airstore.ops.media.create import create_media, plan_media
from airstore.ops.review.fleet import Fleet, SiteRow
from airstore.ops.stores.directory import StoreDirectory
from airstore.store.blobs import BlobStore


def place_of(out: Path, fleet: Fleet, row: SiteRow) -> Path:
    """Where the media of a site go."""
    return out / f"{row.site}-{fleet.newest}"


def bring_up(
    store: StoreDirectory,
    blobs: BlobStore,
    fleet: Fleet,
    out: Path,
    sign: Callable[[bytes], bytes],
    progress: Progress,
) -> Iterator[tuple[SiteRow, MediaIndex | None]]:
    """Make the media that bring every site to the newest release, one after the other.

    Args:
        store: the publisher's.
        blobs: its blobs.
        fleet: what the sites lack.
        out: a directory; each site's appears in it complete or not at all.
        sign: turns a statement into an envelope.
        progress: shows what is written.

    Returns:
        Sites that need media, with the index of theirs; None where a directory of that name is there already.

    Raises:
        IncompleteError: this store lacks blobs of the release.
        StorageError: the disk is full; media that are complete stay.
    """
    make_directory(out)
    for row in (row for row in fleet.rows if row.media):
        place = place_of(out, fleet, row)
        if place.exists():
            yield row, None
            continue
        plan = plan_media(store, blobs, fleet.newest, row.base)
        yield row, create_media(store, blobs, plan, place, sign, progress)
