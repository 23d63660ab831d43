"""Packs of what blobs hold that a store has whole."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from airstore.core.descriptor import Descriptor
from airstore.core.progress import Advance
from airstore.store.directory import BlobStore
from airstore.store.format.packwriter import PACK_SIZE, pack_writer
from airstore.store.ingest.sink import WORKERS
from airstore.store.ingest.writer import BlobWriter


def opened_packs(
    store: BlobStore, blobs: Sequence[Descriptor], directory: Path, advance: Advance
) -> list[Path]:
    """Open blobs into packs that are no part of the store yet; see `BlobWriter.open`.

    Args:
        store: has the blobs.
        blobs: those to open; what cannot be opened is left out.
        directory: where the packs go, on the store's file system.
        advance: called with the size of each blob.

    Raises:
        DamagedError: one of them cannot be read.
        StorageError: the disk is full or failed.
    """
    with (
        ThreadPoolExecutor(WORKERS, thread_name_prefix="airstore-store") as pool,
        pack_writer(directory, store.disk, PACK_SIZE) as packs,
    ):
        writer = BlobWriter(store.reader(), pool, packs, directory)
        try:
            for blob in blobs:
                writer.open(blob)
                advance(blob.size)
            writer.finish()
        finally:
            writer.close()
        packs.publish(directory)
        return [directory / pack.file_name for pack in packs.sealed]
