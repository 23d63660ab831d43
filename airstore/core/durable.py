"""Durable files: temporary name, write, fsync, rename, fsync the directory, read-only.

The order is restic's local backend. After a failed fsync the file is thrown away and never synced
again: a second fsync may report success for pages the kernel dropped (PostgreSQL, fsyncgate 2018).
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from airstore.core.errors import LockedError, StorageError
from airstore.core.limits import MIB
from airstore.core.poll import poll

_SYNC_EVERY = 32 * MIB  # bytes written before the device is told to begin with them
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Disk(Protocol):
    """The three operations that make bytes durable; faults are injected by wrapping it."""

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        """Append to an open temporary file."""

    def sync(self, file: BinaryIO) -> None:
        """Force the file's bytes to the device."""

    def publish(self, temporary: Path, final: Path) -> None:
        """Give a synced file its final name, durably; an existing file of that name is replaced."""


class LocalDisk:
    """The real `Disk`."""

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        """See `Disk`."""
        file.write(data)

    def sync(self, file: BinaryIO) -> None:
        """See `Disk`."""
        file.flush()
        os.fsync(file.fileno())

    def publish(self, temporary: Path, final: Path) -> None:
        """See `Disk`."""
        make_directory(final.parent)
        temporary.replace(final)
        sync_directory(final.parent)


LOCAL_DISK = LocalDisk()


class DurableFile:
    """A file being written under a temporary name; `durable_file` gives it its final one."""

    def __init__(self, file: BinaryIO, path: Path, disk: Disk) -> None:
        self.path = path
        self.size = 0
        self._file = file
        self._disk = disk

    def write(self, data: bytes | memoryview) -> None:
        """Append.

        Raises:
            StorageError: the disk is full or failed.
        """
        with storage_errors(self.path.parent):
            self._disk.write(self._file, data)
        self.size += len(data)

    def sync(self) -> None:
        """Force what has been written so far to the device, so that the last sync has little left to do.

        Raises:
            StorageError: the disk failed; the file must be thrown away.
        """
        with storage_errors(self.path.parent):
            self._disk.sync(self._file)

    def tell(self) -> int:
        """Bytes written so far."""
        return self.size


class SyncBehind:
    """Has the device begin with a file while it is written: on a slow one this halves the time."""

    def __init__(self, file: DurableFile) -> None:
        self._file = file
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="airstore-sync")
        self._under_way: Future[None] | None = None
        self._synced = 0

    def write(self, data: bytes) -> None:
        """Append to the file, and see `wrote`.

        Raises:
            StorageError: the disk is full or failed; the file must be thrown away.
        """
        self._file.write(data)
        self.wrote()

    def wrote(self) -> None:
        """Begin another sync where enough was written since the last one, and that has ended.

        Raises:
            StorageError: the last one failed; the file must be thrown away.
        """
        if self._file.size < self._synced + _SYNC_EVERY or (self._under_way and not self._under_way.done()):
            return
        self.wait()
        self._synced = self._file.size
        self._under_way = self._pool.submit(self._file.sync)

    def wait(self) -> None:
        """Wait for the sync under way; its failure is the file's: another sync might not repeat it.

        Raises:
            StorageError: it failed; the file must be thrown away.
        """
        if self._under_way:
            self._under_way.result()

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if kind is None:
            self.wait()


@contextmanager
def temporary_file(directory: Path, disk: Disk = LOCAL_DISK) -> Iterator[DurableFile]:
    """A file that is synced when the block ends well and removed when it does not.

    The caller gives it its name with ``disk.publish``.

    Raises:
        StorageError: the disk is full or failed.
    """
    with storage_errors(directory):
        make_directory(directory)
        handle, name = tempfile.mkstemp(prefix=".tmp-", dir=directory)
    path, file = Path(name), os.fdopen(handle, "wb")
    try:
        yield DurableFile(file, path, disk)
        with storage_errors(directory):
            disk.sync(file)
            file.close()
    except BaseException:
        with suppress(OSError):  # closing writes what is still buffered, and fails again on a full disk
            file.close()
        path.unlink(missing_ok=True)
        raise


@contextmanager
def durable_file(final: Path, *, mode: int = 0o444, disk: Disk = LOCAL_DISK) -> Iterator[DurableFile]:
    """Write a whole file that appears under its name, complete and durable, or not at all.

    Raises:
        StorageError: the disk is full or failed; nothing of the file is left.
    """
    with temporary_file(final.parent, disk) as file:
        yield file
        with storage_errors(final):
            file.path.chmod(mode)
    try:
        with storage_errors(final):
            disk.publish(file.path, final)
    except BaseException:
        file.path.unlink(missing_ok=True)
        raise


def write_file(final: Path, data: bytes, *, mode: int = 0o444, disk: Disk = LOCAL_DISK) -> None:
    """`durable_file` for bytes in memory."""
    with durable_file(final, mode=mode, disk=disk) as file:
        file.write(data)


def make_directory(path: Path) -> None:
    """Make a directory and its missing parents, durably."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable; file systems that cannot are taken at their word."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as fault:
        if fault.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)


@contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Turn the operating system's errors about the disk into `StorageError`."""
    try:
        yield
    except OSError as fault:
        reason = os.strerror(fault.errno) if fault.errno else str(fault)
        hint = "free some space and run the same command again" if fault.errno in _FULL else ""
        raise StorageError(f"cannot write {fault.filename or where}: {reason}", hint=hint) from fault


@contextmanager
def exclusive_lock(path: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock file for the length of the block; the kernel drops it when the process dies.

    Args:
        path: the lock file.
        wait: seconds to wait for another process that holds it.

    Raises:
        LockedError: another process holds it.
    """
    with storage_errors(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(handle, wait)
    except BlockingIOError as fault:
        os.close(handle)
        raise LockedError(
            f"another airstore process is changing {path.parent}", hint="wait for it to end, then try again"
        ) from fault
    except OSError as fault:  # a network file system without locks
        os.close(handle)
        raise StorageError(f"cannot lock {path}: {fault.strerror}") from fault
    try:
        yield
    finally:
        with suppress(OSError):
            os.close(handle)


def _lock(handle: int, wait: float) -> None:
    for last in poll(wait, 0.1):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if last:
                raise
        else:
            return
