"""Packs of which a registry has the whole, and the store so far only a part.

``packs/<sha256>.partial`` is a sparse file of the pack's size: its index, its recipes and whatever was read
since lie where they lie in the pack, the rest are holes. A hole is filled when somebody reads there. What is
in the file is believed no more than the registry is: every object is compared with its digest when read.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError, IncompleteError
from airstore.store.format import frames
from airstore.store.format.pack import read_at
from airstore.store.read.rows import Location

_PROBE = 64  # bytes; a frame begins with a magic number, so that many zeros are a hole


class FarPacks(Protocol):
    """Where whole packs are; threads share it."""

    def read(self, pack: bytes, start: int, stop: int) -> bytes:
        """The bytes of a pack from ``start`` up to ``stop``; nothing is verified but their number.

        Args:
            pack: its name, 32 raw bytes.
            start: the first byte.
            stop: the one after the last.

        Raises:
            IncompleteError: it has no such pack.
            TransferError: it refused or broke off.
        """

    def close(self) -> None:
        """Close its connections."""


class PartialPacks:
    """The partial packs of one store.

    Args:
        names: of the packs, raw.
        path_of: the partial file of a pack.
        whole_of: its whole file, which another process may have completed meanwhile.
        far: gives the source, when it is needed; None where no remote is known.
    """

    def __init__(
        self,
        names: Iterable[bytes],
        path_of: Callable[[bytes], Path],
        whole_of: Callable[[bytes], Path],
        far: Callable[[], FarPacks] | None,
    ) -> None:
        self.names = set(names)
        self._path_of, self._whole_of, self._far = path_of, whole_of, far
        self._source: FarPacks | None = None
        self._lock = threading.Lock()

    def __contains__(self, pack: bytes) -> bool:
        return pack in self.names

    def path(self, pack: bytes) -> Path:
        """The file to read: the partial one, unless the whole pack has come since."""
        whole = self._whole_of(pack)
        return whole if whole.exists() else self._path_of(pack)

    def is_far(self, place: Location) -> bool:
        """Whether a frame would have to be fetched."""
        if place.pack not in self.names:
            return False
        path = self.path(place.pack)
        return path.exists() and not any(read_at(path, place.frame_offset, min(place.stored, _PROBE)))

    def stored(self, place: Location) -> bytes:
        """A frame as it lies in the pack, fetched and kept if it is not here in good condition.

        Raises:
            IncompleteError: it is only at a remote, and there is none, or it lost the pack.
            TransferError: the remote refused or broke off.
            StorageError: what was fetched cannot be written.
        """
        path = self.path(place.pack)
        held = read_at(path, place.frame_offset, place.stored)
        if path == self._whole_of(place.pack) or _is_good(held, place.plain):
            return held
        return self._fetched(path, place)

    def frame(self, place: Location) -> bytes:
        """The plain bytes of a frame; raises as `stored`, and DamagedError where the remote's is damaged."""
        try:
            return frames.decompress(self.stored(place), place.plain)
        except DamagedError as fault:
            raise DamagedError(f"pack {place.pack.hex()}, byte {place.frame_offset}: {fault}") from fault

    def close(self) -> None:
        """Let go of the source."""
        if self._source:
            self._source.close()

    def _fetched(self, path: Path, place: Location) -> bytes:
        start = place.frame_offset
        data = self._remote(place.pack).read(place.pack, start, start + place.stored)
        write_at(path, start, data)
        return data

    def _remote(self, pack: bytes) -> FarPacks:
        with self._lock:
            if self._source is None and self._far:
                self._source = self._far()
        if self._source is None:
            raise IncompleteError(
                f"pack {pack.hex()} is only in part here, and no remote is known that has the whole",
                hint="name it: airstore remote add NAME --git URL --objects oci://HOST/REPOSITORY",
            )
        return self._source


def _is_good(stored: bytes, plain: int) -> bool:
    try:
        frames.decompress(stored, plain)
    except DamagedError:
        return False
    return True


def write_at(path: Path, offset: int, data: bytes) -> None:
    """Write into a partial file. Two processes that fill the same hole write the same.

    Raises:
        StorageError: the disk is full or failed.
    """
    with storage_errors(path):
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(handle, data[done:], offset + done)
        finally:
            os.close(handle)
