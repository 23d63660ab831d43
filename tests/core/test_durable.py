import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from airstore.core import durable
from airstore.core.durable import (
    LOCAL_DISK,
    Disk,
    LocalDisk,
    SyncBehind,
    durable_file,
    exclusive_lock,
    make_directory,
    storage_errors,
    sync_directory,
    temporary_file,
    write_file,
)
from airstore.core.errors import LockedError, StorageError


class FaultyDisk:
    """A `Disk` that works until its n-th operation of one kind (from 1), which fails."""

    def __init__(self, kind: str, count: int = 1, code: int = errno.ENOSPC) -> None:
        self._kind, self._left, self._code = kind, count, code
        self.calls: list[str] = []

    def _next(self, kind: str) -> None:
        self.calls.append(kind)
        if kind == self._kind:
            self._left -= 1
            if self._left == 0:
                raise OSError(self._code, os.strerror(self._code))

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        self._next("write")
        LOCAL_DISK.write(file, data)

    def sync(self, file: BinaryIO) -> None:
        self._next("sync")
        LOCAL_DISK.sync(file)

    def publish(self, temporary: Path, final: Path) -> None:
        self._next("publish")
        LOCAL_DISK.publish(temporary, final)


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def write_three(final: Path, disk: Disk) -> None:
    with durable_file(final, disk=disk) as file:
        for part in (b"one", b"two", b"three"):
            file.write(part)


def test_a_file_appears_complete_and_read_only(tmp_path: Path) -> None:
    final = tmp_path / "new" / "directory" / "file"
    with durable_file(final) as file:
        file.write(b"one")
        file.write(memoryview(b"two"))
        assert file.tell() == file.size == 6
        assert not final.exists()
    assert final.read_bytes() == b"onetwo"
    assert final.stat().st_mode & 0o777 == 0o444
    assert names(final.parent) == ["file"]


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    final = tmp_path / "file"
    write_file(final, b"old")
    write_file(final, b"new", mode=0o600)
    assert final.read_bytes() == b"new"
    assert final.stat().st_mode & 0o777 == 0o600


def test_the_order_is_write_sync_publish(tmp_path: Path) -> None:
    disk = FaultyDisk("none")
    write_three(tmp_path / "file", disk)
    assert disk.calls == ["write", "write", "write", "sync", "publish"]


@pytest.mark.parametrize("old", [b"", b"old"])
@pytest.mark.parametrize(
    ("kind", "count"), [("write", 1), ("write", 2), ("write", 3), ("sync", 1), ("publish", 1)]
)
def test_nothing_is_left_of_a_file_that_failed(tmp_path: Path, kind: str, count: int, old: bytes) -> None:
    final = tmp_path / "file"
    if old:
        write_file(final, old)
    disk = FaultyDisk(kind, count)
    with pytest.raises(StorageError, match=r"cannot write .*: No space left on device") as fault:
        write_three(final, disk)
    assert "free some space" in fault.value.hint
    assert names(tmp_path) == (["file"] if old else [])
    assert not old or final.read_bytes() == old
    assert disk.calls.count("sync") <= 1  # a failed sync is never tried again


def test_other_faults_of_the_disk_have_no_hint_about_space(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="Input/output error") as fault:
        write_three(tmp_path / "file", FaultyDisk("sync", code=errno.EIO))
    assert fault.value.hint == ""


@pytest.mark.parametrize("fault", [ValueError("bad"), ConnectionResetError("peer"), KeyboardInterrupt()])
def test_a_fault_of_the_source_stays_what_it_is(tmp_path: Path, fault: BaseException) -> None:
    def source() -> Iterator[bytes]:
        yield b"one"
        raise fault

    def copy() -> None:
        with durable_file(tmp_path / "file") as file:
            for chunk in source():
                file.write(chunk)

    with pytest.raises(type(fault)):
        copy()
    assert names(tmp_path) == []


LIMITED = """
import resource, sys
from pathlib import Path
from airstore.core.durable import write_file
from airstore.core.errors import StorageError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_file(Path(sys.argv[1]) / "file", b"x" * int(sys.argv[2]))
except StorageError as fault:
    print(fault, "|", fault.hint)
"""


@pytest.mark.parametrize("size", [5000, 100_000])  # within the buffer of the file object, and beyond
def test_a_disk_that_is_really_full(tmp_path: Path, size: int) -> None:
    argv = [sys.executable, "-c", LIMITED, str(tmp_path), str(size)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "File too large | free some space" in done.stdout
    assert names(tmp_path) == []


def test_a_temporary_file_is_the_callers_to_publish(tmp_path: Path) -> None:
    with temporary_file(tmp_path) as file:
        file.write(b"x")
    assert file.path.read_bytes() == b"x"
    LocalDisk().publish(file.path, tmp_path / "final")
    assert names(tmp_path) == ["final"]


def test_a_path_that_cannot_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"):
        write_file(tmp_path / "file" / "below", b"x")


def test_directories_are_made_once(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_sync_of_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_directory(tmp_path / "gone")


def test_an_error_without_a_number_keeps_its_text(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=f"cannot write {tmp_path}: odd"), storage_errors(tmp_path):
        raise OSError("odd")


HOLDER = """
import sys
from pathlib import Path
from airstore.core.durable import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_of_another_process_is_seen_and_dies_with_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    argv = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match=f"changing {tmp_path}") as fault, exclusive_lock(lock):
            pytest.fail("both hold the lock")
        assert "try again" in fault.value.hint
        holder.kill()
    with exclusive_lock(lock):
        pass


def test_a_lock_is_released_by_a_fault_too(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), exclusive_lock(tmp_path / "lock"):
        raise ValueError("inside")
    with exclusive_lock(tmp_path / "lock"):
        pass


def test_a_lock_in_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"), exclusive_lock(tmp_path / "gone" / "lock"):
        pass


def test_open_files_do_not_leak(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        for _ in range(300):
            with pytest.raises(StorageError):
                write_three(tmp_path / "file", FaultyDisk("sync"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_file_that_is_synced_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_SYNC_EVERY", 10)
    disk = FaultyDisk("none")
    with durable_file(tmp_path / "f", disk=disk) as file, SyncBehind(file) as behind:
        for _ in range(4):
            behind.write(b"12345")
            behind.wait()
    assert disk.calls == [*["write", "write", "sync"] * 2, "sync", "publish"]
    assert (tmp_path / "f").read_bytes() == b"12345" * 4


def test_a_sync_that_failed_meanwhile_is_the_files_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where nothing is written afterwards: another sync might say that all is well."""
    monkeypatch.setattr(durable, "_SYNC_EVERY", 1)
    disk = FaultyDisk("sync")
    with (
        pytest.raises(StorageError),
        durable_file(tmp_path / "f", disk=disk) as file,
        SyncBehind(file) as one,
    ):
        one.write(b"x")
    assert disk.calls == ["write", "sync"]
    assert names(tmp_path) == []
