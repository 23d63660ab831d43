"""Is what media bring held already, and can it be used?"""

from __future__ import annotations

from pathlib import Path

from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.image.digest import Digest
from airstore.core.progress import Advance
from airstore.history.inspection import inspect
from airstore.media.index import MediaIndex
from airstore.media.reader import Media
from airstore.ops.stores.directory import StoreDirectory
from airstore.store.blobs import BlobStore


def require_history(store: StoreDirectory, media: Media, index: MediaIndex) -> None:
    """Refuse to call a release held whose history is damaged: an import only adds what is new.

    Raises:
        DamagedError: it is.
    """
    for fault in inspect(store.layout.history):
        raise DamagedError(
            f"release {index.release.version} was imported before, and cannot be used: {fault.what}",
            hint=f"restore it from the same media: airstore repair --from {media.directory}",
        )


def pack_whole(blobs: BlobStore, index: MediaIndex, path: str) -> bool:
    """A pack may be damaged where no object lies, and then it could not be indexed anew."""
    held = blobs.layout.packs / Path(path).name
    try:
        return not held.exists() or Digest.of_file(held) == index.files[path].digest
    except OSError:  # a rotten sector is damage like any other
        return False


def reads_back(blobs: BlobStore, digest: Digest, advance: Advance) -> bool:
    """Whether every byte of a blob can be had."""
    try:
        for chunk in blobs.read(digest):
            advance(len(chunk))
    except (NotFoundError, DamagedError):
        return False
    return True
