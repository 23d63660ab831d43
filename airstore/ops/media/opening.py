"""Layers that a publisher took in as they came, opened when media are to rest on the files in them."""

from __future__ import annotations

from collections.abc import Sequence

from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.core.model.release import Artifact, Release
from airstore.core.progress import Progress
from airstore.ops.media.bases import Base, held_by_all
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import verified
from airstore.store.blobs import BlobStore, open_blobs, openable

# Bytes of new archives; for fewer, such as a chart's, no base is looked for in other places.
_LITTLE = 1 * MIB


def open_layers(store: StoreDirectory, blobs: BlobStore, to: str, *bases: Base, progress: Progress) -> int:
    """Open what is new in a release and held whole, and what of its bases that may rest on; whole forms stay.

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
    release = verified(store, to).release
    new = frozenset(release.blobs()) - held_by_all(bases)
    held = openable(blobs, new | _older(store, blobs, release, new, bases))
    if not held:
        return 0
    with progress.task("opening layers held whole", sum(blob.size for blob in held)) as advance:
        return len(open_blobs(blobs, held, advance))


def _older(
    store: StoreDirectory, blobs: BlobStore, release: Release, new: frozenset[Digest], bases: Sequence[Base]
) -> frozenset[Digest]:
    """What a delta of these may rest on: all that sites have, or for little only what has the same place."""
    archives = {digest for digest in new if blobs.form(digest).opened}
    archives.update(blob.digest for blob in openable(blobs, new))
    held = frozenset[Digest]().union(*(base.blobs for base in bases))
    sizes = release.blobs()
    if sum(sizes[digest].size for digest in archives) >= _LITTLE:
        return held
    places = {each.repository for each in release.artifacts if archives & _digests(each)}
    older = (verified(store, base.release.version).release for base in bases)
    same = (_digests(each) for old in older for each in old.artifacts if each.repository in places)
    return held.intersection(frozenset[Digest]().union(*same))


def _digests(artifact: Artifact) -> frozenset[Digest]:
    return frozenset(blob.digest for blob in artifact.blobs)
