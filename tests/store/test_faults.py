"""A disk that fails at the Nth operation: the store stays whole, and the same work done again succeeds."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from airstore.core import durable
from airstore.core.errors import StorageError
from airstore.core.image.digest import Digest
from airstore.store import directory as blobs
from airstore.store.blobs import BlobStore
from airstore.store.upkeep.check import check, rebuild_index
from tests.store.store_support import FaultyDisk, chunked, descriptor, make_tar, noise, put, read, text

OLD = make_tar({"a": noise(40_000, 1), "b": text(9_000, 2)})
NEW = [make_tar({"a": noise(40_000, 1), "c": noise(60_000, seed)}) for seed in range(3, 7)]


def assert_whole(directory: Path) -> None:
    """The store opens, nothing is damaged, old blobs are there, nothing lingers."""
    with BlobStore(directory) as store:
        assert check(store, lambda _count: None) == []
        assert read(store, Digest.of(OLD)) == OLD
        assert list(store.layout.temporary.iterdir()) == []
        assert {path.suffix for path in store.layout.packs.iterdir()} == {".pack"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("operation", ["write", "sync", "publish"])
def test_putting_blobs(tmp_path: Path, operation: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "PACK_SIZE", 70_000)  # several packs
    monkeypatch.setattr(durable, "_SYNC_EVERY", 30_000)  # and syncs before their end
    with BlobStore.create(tmp_path) as store:
        put(store, OLD)
    before = sorted((tmp_path / "packs").iterdir())
    for nth in range(1, 40):
        disk = FaultyDisk(operation, nth, code)
        with BlobStore(tmp_path, disk=disk) as store:
            fault = _fault_of_putting(store)
        if fault is None:
            assert nth > 2
            break
        assert disk.failed
        assert ("free some space" in fault.hint) == (code == errno.ENOSPC)
        assert_whole(tmp_path)
        assert sorted((tmp_path / "packs").iterdir()) == before
        with BlobStore(tmp_path) as store:
            assert all(store.size(Digest.of(blob)) is None for blob in NEW)
    assert_whole(tmp_path)
    with BlobStore(tmp_path) as store:
        assert [read(store, Digest.of(blob)) for blob in NEW] == NEW
        assert len(store.index.packs()) > 2


def _fault_of_putting(store: BlobStore) -> StorageError | None:
    try:
        put(store, *NEW)
    except StorageError as fault:
        return fault
    return None


@pytest.mark.parametrize("operation", ["sync", "publish"])
def test_making_the_index_anew(tmp_path: Path, operation: str) -> None:
    with BlobStore.create(tmp_path) as store:
        put(store, OLD)
    for nth in range(1, 9):
        disk = FaultyDisk(operation, nth)
        with BlobStore(tmp_path, disk=disk) as store:
            try:
                rebuild_index(store)
                break
            except StorageError:
                assert_whole(tmp_path)
    assert nth > 1
    assert_whole(tmp_path)


def test_a_killed_writer_leaves_packs_that_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packs published, index not reached: as after a kill between the two."""
    with BlobStore.create(tmp_path) as store:
        put(store, OLD)

    class Killed(BaseException):
        pass

    def killed(_store: BlobStore, _names: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, BlobStore(tmp_path) as store:
        patched.setattr(BlobStore, "enter", killed)
        with pytest.raises(Killed):
            put(store, *NEW)
    assert_whole(tmp_path)
    with BlobStore(tmp_path) as store:
        assert store.size(Digest.of(NEW[0])) is None
        put(store, *NEW)
        assert len(list(store.layout.packs.iterdir())) == 2, "the same work makes the same packs"
        assert [read(store, Digest.of(blob)) for blob in NEW] == NEW


def test_what_a_killed_writer_left_is_used_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else the next one puts, and beside a pack that nobody can read."""
    with monkeypatch.context() as patched, BlobStore.create(tmp_path) as store:
        patched.setattr(BlobStore, "enter", lambda _store, _names: None)
        put(store, *NEW)
        assert len(store.unindexed()) == 1
    (tmp_path / "packs" / f"{'0' * 64}.pack").write_bytes(b"no pack")
    with BlobStore(tmp_path) as store:
        with store.writer() as writer:
            assert not writer.put(descriptor(NEW[0]), lambda: chunked(NEW[0]))
            assert writer.put(descriptor(OLD), lambda: chunked(OLD))
        assert [path.stem for path in store.unindexed()] == ["0" * 64]
        assert [read(store, Digest.of(blob)) for blob in NEW] == NEW
        assert len(check(store, lambda _count: None)) == 1


def test_an_index_that_cannot_be_written_leaves_the_store_readable(tmp_path: Path) -> None:
    with BlobStore.create(tmp_path) as store:
        put(store, OLD)
        store.index._connection.execute("PRAGMA query_only=1")
        with pytest.raises(StorageError), store.writer() as writer:
            writer.put(descriptor(b"new"), lambda: [b"new"])
        assert store.size(Digest.of(b"new")) is None
    assert_whole(tmp_path)
    with BlobStore(tmp_path) as store:
        put(store, b"new")
        assert read(store, Digest.of(b"new")) == b"new"
