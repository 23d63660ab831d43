"""Dropping recipes that are not needed any more, with the objects that nothing else needs.

A pack is never modified: what stays of it goes into a new one, the index changes over in one transaction, and
only then the old pack is removed. Killed anywhere, the store is whole, and the next run does what is left.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from airstore.core.durable import storage_errors, sync_directory
from airstore.core.errors import DamagedError, StorageError
from airstore.core.image.digest import Digest
from airstore.core.progress import Advance
from airstore.store.directory import BlobStore
from airstore.store.exchange.export import chosen, write_packs
from airstore.store.format.objects import ObjectKey, ObjectKind
from airstore.store.format.pack import read_pack
from airstore.store.format.recipe import Recipe
from airstore.store.layout import REBUILT
from airstore.store.read.catalog import name_of, pack_rows
from airstore.store.read.reader import ObjectReader
from airstore.store.read.sqlite import KeySet


def drop_whole(store: BlobStore, advance: Advance) -> None:
    """Let go of the whole forms of blobs that are held opened as well.

    Args:
        store: the store; nobody else changes it meanwhile.
        advance: called with the size of each pack that was looked at.

    Raises:
        DamagedError: something in the store cannot be read; no pack was removed that is needed.
        LockedError: another process adds packs.
        StorageError: the disk is full or failed.
    """
    with store.adding(), closing(KeySet()) as live:
        store.enter(map(name_of, store.unindexed()))
        for key in _needed(store):
            live.add(set_name(key))
        for _, name, size in store.index.packs():
            if name not in store.partial:  # it is shared, and only in part here
                keys = [key for frame in read_pack(store.layout.pack(name)) for key in frame.objects()]
                if any(set_name(key) not in live for key in keys):
                    repack(store, name, keys, live)
            advance(size)


def _needed(store: BlobStore) -> Iterator[ObjectKey]:
    reader = store.reader()
    for row in store.index.blobs():
        digest = Digest.from_raw(row.digest)
        roots = list(reader.roots(digest))
        if len(roots) != len(store.index.blob(digest)):
            raise DamagedError(f"a recipe of blob {digest} cannot be read", hint="run `airstore check`")
        opened = any(recipe.opened for _, recipe in roots)
        for root, recipe in roots:
            if recipe.opened or not opened:
                yield from objects_of(reader, root, recipe)


def objects_of(reader: ObjectReader, root: ObjectKey, recipe: Recipe) -> Iterator[ObjectKey]:
    """Every object that a recipe needs, itself first.

    Raises:
        DamagedError: one that lists others cannot be read.
    """
    yield root
    yield from recipe.parts
    yield from recipe.opened.side if recipe.opened else ()
    yield from (step for step in reader.steps(recipe) if isinstance(step, ObjectKey))


def repack(store: BlobStore, name: bytes, keys: Iterable[ObjectKey], live: KeySet) -> None:
    """Write what is live of a pack to a new one, if there is any, and let go of the pack.

    Args:
        store: whose packs nobody else changes.
        name: of the pack.
        keys: its objects.
        live: names of all objects that stay; see `set_name`.

    Raises:
        DamagedError: an object that stays has no good copy; the pack stays.
        StorageError: the disk is full or failed.
    """
    old, objects = store.layout.pack(name), dict.fromkeys(keys)
    staying = [key for key in objects if set_name(key) in live]
    unneeded = objects.keys() - set(staying)
    new = list(_rewritten(store, old, staying)) if staying else []
    recipes = [key.digest for key in unneeded if key.kind is ObjectKind.RECIPE]
    store.index.replace(name, recipes, [pack_rows(path, name_of(path)) for path in new])
    with storage_errors(old):
        old.unlink(missing_ok=True)
        sync_directory(old.parent)  # else a power cut brings it back


def _rewritten(store: BlobStore, old: Path, staying: list[ObjectKey]) -> Iterator[Path]:
    with TemporaryDirectory(prefix=REBUILT, dir=store.layout.temporary) as directory:
        stays = chosen(staying)
        _require_space(store, old, stays.plain_bytes)
        for pack in write_packs(store, stays, Path(directory), lambda _count: None):
            final = store.layout.pack(pack.digest.raw)
            with storage_errors(final):
                store.disk.publish(Path(directory) / final.name, final)
            yield final


def _require_space(store: BlobStore, old: Path, plain: int) -> None:
    with storage_errors(old):
        needed = min(old.stat().st_size, plain + (1 << 20))
    require_space(store, needed, shutil.disk_usage(old.parent).free)


def require_space(store: BlobStore, needed: int, free: int) -> None:
    """Refuse to rewrite a pack where there is no room for it.

    Raises:
        StorageError: there is not.
    """
    if free < needed:
        raise StorageError(
            f"{store.directory} has {free} bytes free; rewriting a pack needs {needed}",
            hint="free some space and run the same command again",
        )


def set_name(key: ObjectKey) -> bytes:
    """An object's name in a `KeySet`."""
    return bytes([key.kind]) + key.digest
