"""Packs that a remote has: brought here as a whole, or only their indexes and recipes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.limits import KIB
from airstore.core.progress import Advance
from airstore.store.directory import BlobStore
from airstore.store.exchange.export import PackFile
from airstore.store.format.objects import ObjectKey, ObjectKind
from airstore.store.format.pack import HEADER, MAX_PACK, TRAILER_SIZE, index_bounds, read_pack
from airstore.store.read.catalog import published_file
from airstore.store.read.partial import FarPacks, write_at

_SMALL = 256 * KIB  # bytes; a pack of at most this is brought as a whole, of larger ones so much of the end
_GAP = 64 * KIB  # bytes between two frames that are rather read as well than asked for twice
_EAGER = frozenset({ObjectKind.RECIPE, ObjectKind.PART})  # what says how blobs are rebuilt


def bring_outline(store: BlobStore, pack: PackFile, far: FarPacks, advance: Advance) -> None:
    """Bring a pack's index and recipes; they are not visible before `BlobStore.enter`.

    Args:
        store: nobody else adds packs to it meanwhile.
        pack: which one.
        far: has the whole.
        advance: called with every count of bytes that came.

    Raises:
        DamagedError: it is no pack.
        IncompleteError: the remote lacks it.
        TransferError: the remote refused or broke off.
        StorageError: the disk is full or failed.
    """
    _check_size(pack)
    if pack.size <= _SMALL:
        bring_whole(store, pack, [far.read(pack.digest.raw, 0, pack.size)], advance)
        return
    final = store.layout.partial(pack.digest.raw)
    with published_file(store.layout.temporary, final, store.disk) as file:
        with storage_errors(file.path):
            file.path.chmod(0o644)
        _outline(file.path, pack, far, advance)
    store.partial.names.add(pack.digest.raw)


def bring_whole(store: BlobStore, pack: PackFile, chunks: Iterable[bytes], advance: Advance) -> None:
    """Bring all of a pack, in place of what was here of it.

    Args:
        store: nobody else adds packs to it meanwhile.
        pack: which one.
        chunks: its bytes.
        advance: called with every count of bytes that came.

    Raises:
        DamagedError: the bytes are not those of the pack.
        IncompleteError, TransferError: as ``chunks`` raise.
        StorageError: the disk is full or failed.
    """
    _check_size(pack)
    final, running, size = store.layout.pack(pack.digest.raw), hashlib.sha256(), 0
    with published_file(store.layout.temporary, final, store.disk) as file:
        for chunk in chunks:
            size += len(chunk)
            running.update(chunk)
            file.write(chunk)
            advance(len(chunk))
        if running.digest() != pack.digest.raw or size != pack.size:
            raise DamagedError(f"the remote's pack {final.name} is not what its name says")
        with storage_errors(file.path):
            file.path.chmod(0o444)
    with storage_errors(final):
        store.layout.partial(pack.digest.raw).unlink(missing_ok=True)
    store.partial.names.discard(pack.digest.raw)


def forget_outlines(store: BlobStore, names: Iterable[bytes]) -> None:
    """Let go of packs that are here only in part and that the remote does not name any more.

    Killed in between, it is done by the next call: the index goes first.

    Raises:
        StorageError: the disk failed.
    """
    for name in sorted(set(names) & store.partial.names):
        path = store.layout.partial(name)
        recipes: list[bytes] = []
        with suppress(DamagedError):  # then its recipes stay, and are found wanting where they are used
            recipes = [key.digest for key in _recipes(path) if _only_in(store, key, name)]
        store.index.replace(name, recipes, [])
        with storage_errors(path):
            path.unlink(missing_ok=True)
        store.partial.names.discard(name)


def _recipes(path: Path) -> Iterator[ObjectKey]:
    for frame in read_pack(path):
        if frame.kind is ObjectKind.RECIPE:
            yield from frame.objects()


def _only_in(store: BlobStore, key: ObjectKey, pack: bytes) -> bool:
    return all(place.pack == pack for place in store.index.locate(key))


def _check_size(pack: PackFile) -> None:
    if not len(HEADER) + TRAILER_SIZE <= pack.size <= MAX_PACK:
        raise DamagedError(f"the remote's pack {pack.digest.hex}.pack cannot have {pack.size} bytes")


def _outline(path: Path, pack: PackFile, far: FarPacks, advance: Advance) -> None:
    """Lay out a sparse file and fill in the header, the end, the index and the frames with recipes."""
    name = pack.digest.raw

    def take(start: int, stop: int) -> bytes:
        data = far.read(name, start, stop)
        write_at(path, start, data)
        advance(len(data))
        return data

    with storage_errors(path), path.open("r+b") as file:
        file.truncate(pack.size)
    write_at(path, 0, HEADER)
    begun = pack.size - _SMALL
    start, _ = index_bounds(take(begun, pack.size)[-TRAILER_SIZE:], pack.size, f"{pack.digest.hex}.pack")
    if start < begun:
        take(start, begun)
    frames = [frame for frame in read_pack(path) if frame.kind in _EAGER]
    for first, last in _runs((frame.offset, frame.offset + frame.stored) for frame in frames):
        take(first, last)


def _runs(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Ranges in order, those that are near each other as one."""
    current: tuple[int, int] | None = None
    for start, stop in ranges:
        if current and start - current[1] <= _GAP:
            current = current[0], stop
            continue
        if current:
            yield current
        current = start, stop
    if current:
        yield current


def pack_file(name: bytes, size: int) -> PackFile:
    """A pack by its raw name, as the store's index has it."""
    return PackFile(Digest.from_raw(name), size)
