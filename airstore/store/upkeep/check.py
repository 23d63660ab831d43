"""Looking after a store: reading everything back, rebuilding the index, counting."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.progress import Advance
from airstore.store.directory import BlobStore
from airstore.store.format.objects import ObjectKey, damaged
from airstore.store.format.pack import PackFrame, file_size, read_at, read_frame, read_pack
from airstore.store.format.recipe import decode_root
from airstore.store.ingest.sink import WORKERS, in_order
from airstore.store.read.catalog import is_partial
from airstore.store.read.rows import BlobRow


@frozen
class Damage:
    """One fault in a store.

    Attributes:
        what: the pack or object, and what is wrong with it.
        blobs: the blobs that cannot be rebuilt because of it.
    """

    what: str
    blobs: tuple[Digest, ...] = ()


@frozen
class Statistics:
    """What a store holds. ``plain_bytes`` are the blobs' sizes added up, ``stored_bytes`` the packs'."""

    blobs: int
    objects: int
    packs: int
    plain_bytes: int
    stored_bytes: int


def statistics(store: BlobStore) -> Statistics:
    """Count what a store holds."""
    blobs = plain = 0
    for row in store.index.blobs():
        blobs, plain = blobs + 1, plain + row.size
    sizes = [size for _, _, size in store.index.packs()]
    return Statistics(blobs, store.index.count_objects(), len(sizes), plain, sum(sizes))


def rebuild_index(store: BlobStore) -> None:
    """Rebuild ``index.sqlite`` from the packs alone.

    Raises:
        LockedError: someone is adding packs.
        StorageError: the disk is full or failed; the old index is as it was.
    """
    store.rebuild_index()


def pack_faults(store: BlobStore) -> list[Damage]:
    """Packs of the index that are gone or of another size; nothing of them is read.

    Raises:
        StorageError: the disk failed.
    """
    found: list[Damage] = []
    for _, name, size in store.index.packs():
        try:
            _check_size(store.path_of(name), size)
        except DamagedError as fault:
            found.append(Damage(str(fault)))
    return found


def check(store: BlobStore, advance: Advance) -> list[Damage]:
    """Read everything back: packs, objects, and whether every recipe finds its objects.

    A damaged copy of an object that has a good copy elsewhere breaks nothing: reads use the good one.

    Args:
        store: the store.
        advance: called with every count of pack bytes read.

    Raises:
        StorageError: the disk failed.
    """
    inspection = _Inspection(store)
    inspection.read_packs(advance)
    inspection.follow_recipes()
    return inspection.damages()


def index_faults(store: BlobStore) -> list[str]:
    """What is wrong with the index, by SQLite's own check, by what packs say of themselves, and by recipes.

    Raises:
        StorageError: the disk failed.
    """
    try:
        found, whole = store.index.faults(), True
        for _, name, size in store.index.packs():
            path = store.path_of(name)
            try:
                frames = read_pack(path)
            except DamagedError:  # of the pack: that says nothing of the index
                whole = False
                continue
            if file_size(path) != size or not store.index.agrees(name, frames):
                found.append(f"it says something else of pack {name.hex()}.pack than the pack itself")
        found += _recipe_faults(store, whole=whole)
    except DamagedError as fault:
        return [str(fault)]
    return found


def _recipe_faults(store: BlobStore, *, whole: bool) -> Iterator[str]:
    """Of a store whose packs are not ``whole`` nobody can say that no pack has a recipe."""
    reader = store.reader()
    for row in store.index.recipes():
        said = f"it says that {row.recipe} rebuilds {Digest.from_raw(row.digest)} of {row.size} bytes, and "
        if not store.index.locate(row.recipe):
            yield from [f"{said}that no pack has it"] if whole else []
            continue
        with suppress(DamagedError):  # of the pack
            recipe = decode_root(reader.object(row.recipe))
            if (recipe.blob.raw, recipe.size) != (row.digest, row.size):
                yield f"{said}it is of {recipe.blob} of {recipe.size} bytes"


class _Inspection:
    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._reader = store.reader()
        self._faults: dict[str, list[Digest]] = {}  # what is wrong -> blobs affected
        self._bad: dict[ObjectKey, str] = {}  # objects without a good copy -> what is wrong

    def damages(self) -> list[Damage]:
        return [Damage(what, tuple(blobs)) for what, blobs in self._faults.items()]

    def read_packs(self, advance: Advance) -> None:
        for fault in index_faults(self._store):
            self._faults[f"index.sqlite: {fault}"] = []
        known = {name: size for _, name, size in self._store.index.packs()}
        with ThreadPoolExecutor(WORKERS) as pool:
            for name, size in known.items():
                self._read_pack(self._store.path_of(name), name, size, pool, advance)
        for path in self._store.unindexed():
            self._try(path)

    def follow_recipes(self) -> None:
        for row in self._store.index.blobs():
            digest = Digest.from_raw(row.digest)
            for what in dict.fromkeys(self._obstacles(row)):
                self._faults.setdefault(what, []).append(digest)

    def _read_pack(
        self, path: Path, name: bytes, size: int, pool: ThreadPoolExecutor, advance: Advance
    ) -> None:
        try:
            _check_size(path, size)
            frames = read_pack(path)
        except DamagedError as fault:
            self._faults[str(fault)] = []
            self._note(self._store.index.keys_of(name), str(fault))
            return
        if is_partial(path):  # holes are no damage; what was fetched and is damaged is fetched again
            frames = [frame for frame in frames if _lies_here(path, frame)]
        before = len(self._faults)
        for frame, failed in in_order(pool, lambda frame: (frame, _failures(path, frame)), frames):
            for what, keys in failed:
                self._note(iter(keys), what)
            advance(frame.stored)
        if len(self._faults) == before and not is_partial(path) and not _is_named_right(path, name):
            self._faults[f"pack {path.name} has other bytes than its name says"] = []

    def _note(self, keys: Iterator[ObjectKey], what: str) -> None:
        """Remember the objects among ``keys`` that cannot be read from any other copy either."""
        for key in keys:
            try:
                self._reader.object(key)
            except DamagedError:
                self._bad[key] = what
                self._faults.setdefault(what, [])

    def _try(self, path: Path) -> None:
        """A pack that the index does not know, after a crash, is a fault only if unreadable."""
        try:
            read_pack(path)
        except DamagedError as fault:
            self._faults[str(fault)] = []

    def _obstacles(self, row: BlobRow) -> Iterator[str]:
        if row.recipe in self._bad:
            yield self._bad[row.recipe]
            return
        try:
            recipe = self._reader.recipe(Digest.from_raw(row.digest))
            damaged_parts = [self._bad[part] for part in recipe.parts if part in self._bad]
            yield from damaged_parts
            if damaged_parts:
                return
            side = recipe.opened.side if recipe.opened else ()
            for step in chain(side, self._reader.steps(recipe)):
                if isinstance(step, int):
                    continue
                if step in self._bad:
                    yield self._bad[step]
                elif not self._store.index.locate(step):
                    yield f"{step} is missing"
        except DamagedError as fault:
            yield str(fault)


def _check_size(path: Path, size: int) -> None:
    found = file_size(path)
    if found != size:
        raise DamagedError(f"pack {path.name} has {found} bytes instead of {size}")


def _lies_here(path: Path, frame: PackFrame) -> bool:
    return any(read_at(path, frame.offset, min(frame.stored, 64)))


def _is_named_right(path: Path, name: bytes) -> bool:
    """A pack may be damaged where no object lies; it can be read then, and not be what was signed."""
    try:
        return Digest.of_file(path).raw == name
    except OSError:  # a rotten sector
        return False


def _failures(path: Path, frame: PackFrame) -> list[tuple[str, list[ObjectKey]]]:
    """What is wrong with a frame, and the objects concerned."""
    keys = list(frame.objects())
    try:
        plain = read_frame(path, frame.offset, frame.stored, frame.plain)
    except DamagedError as fault:
        return [(str(fault), keys)]
    where = f"pack {path.name}, byte {frame.offset}"
    return [(f"{where}: {key} has other content", [key]) for key in damaged(plain, keys)]
