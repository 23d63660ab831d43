"""Opening gzip blobs that a store holds whole, and letting go of the whole ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from airstore.codec.opening import MAGIC
from airstore.core.errors import DamagedError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.core.progress import Advance
from airstore.store.directory import BlobStore
from airstore.store.ingest.kept import reasons
from airstore.store.read.reader import ObjectReader

_BATCH = 256 * MIB  # gzip bytes; what has been opened becomes part of the store this often
_ANY = "application/octet-stream"


def openable(store: BlobStore, only: Iterable[Digest] | None = None) -> list[Descriptor]:
    """Gzip blobs that the store holds whole only, but for those that are known to have to stay so.

    What cannot be read is left out; `check` names it.

    Args:
        store: the store.
        only: the blobs that are looked at, held or not; None for all, which takes as long as there are many.
    """
    reader, kept = store.reader(), reasons(store.layout.kept_whole)
    digests: Iterable[Digest] = sorted(only or ())
    if only is None:
        digests = (Digest.from_raw(row.digest) for row in store.index.blobs())
    found = ((digest, _size_of_whole(reader, digest)) for digest in digests if digest not in kept)
    return [Descriptor(_ANY, digest, size) for digest, size in found if size is not None]


def opened_and_whole(store: BlobStore) -> list[Digest]:
    """Blobs that the store holds both ways."""
    reader = store.reader()
    found = []
    for row in store.index.blobs():
        digest = Digest.from_raw(row.digest)
        if len({recipe.opened is None for _, recipe in reader.roots(digest)}) > 1:
            found.append(digest)
    return found


def open_blobs(store: BlobStore, blobs: Sequence[Descriptor], advance: Advance) -> list[Digest]:
    """Open blobs that are held whole; the whole ones stay. Killed, it loses the work on a few blobs.

    Args:
        store: the store.
        blobs: from `openable`.
        advance: called with the size of each blob that was looked at.

    Returns:
        Those that were opened; why the others were not is noted in the store.

    Raises:
        DamagedError: one cannot be read.
        LockedError: another process adds packs.
        StorageError: the disk is full or failed.
    """
    opened: list[Digest] = []
    for batch in _batches(blobs):
        with store.writer() as writer:
            for blob in batch:
                if writer.open(blob):
                    opened.append(blob.digest)
                advance(blob.size)
    return opened


def _size_of_whole(reader: ObjectReader, digest: Digest) -> int | None:
    """Bytes of a gzip blob that is held whole only."""
    recipes = [recipe for _, recipe in reader.roots(digest)]
    if not recipes or any(recipe.opened for recipe in recipes):
        return None
    with suppress(DamagedError):
        if b"".join(reader.blob(digest, 0, len(MAGIC))) == MAGIC:
            return recipes[0].size
    return None


def _batches(blobs: Sequence[Descriptor]) -> Iterator[list[Descriptor]]:
    batch: list[Descriptor] = []
    for blob in blobs:
        batch.append(blob)
        if sum(each.size for each in batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
