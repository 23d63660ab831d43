"""The bytes of a pack file: header, frames, index, trailer. Byte tables in docs/formats-store.md.

The parser believes nothing: every count and length is bounded before anything of that size is read, offsets
are not stated but follow from the lengths, and every byte of the file must be accounted for.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from airstore.core.errors import DamagedError, StorageError
from airstore.core.limits import GIB, LIMITS, MIB
from airstore.store.format import frames
from airstore.store.format.objects import ObjectKey, ObjectKind

HEADER = b"AIRPACK\x01"
MAX_PACK = 4 * GIB  # bytes
MAX_INDEX = 32 * MIB  # bytes; writers start a new pack long before
_TRAILER_MAGIC = b"AIRPACKE"
_TRAILER = struct.Struct("<II32s8s")
_FRAME = struct.Struct("<BIII")
_ENTRY = struct.Struct("<I32s")
_KINDS = {int(kind): kind for kind in ObjectKind}
TRAILER_SIZE = _TRAILER.size
ENTRY_SIZE = _ENTRY.size  # bytes that an object takes in a pack's own index


class PackFrame(NamedTuple):
    """One frame as the pack's own index has it.

    Attributes:
        kind: of all its objects.
        offset: where it starts in the file.
        stored: bytes in the file.
        plain: bytes after decompression.
        entries: its objects in order, packed; see `objects`.
    """

    kind: ObjectKind
    offset: int
    stored: int
    plain: int
    entries: bytes

    def objects(self) -> Iterator[ObjectKey]:
        """Its objects, in the order of their bytes."""
        return (ObjectKey(self.kind, digest, size) for size, digest in _ENTRY.iter_unpack(self.entries))


def frame_entry(key: ObjectKey) -> bytes:
    """An object in a frame's list."""
    return _ENTRY.pack(key.size, key.digest)


def index_entry(frame: PackFrame) -> bytes:
    """A frame in the pack's index, with its objects."""
    count = len(frame.entries) // _ENTRY.size
    return _FRAME.pack(frame.kind, count, frame.stored, frame.plain) + frame.entries


def trailer(index: bytes | bytearray, frame_count: int) -> bytes:
    """What follows the index and ends the file."""
    return _TRAILER.pack(len(index), frame_count, hashlib.sha256(index).digest(), _TRAILER_MAGIC)


def read_pack(path: Path) -> list[PackFrame]:
    """The frames of a pack file, from its own index; the frames' bytes are not read.

    Raises:
        DamagedError: missing, or not a whole pack.
        StorageError: the disk failed.
    """
    size = file_size(path)
    shortest = len(HEADER) + TRAILER_SIZE
    if not shortest <= size <= MAX_PACK or read_at(path, 0, len(HEADER)) != HEADER:
        raise DamagedError(f"{path.name} is not a pack, or was cut short")
    end_of_file = read_at(path, size - TRAILER_SIZE, TRAILER_SIZE)
    index_at, index_size = index_bounds(end_of_file, size, path.name)
    _, count, digest, _ = _TRAILER.unpack(end_of_file)
    index = read_at(path, index_at, index_size)
    if hashlib.sha256(index).digest() != digest:
        raise DamagedError(f"pack {path.name} has a damaged index")
    found = list(_frames(index, path.name))
    end = found[-1].offset + found[-1].stored if found else len(HEADER)
    if len(found) != count or end != index_at:
        raise DamagedError(f"pack {path.name} has an index that does not cover its frames")
    return found


def index_bounds(end: bytes, size: int, name: str) -> tuple[int, int]:
    """Where the index of a pack begins, and its bytes.

    Args:
        end: the last `TRAILER_SIZE` bytes of the pack.
        size: of the pack.
        name: for errors.

    Raises:
        DamagedError: this is not the end of a pack.
    """
    index_size, _, _, magic = _TRAILER.unpack(end)
    index_at: int = size - TRAILER_SIZE - index_size
    if magic != _TRAILER_MAGIC or index_size > MAX_INDEX or index_at < len(HEADER):
        raise DamagedError(f"pack {name} has a damaged end")
    return index_at, index_size


def read_frame(path: Path, offset: int, stored: int, plain: int) -> bytes:
    """The plain bytes of the frame at a place in a pack.

    Raises:
        DamagedError: the pack is missing or cut, or the frame is damaged.
        StorageError: the disk failed.
    """
    try:
        return frames.decompress(read_at(path, offset, stored), plain)
    except DamagedError as fault:
        raise DamagedError(f"pack {path.name}, byte {offset}: {fault}") from fault


def read_at(path: Path, offset: int, count: int) -> bytes:
    """Exactly ``count`` bytes of a file.

    Raises:
        DamagedError: the file is missing or ends before.
        StorageError: the disk failed.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(handle, count, offset)
        finally:
            os.close(handle)
    except FileNotFoundError as fault:
        raise DamagedError(f"pack {path.name} is missing") from fault
    except OSError as fault:
        if fault.errno == errno.EIO:  # how a rotten sector shows: another copy may be good
            raise DamagedError(f"pack {path.name} cannot be read: {fault.strerror}") from fault
        raise StorageError(f"cannot read {path}: {fault.strerror}") from fault
    if len(data) != count:
        raise DamagedError(f"pack {path.name} was cut short")
    return data


def file_size(path: Path) -> int:
    """Bytes of a pack file.

    Raises:
        DamagedError: it is missing.
        StorageError: the disk failed.
    """
    try:
        return path.stat().st_size
    except FileNotFoundError as fault:
        raise DamagedError(f"pack {path.name} is missing") from fault
    except OSError as fault:
        raise StorageError(f"cannot read {path}: {fault.strerror}") from fault


def _frames(index: bytes, name: str) -> Iterator[PackFrame]:
    at, offset = 0, len(HEADER)
    while at < len(index):
        if at + _FRAME.size > len(index):
            raise DamagedError(f"pack {name} has an index that ends within a frame")
        code, count, stored, plain = _FRAME.unpack_from(index, at)
        at += _FRAME.size
        entries = index[at : at + count * _ENTRY.size]
        at += len(entries)
        kind = _KINDS.get(code)
        if kind is None or not _plausible(count, stored, plain, entries):
            raise DamagedError(f"pack {name} has an implausible frame at byte {offset}")
        yield PackFrame(kind, offset, stored, plain, entries)
        offset += stored


def _plausible(count: int, stored: int, plain: int, entries: bytes) -> bool:
    if not count or len(entries) != count * _ENTRY.size or not 0 < plain <= LIMITS.frame_size:
        return False
    if not 0 < stored <= plain + (plain >> 7) + 512:  # zstd grows no input by more
        return False
    sizes: list[int] = [size for size, _ in _ENTRY.iter_unpack(entries)]
    return sum(sizes) == plain and min(sizes) > 0 and max(sizes) <= LIMITS.object_size
