"""``airstore store optimize``: a store that holds gzip layers whole is turned over to opened ones."""

from __future__ import annotations

from airstore.core.frozen import frozen
from airstore.core.progress import Progress
from airstore.ops.stores.directory import PUBLISHER, StoreDirectory
from airstore.store.blobs import BlobStore, drop_whole, open_blobs, openable, opened_and_whole, statistics


@frozen
class Optimized:
    """What was done, or would be.

    Attributes:
        tried: gzip blobs held whole only, and not known to have to stay so.
        tried_bytes: their sizes added up.
        opened: of those, how many are opened now.
        dropped: blobs whose whole form was let go, because they are held opened as well.
        before: bytes of the store's packs.
        after: the same afterwards.
    """

    tried: int
    tried_bytes: int
    opened: int
    dropped: int
    before: int
    after: int


def optimize_store(store: StoreDirectory, progress: Progress, *, dry_run: bool = False) -> Optimized:
    """Open what is held whole. A publisher then lets go of the whole forms; a site serves and keeps them.

    Killed at any moment, the store is whole; the next run does what is left.

    Raises:
        LockedError: another process changes the store.
        DamagedError: something in the store cannot be read; what was opened until then stays.
        StorageError: the disk is full or failed.
    """
    with store.locked(), store.open_blobs() as blobs:
        found = openable(blobs)
        size, before = sum(blob.size for blob in found), statistics(blobs).stored_bytes
        opened = 0
        if not dry_run:
            with progress.task("opening layers", size) as advance:
                opened = len(open_blobs(blobs, found, advance))
        dropped = _drop(store, blobs, progress, dry_run=dry_run)
        return Optimized(len(found), size, opened, dropped, before, statistics(blobs).stored_bytes)


def _drop(store: StoreDirectory, blobs: BlobStore, progress: Progress, *, dry_run: bool) -> int:
    if store.side != PUBLISHER:
        return 0
    both = opened_and_whole(blobs)
    if not dry_run:
        with progress.task("rewriting packs", statistics(blobs).stored_bytes) as advance:
            drop_whole(blobs, advance)
    return len(both)
