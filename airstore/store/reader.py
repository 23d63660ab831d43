"""Reading objects and blobs: every byte is checked against its digest before it is handed out."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airstore.core.digest import Digest, verified
from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.limits import KIB
from airstore.store.index import BlobRow, Index, Location
from airstore.store.objects import Kind, ObjectKey
from airstore.store.packformat import read_frame
from airstore.store.recipe import Recipe, Step, decode_root, walk

_CHUNK = 256 * KIB  # bytes; smaller steps are joined before they are handed out
_CACHED = 6  # frames: a tar alternates between skeleton and bodies, a changed layer between old and new


@dataclass(frozen=True)
class Shelf:
    """An index and the place of the packs it speaks of.

    Attributes:
        index: where objects lie in packs.
        path_of: the file of a pack, by its raw name.
    """

    index: Index
    path_of: Callable[[bytes], Path]


class ObjectReader:
    """Verified objects from several shelves, the first one first; threads may share it."""

    def __init__(self, shelves: Sequence[Shelf]) -> None:
        self._shelves = tuple(shelves)
        self._frames: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def object(self, key: ObjectKey) -> bytes:
        """An object's plain bytes, from the newest good copy.

        Raises:
            DamagedError: no copy is good, or there is none.
        """
        fault: DamagedError | None = None
        for number, shelf in enumerate(self._shelves):
            for location in shelf.index.locate(key):
                try:
                    return self._copy(number, shelf, key, location)
                except DamagedError as damage:
                    fault = fault or damage
        if fault is None:
            raise DamagedError(
                f"{key} is missing from the store", hint="fetch it again from media or registry"
            )
        raise DamagedError(f"{key}: {fault}", hint="fetch it again from media or registry") from fault

    def holds(self, key: ObjectKey, data: bytes) -> bool:
        """Whether the object can be read and is these bytes."""
        if not any(shelf.index.locate(key) for shelf in self._shelves):
            return False
        try:
            return self.object(key) == data
        except DamagedError:
            return False  # a damaged copy counts as none: the caller writes it anew

    def has(self, key: ObjectKey) -> bool:
        """Whether some pack that is there claims to hold the object; nothing is read."""
        return any(
            shelf.path_of(location.pack).exists()
            for shelf in self._shelves
            for location in shelf.index.locate(key)
        )

    def rows(self, digest: Digest) -> Iterator[BlobRow]:
        """Every known recipe of a blob, the preferred one first."""
        for shelf in self._shelves:
            yield from shelf.index.blob(digest)

    def recipe(self, digest: Digest) -> Recipe:
        """The recipe that `root` finds."""
        return self.root(digest)[1]

    def root(self, digest: Digest) -> tuple[ObjectKey, Recipe]:
        """The preferred readable recipe of a blob, and the object it is kept in.

        Raises:
            NotFoundError: there is none.
            DamagedError: none can be read.
        """
        fault: DamagedError | None = None
        for row in self.rows(digest):
            try:
                return row.recipe, self._decode(row)
            except DamagedError as damage:
                fault = fault or damage
        if fault is None:
            raise NotFoundError(f"blob {digest} is not in the store")
        raise fault

    def blob(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """A blob's bytes from ``start`` up to ``stop``; the whole is checked against its digest as well.

        Raises:
            NotFoundError: there is no recipe for it; at once.
            DamagedError: it cannot be rebuilt; possibly after bytes have been handed out.
        """
        recipe = self.recipe(digest)
        end = recipe.size if stop is None else min(stop, recipe.size)
        pieces = _joined(self._pieces(recipe, start, end))
        if start == 0 and end == recipe.size:
            return verified(pieces, digest, recipe.size)
        return pieces

    def steps(self, recipe: Recipe) -> Iterator[Step]:
        """The steps of a recipe, see `walk`."""
        return walk(recipe, self.object)

    def _decode(self, row: BlobRow) -> Recipe:
        recipe = decode_root(self.object(row.recipe))
        if (recipe.blob.raw, recipe.size) != (row.digest, row.size):
            raise DamagedError(f"{row.recipe} rebuilds another blob than the index says")
        return recipe

    def _pieces(self, recipe: Recipe, start: int, end: int) -> Iterator[bytes]:
        """The bytes of the steps that touch the range; objects outside of it are not read."""
        at = 0
        skeleton = _Skeleton(self)
        for step in self.steps(recipe):
            if isinstance(step, ObjectKey) and step.kind is Kind.SKELETON:
                skeleton.begin(step)
                continue
            size = step if isinstance(step, int) else step.size
            first, last = max(start - at, 0), min(end - at, size)
            if isinstance(step, int):
                place = skeleton.skip(step)
                if first < last:
                    yield skeleton.bytes()[place + first : place + last]
            elif first < last:
                yield self.object(step)[first:last]
            at += size
            if at >= end and end < recipe.size:
                return

    def _copy(self, number: int, shelf: Shelf, key: ObjectKey, location: Location) -> bytes:
        plain = self._frame(number, shelf, location)
        data = plain[location.offset : location.offset + location.size]
        if hashlib.sha256(data).digest() != key.digest:
            name = shelf.path_of(location.pack).name
            raise DamagedError(f"pack {name}, byte {location.frame_offset}: other content")
        return data

    def _frame(self, number: int, shelf: Shelf, location: Location) -> bytes:
        mark = (number, location.frame)
        with self._lock:
            if mark in self._frames:
                self._frames.move_to_end(mark)
                return self._frames[mark]
        path = shelf.path_of(location.pack)
        plain = read_frame(path, location.frame_offset, location.stored, location.plain)
        with self._lock:
            self._frames[mark] = plain
            while len(self._frames) > _CACHED:
                self._frames.popitem(last=False)
        return plain


class _Skeleton:
    """The current skeleton of a recipe, read once and only if some of it is wanted."""

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader
        self._key: ObjectKey | None = None
        self._data = b""
        self._used = 0

    def begin(self, key: ObjectKey) -> None:
        self._key, self._data, self._used = key, b"", 0

    def skip(self, count: int) -> int:
        """Where the next ``count`` bytes start."""
        place = self._used
        self._used += count
        return place

    def bytes(self) -> bytes:
        if self._key is not None:
            self._data, self._key = self._reader.object(self._key), None
        return self._data


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer, larger chunks."""
    waiting: list[bytes] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        if count >= _CHUNK:
            yield b"".join(waiting)
            waiting, count = [], 0
    if waiting:
        yield b"".join(waiting)
