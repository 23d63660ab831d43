"""Stores that older versions wrote, or that hold blobs whole: opened, and the whole ones let go."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airstore.core.errors import AirstoreError, DamagedError, StorageError
from airstore.core.image.digest import Digest
from airstore.store.blobs import (
    BlobStore,
    BlobWriter,
    check,
    drop_whole,
    open_blobs,
    openable,
    opened_and_whole,
    rebuild_index,
)
from airstore.store.read.index import ObjectIndex
from tests.store.store_support import FaultyDisk, descriptor, flip, make_tar, noise, packs_of, put, read, text
from tests.store.test_opened import FIXTURES, UNKNOWN, deflated, ignore

pytestmark = pytest.mark.slow

PLAIN = make_tar({f"f{number:02}": noise(3_000, number) + text(6_000, number) for number in range(40)})
OTHER = make_tar({f"f{number:02}": noise(3_000, number) + text(6_000, number) for number in range(1, 41)})
BLOBS = [deflated(PLAIN), deflated(OTHER), UNKNOWN, noise(100_000, 7), b'{"os": "linux"}', PLAIN]
LAYERS = [Digest.of(BLOBS[0]), Digest.of(BLOBS[1])]
WHOLE = "sha256:9c8e4d6fd3d418462fc4766d2670e594c9b1396239f592110209498a7049083b"


def put_whole(store: BlobStore, *blobs: bytes) -> None:
    """Put blobs as versions without the codec did."""
    with store.writer() as writer:
        for blob in blobs:
            writer._whole(descriptor(blob), iter([blob]))
            writer._sink.end_blob()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore.create(tmp_path / "store") as opened:
        put_whole(opened, *BLOBS)
        yield opened


def optimize(store: BlobStore) -> list[Digest]:
    opened = open_blobs(store, openable(store), ignore)
    drop_whole(store, ignore)
    return opened


def assert_sound(store: BlobStore) -> None:
    assert [read(store, Digest.of(blob)) for blob in BLOBS] == BLOBS
    assert check(store, ignore) == []


def assert_optimized(store: BlobStore) -> None:
    assert_sound(store)
    assert openable(store) == []
    assert opened_and_whole(store) == []
    for digest in LAYERS:
        assert all(recipe.opened for _, recipe in store.reader().roots(digest))
    assert list(store.layout.temporary.iterdir()) == []


def disk_use(store: BlobStore) -> int:
    return sum(path.stat().st_size for path in packs_of(store))


def test_a_store_that_the_first_version_wrote(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "store-whole", tmp_path / "store")
    with BlobStore.create(tmp_path / "store") as store:
        assert check(store, ignore) == []
        blob = b"".join(store.read(Digest(WHOLE)))
        assert Digest.of(blob) == WHOLE
        assert [each.digest for each in openable(store)] == [WHOLE]
        assert optimize(store) == [WHOLE]
        assert b"".join(store.read(Digest(WHOLE))) == blob
        assert check(store, ignore) == []


def test_whole_layers_are_opened_and_let_go(store: BlobStore) -> None:
    before = disk_use(store)
    assert set(optimize(store)) == set(LAYERS)
    assert_optimized(store)
    assert disk_use(store) < before * 0.6, "PLAIN and both layers have their files in common"
    rebuild_index(store)
    assert_optimized(store)


def test_doing_it_again_changes_nothing(store: BlobStore) -> None:
    optimize(store)
    before = packs_of(store)
    assert optimize(store) == []
    assert packs_of(store) == before


def test_what_cannot_be_opened_is_tried_once(store: BlobStore) -> None:
    assert Digest.of(UNKNOWN) in {blob.digest for blob in openable(store)}
    optimize(store)
    assert openable(store) == []
    store.layout.kept_whole.write_bytes(b"not JSON")
    assert [blob.digest for blob in openable(store)] == [Digest.of(UNKNOWN)]


def test_only_those_that_are_asked_for_are_looked_at(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import asks for the bases of a delta, and does not walk the store for them."""
    monkeypatch.setattr(store.index, "blobs", lambda: pytest.fail("walked"))
    held, absent = Digest.of(UNKNOWN), Digest.of(b"absent")
    assert [blob.digest for blob in openable(store, {absent, held})] == [held]


@pytest.mark.parametrize("operation", ["write", "sync", "publish"])
def test_disks_that_fail(tmp_path: Path, operation: str) -> None:
    """Whatever fails, nothing is lost, and the next run does the rest."""
    for nth in range(1, 60):
        place = tmp_path / str(nth)
        with BlobStore.create(place) as store:
            put_whole(store, *BLOBS)
        disk = FaultyDisk(operation, nth)
        with BlobStore(place, disk=disk) as store:
            try:
                optimize(store)
            except StorageError:
                assert disk.failed
            assert_sound(store)
        with BlobStore(place) as store:
            optimize(store)
            assert_optimized(store)
        shutil.rmtree(place)
        if not disk.failed:
            break
    else:
        pytest.fail("every run failed")


class KilledError(BaseException):
    """As a kill: nothing that only catches errors sees it."""


@pytest.mark.parametrize(
    ("owner", "name", "after"),
    [
        (BlobStore, "enter", 1),
        (ObjectIndex, "replace", 1),
        (Path, "unlink", 1),
        (BlobWriter, "open", 2),
    ],
)
def test_a_run_that_is_killed(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, after: int
) -> None:
    calls = iter(range(1, 1000))
    real: Callable[..., Any] = getattr(owner, name)

    def killed(*words: Any, **options: Any) -> Any:
        if (name != "unlink" or str(words[0]).endswith(".pack")) and next(calls) == after:
            raise KilledError
        return real(*words, **options)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, killed)
        with pytest.raises(KilledError):
            optimize(store)
    assert_sound(store)
    optimize(store)
    assert_optimized(store)
    assert len(packs_of(store)) == len(store.index.packs()), "no pack is left that no index names"


def test_a_damaged_store_is_left_as_it_is(store: BlobStore) -> None:
    open_blobs(store, openable(store), ignore)
    steps = store.reader().steps(store.reader().recipe(Digest.of(BLOBS[3])))
    raw = next(step for step in steps if not isinstance(step, int))
    place = store.index.locate(raw)[0]
    flip(store.layout.pack(place.pack), place.frame_offset + place.stored // 2)
    before = packs_of(store)
    with pytest.raises(DamagedError):
        drop_whole(store, ignore)
    assert packs_of(store) == before


def test_a_pack_that_is_no_pack_ends_it(store: BlobStore) -> None:
    open_blobs(store, openable(store), ignore)
    (store.layout.packs / f"{'0' * 64}.pack").write_bytes(b"not a pack")
    before = packs_of(store)
    with pytest.raises(AirstoreError, match="is not a pack"):
        drop_whole(store, ignore)
    assert packs_of(store) == before


def test_blobs_that_were_put_meanwhile_stay(store: BlobStore) -> None:
    optimize(store)
    more = deflated(make_tar({"new": noise(50_000, 70)}))
    (digest,) = put(store, more)
    optimize(store)
    assert read(store, digest) == more
    assert_optimized(store)
