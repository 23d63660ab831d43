"""Taking part of a store elsewhere: what some blobs need beyond others, and packs of just that."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import GIB
from airstore.core.progress import Advance
from airstore.store.directory import BlobStore
from airstore.store.format.frames import compress, decompress
from airstore.store.format.objects import ObjectKey, ObjectKind, damaged
from airstore.store.format.pack import frame_entry, read_at
from airstore.store.format.packwriter import Frame, pack_writer
from airstore.store.ingest.sink import WORKERS, FrameSink
from airstore.store.read.reader import ObjectReader
from airstore.store.read.rows import Location
from airstore.store.read.sqlite import KeySet, batches

_KEY = struct.Struct("<BI32s")
_FEW = 100_000  # objects whose digests are held in memory
_PLACED = struct.Struct("<IBI32s")  # an object and where it starts in its frame


@frozen
class Selection:
    """Objects to take along, recipes included.

    Attributes:
        packed: the objects in the order of the blobs' bytes, 37 bytes each; see `objects`.
        plain_bytes: their plain bytes.
        stored_bytes: about how many bytes of packs they will take.
    """

    packed: bytes
    plain_bytes: int
    stored_bytes: int

    def objects(self) -> Iterator[ObjectKey]:
        """The objects."""
        return (
            ObjectKey(ObjectKind(kind), digest, size) for kind, size, digest in _KEY.iter_unpack(self.packed)
        )

    def __len__(self) -> int:
        return len(self.packed) // _KEY.size


@frozen
class PackFile:
    """A pack that was written: its name is ``<hex>.pack``, from the SHA-256 of the whole file."""

    digest: Digest
    size: int


def select(store: BlobStore, blobs: Iterable[Digest], base: Iterable[Digest] = ()) -> Selection:
    """What ``blobs`` need beyond what the ``base`` blobs consist of already; their order does not matter.

    Raises:
        NotFoundError: the store lacks one of the blobs, or of the base.
        DamagedError: a recipe is damaged, or an object is missing.
    """
    reader = store.reader()
    wanted = sorted(set(blobs))  # the caller may hold them in a set, which has no order
    packed = bytearray()
    plain = stored = 0
    with closing(KeySet()) as known:
        for keys in batches(_all_reachable(reader, _overlapping(reader, wanted, list(base)))):
            known.add_all([_name(key) for key in keys])
        for keys in batches(_all_reachable(reader, wanted)):
            new = known.add_all([_name(key) for key in keys])
            lacking = [key for key in dict.fromkeys(keys) if _name(key) in new]
            for key, place in _places(store, lacking):
                packed += _KEY.pack(key.kind, key.size, key.digest)
                plain += key.size
                stored += -(-place.stored * key.size // place.plain) + _KEY.size
    return Selection(bytes(packed), plain, stored)


def write_packs(
    store: BlobStore, selection: Selection, directory: Path, advance: Advance, *, max_size: int = GIB
) -> list[PackFile]:
    """Write the selected objects to packs; the same store and selection give the same bytes.

    Frames of which every object is wanted are copied as they are, after reading them back; of other frames
    only the wanted objects are taken.

    Args:
        store: where the objects are.
        selection: made by `select` from the same store.
        directory: where the packs go.
        advance: called with every count of plain bytes, up to ``selection.plain_bytes``.
        max_size: bytes of one pack; only a single frame may exceed it.

    Raises:
        DamagedError: an object has no good copy; nothing was published.
        StorageError: the disk is full or failed; nothing was published.
    """
    with (
        ThreadPoolExecutor(WORKERS, thread_name_prefix="airstore-store") as pool,
        pack_writer(directory, store.disk, max_size) as packs,
    ):
        sink = FrameSink(pool, packs)
        try:
            for wanted in _by_frame(store, selection):
                _take(store, wanted, sink)
                advance(wanted.plain)
            sink.finish()
        finally:
            sink.cancel()
        packs.publish(directory)
        return [PackFile(Digest.from_raw(pack.name), pack.size) for pack in packs.sealed]


def chosen(keys: Iterable[ObjectKey]) -> Selection:
    """A selection of just these objects."""
    packed, plain = bytearray(), 0
    for key in keys:
        packed += _KEY.pack(key.kind, key.size, key.digest)
        plain += key.size
    return Selection(bytes(packed), plain, 0)


class _Wanted(NamedTuple):
    """The wanted objects of one frame, in the order of its bytes."""

    place: Location
    keys: tuple[ObjectKey, ...]

    @property
    def plain(self) -> int:
        return sum(key.size for key in self.keys)


def _by_frame(store: BlobStore, selection: Selection) -> Iterator[_Wanted]:
    """Frames in the order in which the selection first needs them."""
    places: dict[int, tuple[Location, bytearray]] = {}
    for keys in batches(selection.objects()):
        for key, place in _places(store, keys):
            _, objects = places.setdefault(place.frame, (place, bytearray()))
            objects += _PLACED.pack(place.offset, key.kind, key.size, key.digest)
    for place, objects in places.values():
        ordered = sorted(_PLACED.iter_unpack(objects))
        yield _Wanted(place, tuple(ObjectKey(ObjectKind(kind), raw, size) for _, kind, size, raw in ordered))


def _take(store: BlobStore, wanted: _Wanted, sink: FrameSink) -> None:
    reader = store.reader()
    if len(wanted.keys) == wanted.place.objects:
        sink.add_frame(lambda: _whole_frame(store, wanted, reader))
        return
    for key in wanted.keys:
        sink.add(key, reader.object(key))


def _whole_frame(store: BlobStore, wanted: _Wanted, reader: ObjectReader) -> Frame:
    """The frame as it is stored; if this copy is damaged, rebuilt from other copies of its objects."""
    place, keys = wanted
    entries = b"".join(map(frame_entry, keys))
    try:
        stored = _stored(store, place)
        whole = sum(key.size for key in keys) == place.plain
        if whole and not damaged(decompress(stored, place.plain), keys):
            return Frame(keys[0].kind, stored, place.plain, entries)
    except DamagedError:
        pass  # object() below names the fault, unless another copy is good
    return Frame(keys[0].kind, compress(b"".join(map(reader.object, keys))), place.plain, entries)


def _stored(store: BlobStore, place: Location) -> bytes:
    if place.pack in store.partial:
        return store.partial.stored(place)
    return read_at(store.layout.pack(place.pack), place.frame_offset, place.stored)


def _reachable(reader: ObjectReader, digest: Digest) -> Iterator[ObjectKey]:
    """Every object that a blob needs, its recipe last; opened where it can be."""
    root, recipe = reader.root(digest, opened=True)
    for step in reader.steps(recipe):
        if isinstance(step, ObjectKey):
            yield step
    if recipe.opened:
        yield from recipe.opened.side
    yield from recipe.parts
    yield root


def _overlapping(
    reader: ObjectReader, blobs: Collection[Digest], base: Collection[Digest]
) -> Collection[Digest]:
    """Those of the base blobs that have an object of some blobs; all, where these have many."""
    wanted = {key.digest for key in islice(_all_reachable(reader, blobs), _FEW)} if base else set()
    return base if len(wanted) == _FEW else [digest for digest in base if reader.mentions(digest, wanted)]


def _all_reachable(reader: ObjectReader, blobs: Iterable[Digest]) -> Iterator[ObjectKey]:
    return chain.from_iterable(_reachable(reader, digest) for digest in blobs)


def _places(store: BlobStore, keys: Sequence[ObjectKey]) -> Iterator[tuple[ObjectKey, Location]]:
    """Each of some objects and its newest copy, in their order."""
    found = store.index.locate_all(keys)
    for key in keys:
        if not found[key]:
            raise DamagedError(
                f"{key} is missing from the store", hint="fetch it again from media or registry"
            )
        yield key, found[key][0]


def _name(key: ObjectKey) -> bytes:
    return bytes([key.kind]) + key.digest
