"""Writing packs: frames are appended to a temporary file, which gets its name when it is complete."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from airstore.core.durable import Disk, DurableFile, SyncBehind, storage_errors, temporary_file
from airstore.core.limits import MIB
from airstore.store.format.objects import ObjectKind
from airstore.store.format.pack import HEADER, TRAILER_SIZE, PackFrame, index_entry, trailer

PACK_SIZE = 512 * MIB  # bytes; a new pack is begun at this size
_INDEX_SIZE = 12 * MIB  # bytes of a pack's own index, held in memory until its end


class Frame(NamedTuple):
    """A finished frame, ready to be appended to a pack; ``entries`` are its objects, packed."""

    kind: ObjectKind
    stored: bytes
    plain: int
    entries: bytes


class SealedPack(NamedTuple):
    """A whole pack, durable under a temporary name. ``name`` is the SHA-256 of its bytes."""

    temporary: Path
    name: bytes
    size: int

    @property
    def file_name(self) -> str:
        """The name it is published under."""
        return pack_name(self.name)


def pack_name(name: bytes) -> str:
    """The file name of a pack."""
    return f"{name.hex()}.pack"


class PackWriter:
    """Appends frames to packs of bounded size."""

    def __init__(self, directory: Path, disk: Disk, pack_size: int) -> None:
        self.sealed: list[SealedPack] = []
        self.written = 0
        self._directory = directory
        self._disk = disk
        self._pack_size = pack_size
        self._open: _OpenPack | None = None

    def append(self, frame: Frame) -> None:
        """Add a frame, in a new pack if this one would grow beyond its size.

        Raises:
            StorageError: the disk is full or failed.
        """
        if self._open and not self._open.has_room(frame, self._pack_size):
            self.seal()
        if self._open is None:
            self._open = _OpenPack(self._directory, self._disk)
        self._open.append(frame)
        self.written += len(frame.stored)

    def seal(self) -> None:
        """Complete the pack that is being written, if there is one."""
        if self._open:
            sealed = self._open.seal()
            self._open = None
            self.sealed.append(sealed)

    def publish(self, directory: Path) -> None:
        """Give all packs their names, or none.

        Raises:
            StorageError: the disk failed; packs that were not there before are gone again.
        """
        self.seal()
        new: list[Path] = []
        try:
            for pack in self.sealed:
                final = directory / pack.file_name
                if not final.exists():
                    new.append(final)
                with storage_errors(final):
                    self._disk.publish(pack.temporary, final)
        except BaseException:
            for path in new:
                path.unlink(missing_ok=True)
            raise

    def discard(self) -> None:
        """Remove what was written and not published."""
        if self._open:
            self._open.discard()
        for pack in self.sealed:
            pack.temporary.unlink(missing_ok=True)


class _OpenPack:
    def __init__(self, directory: Path, disk: Disk) -> None:
        self._stack = ExitStack()
        self._file: DurableFile = self._stack.enter_context(temporary_file(directory, disk))
        self._hash = hashlib.sha256()
        self._index = bytearray()
        self._count = 0
        self._hasher = ThreadPoolExecutor(1, thread_name_prefix="airstore-hash")
        self._hashing: Future[None] | None = None
        self._sync = SyncBehind(self._file)
        try:
            self._write(HEADER)
        except BaseException:
            self.discard()
            raise

    def has_room(self, frame: Frame, limit: int) -> bool:
        used = self._file.size + len(self._index) + TRAILER_SIZE
        more = len(frame.stored) + len(frame.entries) + 64
        return used + more <= limit and len(self._index) < _INDEX_SIZE

    def append(self, frame: Frame) -> None:
        place = PackFrame(frame.kind, self._file.size, len(frame.stored), frame.plain, frame.entries)
        self._write(frame.stored)
        self._index += index_entry(place)
        self._count += 1
        self._sync.wrote()

    def seal(self) -> SealedPack:
        try:
            self._write(bytes(self._index) + trailer(self._index, self._count))
            self._await_hash()
            self._sync.wait()
            with storage_errors(self._file.path):
                self._file.path.chmod(0o444)
        except BaseException:
            self.discard()
            raise
        self._shut_down()
        self._stack.close()  # syncs; removes the file if that fails
        return SealedPack(self._file.path, self._hash.digest(), self._file.size)

    def discard(self) -> None:
        """Remove the file; without an error under way it is removed by its name."""
        self._shut_down()
        self._stack.__exit__(*sys.exc_info())
        self._file.path.unlink(missing_ok=True)

    def _await_hash(self) -> None:
        """Wait for the hashing under way; only one frame is ever waiting for it."""
        if self._hashing:
            self._hashing.result()

    def _write(self, data: bytes) -> None:
        self._await_hash()
        self._hashing = self._hasher.submit(self._hash.update, data)
        with storage_errors(self._file.path):
            self._file.write(data)

    def _shut_down(self) -> None:
        self._hasher.shutdown()
        self._sync.close()


@contextmanager
def pack_writer(directory: Path, disk: Disk, pack_size: int = PACK_SIZE) -> Iterator[PackWriter]:
    """A `PackWriter` whose temporary files are gone when the block ends, however it ends."""
    writer = PackWriter(directory, disk, pack_size)
    try:
        yield writer
    finally:
        writer.discard()
