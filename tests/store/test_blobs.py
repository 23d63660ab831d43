"""Blobs in and out: exactness, deduplication, visibility, damage, threads."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, LockedError, NotFoundError, TransferError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.store.blobs import BlobStore
from airstore.store.format import recipe
from airstore.store.format.objects import PIECE
from airstore.store.read.sqlite import connect
from airstore.store.upkeep.check import check, rebuild_index, statistics
from airstore.store.upkeep.retire import retire_damaged
from tests.store.store_support import (
    PROPERTY,
    chunked,
    descriptor,
    flip,
    make_tar,
    noise,
    packs_of,
    put,
    read,
    text,
)

BLOBS = {
    "empty": b"",
    "json": b'{"schemaVersion": 2}',
    "raw": noise(2 * PIECE + 99, 1),
    "tar": make_tar({"a": text(9_000, 2), "b": b"", "c/big": noise(PIECE + 5, 3), "d": b"d" * 512}),
    "only headers": make_tar({}),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore.create(tmp_path / "store") as store:
        yield store


def refuse() -> list[bytes]:
    raise AssertionError("the source must not be opened")


def test_every_kind_of_blob_comes_back(store: BlobStore) -> None:
    put(store, *BLOBS.values())
    for blob in BLOBS.values():
        assert store.size(Digest.of(blob)) == len(blob)
        assert read(store, Digest.of(blob)) == blob
    assert check(store, lambda _count: None) == []
    assert statistics(store).blobs == len(BLOBS)


def test_a_reopened_store_has_what_was_put(store: BlobStore) -> None:
    (digest,) = put(store, BLOBS["tar"])
    with BlobStore(store.directory) as again:
        assert read(again, digest) == BLOBS["tar"]


def test_ranges(store: BlobStore) -> None:
    put(store, BLOBS["tar"], BLOBS["raw"])
    for blob in (BLOBS["tar"], BLOBS["raw"]):
        for start, stop in [(0, 1), (511, 513), (1_500, 20_000), (len(blob) - 3, None), (7, 7), (5, 1 << 40)]:
            assert b"".join(store.read(Digest.of(blob), start, stop)) == blob[start:stop]
        assert list(store.read(Digest.of(blob), len(blob) + 9)) == []


@given(start=st.integers(0, 40_000), length=st.integers(0, 40_000))
@PROPERTY
def test_any_range(tmp_path_factory: pytest.TempPathFactory, start: int, length: int) -> None:
    blob = make_tar({str(number): noise(number * 37, number) for number in range(25)})
    with BlobStore.create(tmp_path_factory.getbasetemp() / "ranges") as store:
        (digest,) = put(store, blob)
        assert b"".join(store.read(digest, start, start + length)) == blob[start : start + length]


def test_read_bytes_is_bounded(store: BlobStore) -> None:
    (digest,) = put(store, BLOBS["json"])
    assert store.read_bytes(digest, 20) == BLOBS["json"]
    with pytest.raises(DamagedError, match="at most 19"):
        store.read_bytes(digest, 19)


def test_unknown_blobs_are_reported_at_once(store: BlobStore) -> None:
    assert store.size(Digest.of(b"other")) is None
    with pytest.raises(NotFoundError):
        store.read(Digest.of(b"other"))
    with pytest.raises(NotFoundError):
        store.read_bytes(Digest.of(b"other"), 10)


def test_no_store_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no airstore store"):
        BlobStore(tmp_path)


def test_present_blobs_are_not_fetched(store: BlobStore) -> None:
    blob = BLOBS["tar"]
    with store.writer() as writer:
        assert writer.put(descriptor(blob), lambda: chunked(blob))
        assert not writer.put(descriptor(blob), refuse)
    with store.writer() as writer:
        assert not writer.put(descriptor(blob), refuse)
        assert writer.new_bytes == 0
    assert len(packs_of(store)) == 1


def test_a_changed_layer_costs_what_changed(store: BlobStore) -> None:
    files = {f"f{number:03}": noise(20_000, number) for number in range(100)}
    put(store, make_tar(files))
    files["f050"] = noise(20_000, 1_000)
    second = make_tar(files, mtime=99)
    with store.writer() as writer:
        assert writer.put(descriptor(second), lambda: chunked(second))
    assert 20_000 < writer.new_bytes < 45_000
    assert read(store, Digest.of(second)) == second


@pytest.mark.parametrize(
    ("stated", "given_"),
    [
        (b"right", b"wrong"),
        (b"longer than", b"that"),
        (b"short", b"shorter than that"),
        (noise(3 * PIECE, 5), noise(3 * PIECE, 6)),
    ],
)
def test_a_stream_that_is_not_what_was_expected(store: BlobStore, stated: bytes, given_: bytes) -> None:
    with store.writer() as writer:
        with pytest.raises(DamagedError):
            writer.put(descriptor(stated), lambda: chunked(given_))
        assert writer.put(descriptor(b"a good one"), lambda: [b"a good one"])
        assert writer.put(descriptor(stated), lambda: chunked(stated))
    assert store.size(Digest.of(given_)) is None
    assert read(store, Digest.of(stated)) == stated
    assert read(store, Digest.of(b"a good one")) == b"a good one"


def test_a_source_that_breaks_off(store: BlobStore) -> None:
    def broken() -> Iterator[bytes]:
        yield BLOBS["raw"][: PIECE + 9]
        raise TransferError("gone")

    def put_both() -> None:
        with store.writer() as writer:
            writer.put(descriptor(BLOBS["json"]), lambda: [BLOBS["json"]])
            writer.put(descriptor(BLOBS["raw"]), broken)

    with pytest.raises(TransferError):
        put_both()
    assert store.size(Digest.of(BLOBS["json"])) is None
    assert packs_of(store) == []
    assert list(store.layout.temporary.iterdir()) == []


def test_nothing_is_visible_before_the_block_ends(store: BlobStore) -> None:
    digest = Digest.of(BLOBS["raw"])
    with store.writer() as writer:
        writer.put(descriptor(BLOBS["raw"]), lambda: chunked(BLOBS["raw"]))
        assert store.size(digest) is None
        assert packs_of(store) == []
    assert store.size(digest) == len(BLOBS["raw"])


def test_one_writer_at_a_time(store: BlobStore) -> None:
    with store.writer(), pytest.raises(LockedError), store.writer():
        pass


def test_leftovers_of_a_killed_writer_are_removed(store: BlobStore) -> None:
    (store.layout.temporary / ".tmp-left").write_bytes(b"half a pack")
    put(store, b"blob")
    assert list(store.layout.temporary.iterdir()) == []


@pytest.mark.parametrize("name", ["raw", "tar"])
@pytest.mark.parametrize("where", [0.001, 0.3, 0.6, 0.97])
def test_damage_is_found_and_written_anew(store: BlobStore, name: str, where: float) -> None:
    blob = BLOBS[name]
    (digest,) = put(store, blob)
    (pack,) = packs_of(store)
    flip(pack, int(pack.stat().st_size * where))
    with pytest.raises(DamagedError):
        read(store, digest)
    assert [damage.blobs for damage in check(store, lambda _count: None) if damage.blobs] == [(digest,)]
    with store.writer() as writer:
        assert writer.put(descriptor(blob), lambda: chunked(blob))
    assert read(store, digest) == blob
    assert {damage.blobs for damage in check(store, lambda _count: None)} == {()}  # it breaks nothing now
    assert retire_damaged(store, lacking=False, needed=()) == [pack.name]
    assert check(store, lambda _count: None) == []
    assert read(store, digest) == blob


def test_a_damaged_object_is_not_trusted_by_another_blob(store: BlobStore) -> None:
    shared = noise(50_000, 9)
    put(store, make_tar({"a": shared}))
    flip(packs_of(store)[0], 25_000)
    second = make_tar({"b": shared, "c": b"more"})
    (digest,) = put(store, second)
    assert read(store, digest) == second


def test_a_rotten_sector_counts_as_damage(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    (digest,) = put(store, BLOBS["raw"])

    def rotten(_handle: int, _count: int, _offset: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pread", rotten)
        with pytest.raises(DamagedError, match="Input/output"):
            store.read(digest)
    assert read(store, digest) == BLOBS["raw"]


def test_a_missing_pack_is_named(store: BlobStore) -> None:
    first, second = put(store, BLOBS["raw"])[0], put(store, BLOBS["json"])[0]
    pack = next(path for path in packs_of(store) if path.stat().st_size > PIECE)
    pack.unlink()
    with pytest.raises(DamagedError, match=pack.name):
        read(store, first)
    (damage,) = check(store, lambda _count: None)
    assert (damage.blobs, pack.name in damage.what) == ((first,), True)
    assert read(store, second) == BLOBS["json"]


def test_the_index_is_made_anew_from_packs(store: BlobStore) -> None:
    digests = put(store, *BLOBS.values())
    before = statistics(store)
    rebuild_index(store)
    assert statistics(store) == before
    assert [read(store, digest) for digest in digests] == list(BLOBS.values())


@pytest.mark.parametrize("fault", ["missing", "garbage", "empty", "other version"])
def test_an_unusable_index_is_made_anew_on_opening(store: BlobStore, fault: str) -> None:
    (digest,) = put(store, BLOBS["tar"])
    store.close()
    index = store.directory / "index.sqlite"
    if fault == "missing":
        index.unlink()
    elif fault == "other version":
        connection = sqlite3.connect(index)
        connection.execute("PRAGMA user_version=77")
        connection.close()
    else:
        index.write_bytes(b"" if fault == "empty" else noise(9_000, 1))
    with BlobStore(store.directory) as again:
        assert read(again, digest) == BLOBS["tar"]
        assert check(again, lambda _count: None) == []


def test_an_index_damaged_inside_is_reported_with_the_command(store: BlobStore) -> None:
    digests = put(store, *(noise(9, seed) for seed in range(1_000)))
    store.close()
    index = store.directory / "index.sqlite"
    with index.open("r+b") as file:
        file.seek(-8 * 4096, 2)  # pages of the middle of the tables, which opening does not look at
        file.write(noise(8 * 4096, 1))
    with BlobStore(store.directory) as again:
        with pytest.raises(DamagedError) as caught:
            [read(again, digest) for digest in digests]
        assert "--rebuild-index" in caught.value.hint
        rebuild_index(again)
        assert check(again, lambda _count: None) == []


def test_a_file_that_is_no_index_is_closed_again(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(noise(8192, 1))
    with pytest.raises(sqlite3.DatabaseError):
        connect(str(tmp_path / "index.sqlite"), durable=True)
    open_files = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
    assert str(tmp_path / "index.sqlite") not in open_files


def test_many_threads_read_at_once(store: BlobStore) -> None:
    digests = put(store, *BLOBS.values()) * 6
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda digest: read(store, digest), digests)) == list(BLOBS.values()) * 6


def test_a_recipe_in_parts(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a tar of more than 25,000 files, with fewer."""
    monkeypatch.setattr(recipe, "PIECE", 40_000)
    blob = make_tar({str(number): b"%d" % number for number in range(3_000)})
    (digest,) = put(store, blob)
    assert len(store.reader().recipe(digest).parts) > 1
    assert read(store, digest) == blob
    assert b"".join(store.read(digest, len(blob) - 9_999)) == blob[-9_999:]
    assert check(store, lambda _count: None) == []


def test_a_size_that_contradicts_the_blob(store: BlobStore) -> None:
    put(store, b"blob")
    lie = Descriptor("x", Digest.of(b"blob"), 5)
    with store.writer() as writer, pytest.raises(DamagedError):
        writer.put(lie, lambda: [b"blob"])
