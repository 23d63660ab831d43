"""Replacing packs that are damaged or gone, once what they held is here otherwise or lost to nobody's harm.

As everywhere: what is good of a pack goes into a new one, the index changes over in one transaction, and only
then the damaged pack is removed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.store.directory import BlobStore
from airstore.store.exchange.export import chosen, write_packs
from airstore.store.format.objects import ObjectKey, ObjectKind, key_of
from airstore.store.format.pack import read_frame
from airstore.store.layout import REBUILT
from airstore.store.read.catalog import name_of, pack_rows
from airstore.store.upkeep.check import check


def retire_damaged(store: BlobStore, *, lacking: bool, needed: Collection[Digest]) -> list[str]:
    """Replace every damaged pack that holds nothing which is needed and nowhere else.

    Args:
        store: nobody else changes it meanwhile.
        lacking: blobs are missing that nobody has: what cannot be read may be theirs.
        needed: blobs that somebody needs; where it is not known, none, and then all count.

    Returns:
        The file names of packs that are gone.

    Raises:
        LockedError: another process adds packs.
        StorageError: the disk is full or failed; nothing is lost.
    """
    with store.adding():
        # A pack that is here only in part has another digest, and is whole elsewhere.
        damaged = [n for n in _names(store) if n not in store.partial and not is_whole(store, n)]
        if not damaged:
            return []
        users = (set(damage.blobs) for damage in check(store, lambda _count: None))
        broken = lacking or any(blobs & set(needed) if needed else blobs for blobs in users)
        return [store.layout.pack(name).name for name in damaged if _retire(store, name, broken=broken)]


def _names(store: BlobStore) -> list[bytes]:
    known = {name for _, name, _ in store.index.packs()}
    return sorted(known | {name_of(path) for path in store.unindexed()})


def is_whole(store: BlobStore, name: bytes) -> bool:
    """Whether a pack has the bytes that its name says."""
    try:
        return Digest.of_file(store.layout.pack(name)).raw == name
    except OSError:
        return False


def _retire(store: BlobStore, name: bytes, *, broken: bool) -> bool:
    """Where blobs are still broken, what cannot be read may be what they need: then the pack stays."""
    keys = list(dict.fromkeys(store.index.keys_of(name)))
    good = store.reader().good(keys)
    if broken and (len(good) < len(keys) or not keys):
        return False
    here = [key for key in keys if key in good and _is_good_in(store, name, key)]
    new = list(_rewritten(store, here)) if here else []
    recipes = [key.digest for key in keys if key not in good and key.kind is ObjectKind.RECIPE]
    store.index.replace(name, recipes, [pack_rows(path, name_of(path)) for path in new])
    with storage_errors(store.layout.pack(name)):
        store.layout.pack(name).unlink(missing_ok=True)
    return True


def _is_good_in(store: BlobStore, name: bytes, key: ObjectKey) -> bool:
    for place in store.index.locate(key):
        if place.pack == name:
            try:
                plain = read_frame(store.layout.pack(name), place.frame_offset, place.stored, place.plain)
            except DamagedError:
                continue
            if key_of(key.kind, plain[place.offset : place.offset + place.size]) == key:
                return True
    return False


def _rewritten(store: BlobStore, keys: list[ObjectKey]) -> Iterator[Path]:
    with TemporaryDirectory(prefix=REBUILT, dir=store.layout.temporary) as directory:
        for pack in write_packs(store, chosen(keys), Path(directory), lambda _count: None):
            final = store.layout.pack(pack.digest.raw)
            with storage_errors(final):
                store.disk.publish(Path(directory) / final.name, final)
            yield final
