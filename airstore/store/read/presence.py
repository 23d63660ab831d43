"""What a store has in good condition, found out with as little reading as that takes.

A pack is named by the digest of its bytes, and each frame of it was read back when it was made: what still
has its name holds all that it lists. To hash it takes a fraction of the time of reading the objects in it,
so that this is done once some of it was asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain

from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.store.format.objects import ObjectKey
from airstore.store.format.pack import read_pack
from airstore.store.read.reader import Copy, ObjectReader
from airstore.store.read.shelf import Shelf
from airstore.store.read.sqlite import batches

_SOME = 8  # part of a pack that is read object by object before the whole of it is hashed


class Presence:
    """What one command has found out about a store; nothing of it outlives the command. Threads may share it.

    Args:
        reader: of the store.
    """

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader
        self._left: dict[bytes, int] = {}  # bytes of each pack that are read before it is hashed
        self._whole: dict[bytes, bool] = {}  # whether one that was hashed is what its name says
        self._lock = threading.Lock()

    def size(self, digest: Digest) -> int | None:
        """Bytes of a blob if all that it is rebuilt from reads back; opened blobs are not compressed again.

        What an opened blob is rebuilt from was proven when it was recorded.

        Raises:
            NotFoundError: there is no recipe for it.
        """
        try:
            recipe = self._reader.recipe(digest)
            side = recipe.opened.side if recipe.opened else ()
            needed = (s for s in chain(side, self._reader.steps(recipe)) if isinstance(s, ObjectKey))
            good = all(self.good(batch).issuperset(batch) for batch in batches(needed))
        except DamagedError:
            return None
        return recipe.size if good else None

    def good(self, keys: Sequence[ObjectKey]) -> set[ObjectKey]:
        """Those of the objects that can be read; a damaged one counts as absent, see `ObjectReader.good`."""
        found = {key: copies[0] for key, copies in self._reader.copies(keys).items() if copies}
        known = {key for key, copy in found.items() if self._is_whole(copy)}
        rest = found.keys() - known
        return known | self._reader.good(list(rest)) if rest else known

    def _is_whole(self, copy: Copy) -> bool:
        """Whether a copy lies in a pack that is known to be what its name says."""
        place, shelf = copy.location, copy.shelf
        with self._lock:
            if place.pack not in self._whole:
                left = self._left.get(place.pack)
                left = _size(shelf, place.pack) // _SOME if left is None else left
                self._left[place.pack] = left = left - place.stored * place.size // place.plain
                if left < 0:
                    self._whole[place.pack] = _is_pack(shelf, place.pack)
            return self._whole.get(place.pack, False)


def _size(shelf: Shelf, pack: bytes) -> int:
    with suppress(OSError):
        return shelf.path_of(pack).stat().st_size
    return 0


def _is_pack(shelf: Shelf, pack: bytes) -> bool:
    """Whether a pack is there with all its bytes, and the index says of it what it says itself."""
    path = shelf.path_of(pack)
    with suppress(OSError, DamagedError):  # who reads it next says what is wrong
        return Digest.of_file(path).raw == pack and shelf.index.agrees(pack, read_pack(path))
    return False
