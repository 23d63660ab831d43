"""Letting go of blobs: the objects that nothing else needs go with them, and the packs of only such objects.

As everywhere in `.repack`: what stays of a pack goes into a new one, the index changes over in one
transaction, and only then the old pack is removed. Killed anywhere, what stays is whole, and the next sweep
does what is left.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.core.progress import Advance
from airstore.store.directory import BlobStore
from airstore.store.format.objects import ObjectKey, ObjectKind
from airstore.store.format.pack import ENTRY_SIZE, read_pack
from airstore.store.layout import REBUILT
from airstore.store.read.catalog import name_of
from airstore.store.read.sqlite import KeySet
from airstore.store.upkeep.check import index_faults
from airstore.store.upkeep.repack import objects_of, repack, require_space, set_name
from airstore.store.upkeep.retire import is_whole

_REPAIR = "run `airstore repair`, then the same command again; nothing was changed"


@frozen
class _Change:
    """What becomes of one pack.

    Attributes:
        size: bytes of its file.
        stays: bytes, about, of what goes into a new one; 0 where nothing does.
    """

    name: bytes
    size: int
    stays: int


class Sweep:
    """What letting go of blobs comes to, and doing it.

    Attributes:
        freed: bytes of packs that come free; about, for what is left of a frame is compressed anew.
        total: bytes of the packs that change, for `run`.
    """

    def __init__(self, store: BlobStore, live: KeySet, changes: list[_Change]) -> None:
        self._store, self._live = store, live
        # What makes room comes first, then what needs the least of it.
        self._changes = sorted(changes, key=lambda change: change.stays)
        self.freed = sum(change.size - change.stays for change in changes)
        self.total = sum(change.size for change in changes)

    def run(self, advance: Advance) -> None:
        """Do it, after `require`.

        Args:
            advance: called with the size of each pack that is done.

        Raises:
            StorageError: the disk is full or failed; what was done until then stays done.
        """
        for left in self._store.layout.temporary.glob(f"{REBUILT}*"):  # of a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        for change in self._changes:
            repack(self._store, change.name, _keys_of(self._store, change.name), self._live)
            advance(change.size)

    def require(self) -> None:
        """Find out whether it can be done, before anything is changed.

        Raises:
            DamagedError: something that stays cannot be read.
            StorageError: there is no room to rewrite packs.
        """
        self._require_room()
        for change in self._changes:
            _require_sound(self._store, change, self._live)

    def _require_room(self) -> None:
        free = shutil.disk_usage(self._store.directory).free
        for change in self._changes:
            if change.stays:
                require_space(self._store, min(change.size, change.stays + MIB), free)
            free += change.size - change.stays


@contextmanager
def sweeping(store: BlobStore, kept: Collection[Digest]) -> Iterator[Sweep]:
    """Find out what only other blobs than these need; packs cannot be added meanwhile.

    Args:
        store: the store.
        kept: blobs that stay, as far as they are here.

    Raises:
        DamagedError: the index or a recipe cannot be relied on.
        LockedError: another process adds packs.
        StorageError: the disk failed.
    """
    with store.adding(), closing(KeySet()) as live:
        if waiting := store.unindexed():
            store.enter(map(name_of, waiting))
        for fault in index_faults(store):
            raise DamagedError(f"index.sqlite: {fault}", hint=_REPAIR)
        recipes = _fill(store, kept, live)
        yield Sweep(store, live, list(_changes(store, live, recipes)))


def _fill(store: BlobStore, kept: Collection[Digest], live: KeySet) -> set[bytes]:
    """Note what the kept blobs need, in every form in which they are held; the recipes of all blobs."""
    reader, recipes = store.reader(), set[bytes]()
    for row in store.index.blobs():
        digest = Digest.from_raw(row.digest)
        rows = store.index.blob(digest)
        recipes.update(each.recipe.digest for each in rows)
        if digest not in kept:
            continue
        roots = list(reader.roots(digest))
        if len(roots) != len(rows):
            raise DamagedError(f"a recipe of blob {digest} cannot be read", hint=_REPAIR)
        for root, recipe in roots:
            live.add_all([set_name(key) for key in objects_of(reader, root, recipe)])
    return recipes


def _changes(store: BlobStore, live: KeySet, recipes: set[bytes]) -> Iterator[_Change]:
    for _, name, size in store.index.packs():
        path = store.layout.pack(name)
        try:
            frames = read_pack(path)
        except DamagedError as fault:
            known = [set_name(key) for key in store.index.keys_of(name)]
            # Of a pack that cannot be read, what the index says is all there is: where it says nothing, what
            # the pack holds may be needed.
            if not known or any(key in live for key in known):
                raise DamagedError(str(fault), hint=_REPAIR) from fault
            yield _Change(name, size if path.exists() else 0, 0)
            continue
        stays, dead = 0, False
        for frame in frames:
            keys = list(frame.objects())
            staying = [key for key in keys if set_name(key) in live]
            stays += -(-frame.stored * sum(key.size for key in staying) // frame.plain)
            stays += len(staying) * ENTRY_SIZE
            if len(staying) < len(keys):
                dead = True
                _require_known(path, set(keys) - set(staying), recipes)
        if dead:
            yield _Change(name, size, stays)


def _require_known(path: Path, dead: set[ObjectKey], recipes: set[bytes]) -> None:
    """A recipe that the index does not know may be that of a blob which stays."""
    if any(key.kind is ObjectKind.RECIPE and key.digest not in recipes for key in dead):
        raise DamagedError(f"index.sqlite does not know a recipe in pack {path.name}", hint=_REPAIR)


def _keys_of(store: BlobStore, name: bytes) -> list[ObjectKey]:
    try:
        return [key for frame in read_pack(store.layout.pack(name)) for key in frame.objects()]
    except DamagedError:  # nothing of it stays, or `_changes` had refused
        return list(store.index.keys_of(name))


def _require_sound(store: BlobStore, change: _Change, live: KeySet) -> None:
    """A pack that is damaged may go where all that stays of it reads back."""
    if not change.stays or is_whole(store, change.name):
        return
    staying = [key for key in _keys_of(store, change.name) if set_name(key) in live]
    if len(store.reader().good(staying)) < len(set(staying)):
        name = store.layout.pack(change.name).name
        raise DamagedError(f"pack {name} is damaged where it holds what is kept", hint=_REPAIR)
