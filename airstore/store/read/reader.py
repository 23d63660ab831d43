"""Reading objects and blobs: every byte is checked against its digest before it is handed out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import NamedTuple

from airstore.codec.opening import rebuilt
from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.image.digest import Digest, verified
from airstore.store.format.objects import ObjectKey, ObjectKind, key_of
from airstore.store.format.recipe import Opened, Recipe, Step, decode_root, digests, walk
from airstore.store.read.ranges import cut, joined, slices
from airstore.store.read.rows import BlobRow, Location
from airstore.store.read.shelf import Shelf
from airstore.store.read.sqlite import batches

_CACHED = 6  # frames: a tar alternates between skeleton and bodies, a changed layer between old and new


class Copy(NamedTuple):
    """A copy of an object, and the shelf it is on."""

    number: int
    shelf: Shelf
    location: Location


class ObjectReader:
    """Verified objects from several shelves, the first one first; threads may share it."""

    def __init__(self, shelves: Sequence[Shelf]) -> None:
        self._shelves = tuple(shelves)
        self._frames: OrderedDict[tuple[int, bytes, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def object(self, key: ObjectKey) -> bytes:
        """An object's plain bytes, from the newest good copy.

        Raises:
            DamagedError: no copy is good, or there is none.
        """
        return self._first_good(key, self.copies([key])[key])

    def objects(self, keys: Iterable[ObjectKey]) -> Iterator[bytes]:
        """Plain bytes of some objects, in their order; the index is asked for many of them at once.

        Raises:
            DamagedError: of one of them no copy is good, or there is none.
        """
        for batch in batches(keys):
            copies = self.copies(batch)
            yield from (self._first_good(key, copies[key]) for key in batch)

    def _first_good(self, key: ObjectKey, copies: Sequence[Copy]) -> bytes:
        fault: DamagedError | None = None
        for copy in copies:
            try:
                return self._read(key, copy)
            except DamagedError as damage:
                fault = fault or damage
        moved = [copy for copy in self.copies([key])[key] if copy not in copies]
        if moved:  # a pack was replaced since it was asked where the object lies
            return self._first_good(key, moved)
        if fault is None:
            raise DamagedError(
                f"{key} is missing from the store", hint="fetch it again from media or registry"
            )
        raise DamagedError(f"{key}: {fault}", hint="fetch it again from media or registry") from fault

    def copies(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, list[Copy]]:
        """All copies of some objects, the preferred one first; nothing is read."""
        found: dict[ObjectKey, list[Copy]] = {key: [] for key in keys}
        for number, shelf in enumerate(self._shelves):
            for key, locations in shelf.index.locate_all(keys).items():
                if shelf.partial:  # what lies here first
                    locations.sort(key=shelf.is_far)
                found[key].extend(Copy(number, shelf, location) for location in locations)
        return found

    def good(self, keys: Sequence[ObjectKey]) -> set[ObjectKey]:
        """Those of the objects that can be read; a damaged one counts as absent.

        One that lies only at a remote counts as good: the registry hashed its pack when it took it, and was
        asked for it at every push since.
        """
        found = set()
        for key, copies in self.copies(keys).items():
            with suppress(DamagedError):
                if not any(copy.shelf.is_far(copy.location) for copy in copies[:1]):
                    self._first_good(key, copies)
                found.add(key)
        return found

    def has_all(self, keys: Collection[ObjectKey]) -> bool:
        """Whether for each object a pack that is there claims to hold it; nothing is read."""
        lacking = set(keys)
        for shelf in self._shelves:
            found = shelf.index.locate_all(lacking)
            packs = {copy.pack for copies in found.values() for copy in copies}
            there = {pack for pack in packs if shelf.path_of(pack).exists()}
            lacking -= {key for key, copies in found.items() if any(copy.pack in there for copy in copies)}
        return not lacking

    def recipe(self, digest: Digest) -> Recipe:
        """The recipe that `root` finds."""
        return self.root(digest)[1]

    def root(self, digest: Digest, *, opened: bool = False) -> tuple[ObjectKey, Recipe]:
        """The preferred readable recipe of a blob, and the object it is kept in.

        Args:
            digest: of the blob.
            opened: prefer the recipe that opens the blob to one that has it whole, which is read faster.

        Raises:
            NotFoundError: there is none.
            DamagedError: none can be read.
        """
        fault: DamagedError | None = None
        for shelf in self._shelves:
            readable = []
            for row in shelf.index.blob(digest):
                try:
                    readable.append((row.recipe, self._decode(row)))
                except DamagedError as damage:
                    fault = fault or damage
            if readable:
                return min(readable, key=lambda found: (found[1].opened is None) == opened)
        if fault is None:
            raise NotFoundError(f"blob {digest} is not in the store")
        raise fault

    def roots(self, digest: Digest) -> Iterator[tuple[ObjectKey, Recipe]]:
        """Every readable recipe of a blob, and the object it is kept in."""
        for shelf in self._shelves:
            for row in shelf.index.blob(digest):
                with suppress(DamagedError):
                    yield row.recipe, self._decode(row)

    def blob(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """A blob's bytes from ``start`` up to ``stop``; the whole is checked against its digest as well.

        Raises:
            NotFoundError: there is no recipe for it; at once.
            DamagedError: it cannot be rebuilt; possibly after bytes have been handed out.
        """
        recipe = self.recipe(digest)
        end = recipe.size if stop is None else min(stop, recipe.size)
        if recipe.opened:  # a range is vouched for by the digest of the whole alone
            return cut(verified(self._rebuilt(recipe), digest, recipe.size), start, end)
        pieces = joined(self._pieces(recipe, start, end))
        if start == 0 and end == recipe.size:
            return verified(pieces, digest, recipe.size)
        return pieces

    def plain(self, digest: Digest) -> Iterator[bytes]:
        """What an opened blob holds, without its compression; of one that is whole, its bytes.

        Raises:
            NotFoundError: there is no recipe for it; at once.
            DamagedError: an object has no good copy; possibly after bytes have been handed out.
        """
        recipe = self.root(digest, opened=True)[1]
        return joined(self._pieces(recipe, 0, recipe.opened.plain_size if recipe.opened else recipe.size))

    def _rebuilt(self, recipe: Recipe) -> Iterator[bytes]:
        if recipe.opened is None:
            raise ValueError("only an opened blob is rebuilt")
        plain = joined(self._pieces(recipe, 0, recipe.opened.plain_size))
        return rebuilt(plain, self._side(recipe.opened))

    def _side(self, opened: Opened) -> Iterator[bytes]:
        return map(self.object, opened.side)

    def steps(self, recipe: Recipe) -> Iterator[Step]:
        """The steps of a recipe, see `walk`."""
        return walk(recipe, self.object)

    def mentions(self, digest: Digest, wanted: AbstractSet[bytes]) -> bool:
        """Whether the recipe that opens a blob names one of some objects.

        Args:
            digest: of the blob.
            wanted: digests of objects.

        Raises:
            NotFoundError: there is no recipe for it.
            DamagedError: none can be read.
        """
        recipe = self.root(digest, opened=True)[1]
        if recipe.opened and any(key.digest in wanted for key in recipe.opened.side):
            return True
        parts = map(self.object, recipe.parts) if recipe.parts else (recipe.steps,)
        return any(not wanted.isdisjoint(digests(part)) for part in parts)

    def _decode(self, row: BlobRow) -> Recipe:
        recipe = decode_root(self.object(row.recipe))
        if (recipe.blob.raw, recipe.size) != (row.digest, row.size):
            raise DamagedError(f"{row.recipe} rebuilds another blob than the index says")
        return recipe

    def _pieces(self, recipe: Recipe, start: int, end: int) -> Iterator[bytes]:
        """The bytes of a range; objects outside of it are not read."""
        skeleton: tuple[ObjectKey, bytes] | None = None  # many slices are of the same one
        for portion in batches(slices(self.steps(recipe), start, end, recipe.steps_size)):
            copies = self.copies([key for key, _, _ in portion])
            for key, first, last in portion:
                kept = skeleton[1] if skeleton and skeleton[0] == key else None
                data = self._first_good(key, copies[key]) if kept is None else kept
                if key.kind is ObjectKind.SKELETON:
                    skeleton = key, data
                yield data[first:last]

    def _read(self, key: ObjectKey, copy: Copy) -> bytes:
        shelf, location = copy.shelf, copy.location
        plain = self._frame(copy)
        data = plain[location.offset : location.offset + location.size]
        if key_of(key.kind, data) != key:
            name = shelf.path_of(location.pack).name
            raise DamagedError(f"pack {name}, byte {location.frame_offset}: other content")
        return data

    def _frame(self, copy: Copy) -> bytes:
        location = copy.location
        # By its place: an index gives the number of a frame that is gone to another one.
        mark = (copy.number, location.pack, location.frame_offset)
        with self._lock:
            if mark in self._frames:
                self._frames.move_to_end(mark)
                return self._frames[mark]
        plain = copy.shelf.frame(location)
        with self._lock:
            self._frames[mark] = plain
            while len(self._frames) > _CACHED:
                self._frames.popitem(last=False)
        return plain
