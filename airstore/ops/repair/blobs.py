"""Blobs of a store, restored from wherever they read back, and packs that are damaged replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from airstore.core.errors import AirstoreError, NotFoundError, StorageError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest, verified
from airstore.core.progress import Progress
from airstore.ops.repair.sources import Read, RepairSource
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.store.blobs import (
    BlobStore,
    BlobWriter,
    check,
    index_faults,
    rebuild_index,
    retire_damaged,
)

_BATCH = 100  # blobs that become visible together


def restore_blobs(
    store: StoreDirectory,
    wanted: Mapping[Digest, Descriptor],
    sources: Sequence[RepairSource],
    progress: Progress,
    refused: Callable[[str], None],
) -> Iterator[str]:
    """Restore the blobs that are damaged or missing, and packs; yields what was restored.

    Args:
        store: of either side.
        wanted: blobs that have to be here.
        sources: asked one after the other.
        progress: shows what is read and written.
        refused: told what a source cannot give, and why.

    Raises:
        StorageError: the disk is full or failed; another run goes on.
        LockedError: another process adds packs.
    """
    with store.open_blobs() as held:
        lost = {digest: wanted[digest] for digest in _lost(held, wanted, progress)}
        for source in sources:
            if lost:
                yield from _refill(store, held, lost, source, refused)
        retired = retire_damaged(held, lacking=bool(lost), needed=wanted)
        yield from (f"pack {name}, replaced by what is good of it" for name in retired)


def restore_index(store: StoreDirectory) -> Iterator[str]:
    """Rebuild the index from the packs where it is damaged or says something else than they.

    Of the objects only recipes are read for that.

    Raises:
        LockedError: another process adds packs.
        StorageError: the disk is full or failed.
    """
    with store.open_blobs() as held:
        if index_faults(held):
            rebuild_index(held)
            yield "index.sqlite, from the packs"


def _lost(held: BlobStore, wanted: Mapping[Digest, Descriptor], progress: Progress) -> list[Digest]:
    with progress.task("reading all objects", sum(size for _, _, size in held.index.packs())) as advance:
        broken = {digest for damage in check(held, advance) for digest in damage.blobs}
    return sorted(digest for digest in wanted if digest in broken or held.size(digest) is None)


def _refill(
    store: StoreDirectory,
    held: BlobStore,
    lost: dict[Digest, Descriptor],
    source: RepairSource,
    refused: Callable[[str], None],
) -> Iterator[str]:
    def failed(blob: Descriptor, fault: AirstoreError) -> None:
        if isinstance(fault, NotFoundError):
            refused(f"{source} does not have blob {blob.digest}: {fault}")
        else:
            refused(f"{source}: blob {blob.digest}: {fault}")

    try:
        with source.blobs(store, held, lost) as read:
            for part in _batches(list(lost.values())):
                for digest in _put_all(store, held, part, read, failed):
                    del lost[digest]
                    yield f"blob {digest}"
    except StorageError:
        raise
    except AirstoreError as fault:
        refused(f"{source}: {fault}")


def _batches(blobs: Sequence[Descriptor]) -> Iterator[Sequence[Descriptor]]:
    return (blobs[at : at + _BATCH] for at in range(0, len(blobs), _BATCH))


def _put_all(
    store: StoreDirectory,
    held: BlobStore,
    part: Sequence[Descriptor],
    read: Read,
    failed: Callable[[Descriptor, AirstoreError], None],
) -> list[Digest]:
    """Put blobs; they stay when a later batch fails or is interrupted."""
    done = []
    with held.writer() as writer:
        for blob in part:
            try:
                _put(store, writer, blob, read)
            except StorageError:
                raise
            except AirstoreError as fault:
                failed(blob, fault)
            else:
                done.append(blob.digest)
    return done


def _put(store: StoreDirectory, writer: BlobWriter, blob: Descriptor, read: Read) -> None:
    if store.side == SITE:  # kept as the registry's bytes, as an import does
        writer.restore(blob, verified(read(blob.digest), blob.digest, blob.size), None)
    else:
        writer.put(blob, lambda: read(blob.digest))
