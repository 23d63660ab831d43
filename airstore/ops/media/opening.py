"""Layers that a publisher took in as they came, opened when media are to rest on the files in them."""

from __future__ import annotations

from airstore.core.progress import Progress
from airstore.ops.media.bases import Base
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import verified
from airstore.store.blobs import BlobStore, open_blobs, openable


def open_layers(store: StoreDirectory, blobs: BlobStore, to: str, *bases: Base, progress: Progress) -> int:
    """Open what of a release and of its bases is held whole; the whole forms stay.

    Killed, it loses the work on a few layers, and the next run does what is left.

    Returns:
        How many were opened.

    Raises:
        NotFoundError: no such release.
        NotTrustedError: the release in our own history is not properly signed.
        LockedError: another process adds to the store.
        DamagedError: a layer cannot be read.
        StorageError: the disk is full or failed.
    """
    wanted = frozenset(verified(store, to).release.blobs()).union(*(base.blobs for base in bases))
    held = openable(blobs, wanted)
    if not held:
        return 0
    with progress.task("opening layers held whole", sum(blob.size for blob in held)) as advance:
        return len(open_blobs(blobs, held, advance))
