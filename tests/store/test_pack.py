"""Packs, frames, recipes and the index: formats, bounds, binding of kinds."""

from __future__ import annotations

import hashlib
import struct
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.durable import LOCAL_DISK
from airstore.core.errors import DamagedError, StorageError
from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.store.blobs import BlobStore
from airstore.store.format.frames import LEVEL, QUICK, compress, decompress
from airstore.store.format.objects import ObjectKey, ObjectKind
from airstore.store.format.pack import HEADER, TRAILER_SIZE, frame_entry, read_pack, trailer
from airstore.store.format.packwriter import Frame, pack_writer
from airstore.store.format.recipe import RecipeBuilder, encode_root
from airstore.store.read import sqlite
from airstore.store.read.index import ObjectIndex
from airstore.store.read.sqlite import KeySet
from tests.store.store_support import PROPERTY, descriptor, flip, make_tar, noise, packs_of, put, text


def key_of(kind: ObjectKind, data: bytes) -> ObjectKey:
    return ObjectKey(kind, hashlib.sha256(data).digest(), len(data))


def frame_of(*objects: bytes, kind: ObjectKind = ObjectKind.RAW) -> Frame:
    plain = b"".join(objects)
    entries = b"".join(frame_entry(key_of(kind, data)) for data in objects)
    return Frame(kind, compress(plain), len(plain), entries)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    with BlobStore.create(tmp_path) as store:
        put(store, make_tar({"a": text(3_000, 1), "b": noise(2_000, 2)}), b"small")
        return packs_of(store)[0]


def test_the_name_is_the_digest_of_the_file(pack: Path) -> None:
    assert pack.name == f"{hashlib.sha256(pack.read_bytes()).hexdigest()}.pack"
    assert pack.stat().st_mode & 0o777 == 0o444


def test_the_layout_is_as_documented(tmp_path: Path) -> None:
    first, second = frame_of(b"one", b"two"), frame_of(b"three", kind=ObjectKind.BODY)
    with pack_writer(tmp_path, LOCAL_DISK) as writer:
        writer.append(first)
        writer.append(second)
        writer.publish(tmp_path)
    index = struct.pack("<BIII", 1, 2, len(first.stored), 6)
    index += struct.pack("<I32s", 3, hashlib.sha256(b"one").digest())
    index += struct.pack("<I32s", 3, hashlib.sha256(b"two").digest())
    index += struct.pack("<BIII", 3, 1, len(second.stored), 5)
    index += struct.pack("<I32s", 5, hashlib.sha256(b"three").digest())
    end = struct.pack("<II32s8s", len(index), 2, hashlib.sha256(index).digest(), b"AIRPACKE")
    expected = b"AIRPACK\x01" + first.stored + second.stored + index + end
    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == expected


def test_a_new_pack_at_the_size_limit(tmp_path: Path) -> None:
    frames = [frame_of(noise(10_000, seed)) for seed in range(7)]
    with pack_writer(tmp_path, LOCAL_DISK, 25_000) as writer:
        for frame in frames:
            writer.append(frame)
        writer.publish(tmp_path)
    paths = list(tmp_path.iterdir())
    assert len(paths) == 4
    assert max(path.stat().st_size for path in paths) <= 25_000
    assert sum(len(read_pack(path)) for path in paths) == 7


def test_every_flipped_bit_and_every_cut_is_found(pack: Path) -> None:
    """In the parts the pack's own parser reads: header, index, trailer."""
    data = pack.read_bytes()
    frames = read_pack(pack)
    index_at = frames[-1].offset + frames[-1].stored
    for at in [*range(len(HEADER)), *range(index_at, len(data))]:
        flip(pack, at)
        with pytest.raises(DamagedError):
            read_pack(pack)
        flip(pack, at)
    for length in (0, 1, 8, 55, 56, index_at, len(data) - 1):
        pack.write_bytes(data[:length])
        with pytest.raises(DamagedError):
            read_pack(pack)
    pack.write_bytes(data + b"x")
    with pytest.raises(DamagedError):
        read_pack(pack)


@given(index=st.binary(max_size=300), count=st.integers(0, 5), body=st.binary(max_size=50))
@PROPERTY
def test_a_sealed_but_hostile_index_is_refused(
    tmp_path_factory: pytest.TempPathFactory, index: bytes, count: int, body: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile.pack"
    path.write_bytes(HEADER + body + index + trailer(index, count))
    if not index and not body and not count:
        assert read_pack(path) == []
        return
    with pytest.raises(DamagedError):
        read_pack(path)


ENTRY = frame_entry(key_of(ObjectKind.RAW, b"0123456789"))


@pytest.mark.parametrize(
    ("head", "entries"),
    {
        "unknown kind": ((9, 1, 19, 10), ENTRY),
        "no objects": ((1, 0, 19, 10), b""),
        "more objects than listed": ((1, 2, 19, 10), ENTRY),
        "plain size is not the sum": ((1, 1, 19, 11), ENTRY),
        "stored larger than zstd makes it": ((1, 1, 5_000, 10), ENTRY),
        "nothing stored": ((1, 1, 0, 10), ENTRY),
        "frame too large": ((1, 9, 19, 9 * MIB), struct.pack("<I32s", MIB, bytes(32)) * 9),
        "object too large": ((1, 1, 19, 5 * MIB), struct.pack("<I32s", 5 * MIB, bytes(32))),
        "empty object": ((1, 2, 19, 10), ENTRY + struct.pack("<I32s", 0, bytes(32))),
        "stored does not reach the index": ((1, 1, 18, 10), ENTRY),
    }.values(),
)
def test_implausible_frames_are_refused(
    tmp_path: Path, head: tuple[int, int, int, int], entries: bytes
) -> None:
    index = struct.pack("<BIII", *head) + entries
    path = tmp_path / "x.pack"
    path.write_bytes(HEADER + compress(b"0123456789") + index + trailer(index, 1))
    with pytest.raises(DamagedError):
        read_pack(path)


def test_an_index_larger_than_the_bound_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.pack"
    with path.open("wb") as file:
        file.write(HEADER)
        file.truncate(200 * MIB)  # sparse: nothing is written
        file.seek(0, 2)
        file.write(struct.pack("<II32s8s", 190 * MIB, 1, bytes(32), b"AIRPACKE"))
    with pytest.raises(DamagedError, match="damaged end"):
        read_pack(path)
    assert TRAILER_SIZE == 48


@given(plain=st.binary(min_size=1, max_size=5_000))
@PROPERTY
def test_frames_come_back(plain: bytes) -> None:
    for level in (LEVEL, QUICK):
        assert decompress(compress(plain, level), len(plain)) == plain


def test_what_is_not_exactly_one_frame_is_refused() -> None:
    plain = text(100_000, 1)
    frame = compress(plain)
    streaming = zstandard.ZstdCompressor().compressobj()
    unsized = streaming.compress(plain) + streaming.flush()
    bad = {
        "cut": frame[:-1],
        "cut in half": frame[: len(frame) // 2],
        "trailing": frame + b"x",
        "two": frame + frame,
        "skippable behind": frame + b"\x50\x2a\x4d\x18\x01\0\0\0a",
        "no size stated": unsized,
        "empty": b"",
        "garbage": noise(99, 1),
    }
    for name, data in bad.items():
        with pytest.raises(DamagedError):
            raise AssertionError(f"{name} was read: {decompress(data, len(plain))[:9]!r}")


@pytest.mark.parametrize("size", [99_999, 100_001, 0])
def test_a_frame_of_another_size_is_refused_before_it_is_unpacked(size: int) -> None:
    with pytest.raises(DamagedError, match="states 100000"):
        decompress(compress(bytes(100_000)), size)


def test_a_bomb_is_refused() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(64 * MIB))
    assert len(bomb) < 10_000
    with pytest.raises(DamagedError):
        decompress(bomb, 64 * MIB)
    with pytest.raises(DamagedError):
        decompress(bomb, MIB)


def test_an_encoder_that_loses_bytes_is_caught() -> None:
    def broken(plain: bytes, _level: int) -> bytes:
        return zstandard.ZstdCompressor().compress(plain[:-1] + b"?")

    with pytest.raises(StorageError, match="other bytes"):
        compress(b"some bytes", encode=broken)
    with pytest.raises(StorageError, match="does not read back"):
        compress(b"some bytes", encode=lambda _plain, _level: b"no frame")


def test_what_is_compressed_already_is_copied_where_somebody_waits() -> None:
    packed = noise(100_000, 1)
    assert compress(packed, QUICK) == zstandard.ZstdCompressor(level=-5).compress(packed)
    mixed = packed[:40_000] + text(60_000, 1)  # by its middle it is no such thing
    assert compress(mixed, QUICK) == zstandard.ZstdCompressor(level=1).compress(mixed)


@pytest.mark.parametrize(("opening", "level"), [(True, LEVEL), (False, QUICK)])
def test_what_somebody_waits_for_is_compressed_quickly(tmp_path: Path, *, opening: bool, level: int) -> None:
    blob = text(100_000, 1)
    with BlobStore.create(tmp_path) as store:
        with store.writer(opening=opening) as writer:
            writer.put(descriptor(blob), lambda: [blob])
        (pack,) = packs_of(store)
        assert compress(blob, level) in pack.read_bytes()
        assert b"".join(store.read(Digest.of(blob))) == blob
    assert compress(blob, LEVEL) != compress(blob, QUICK)


def test_an_object_is_not_read_as_another_kind(tmp_path: Path) -> None:
    blob = noise(500, 1)
    with BlobStore.create(tmp_path) as store:
        put(store, blob)
        reader = store.reader()
        assert reader.object(key_of(ObjectKind.RAW, blob)) == blob
        for kind in (ObjectKind.BODY, ObjectKind.SKELETON, ObjectKind.RECIPE, ObjectKind.PART):
            with pytest.raises(DamagedError, match="missing"):
                reader.object(key_of(kind, blob))


def test_a_file_that_looks_like_a_recipe_is_none(tmp_path: Path) -> None:
    victim = Digest.of(b"victim")
    forged = encode_root(victim, 3, RecipeBuilder().rest(), ())
    with BlobStore.create(tmp_path) as store:
        put(store, forged, make_tar({"forged": forged}))
        assert store.size(victim) is None
        store.rebuild_index()
        assert store.size(victim) is None


@given(
    batches=st.lists(st.lists(st.binary(min_size=1, max_size=1), max_size=5)),
    in_memory=st.sampled_from([0, 3, 50_000]),
)
@PROPERTY
def test_key_sets_are_sets(batches: list[list[bytes]], in_memory: int) -> None:
    seen: set[bytes] = set()
    with mock.patch.object(sqlite, "_IN_MEMORY", in_memory), closing(KeySet()) as found:
        for keys in batches:
            assert all((key in found) == (key in seen) for key in keys)
            assert found.add_all(keys) == set(keys) - seen
            seen.update(keys)
            assert all(not found.add(key) for key in keys)


def test_an_index_takes_all_packs_or_none(tmp_path: Path) -> None:
    with BlobStore.create(tmp_path) as store, closing(ObjectIndex()) as index:
        put(store, b"blob")
        name = bytes.fromhex(packs_of(store)[0].stem)
        with pytest.raises(DamagedError):
            store.enter([name, bytes(32)])
        assert [pack for _, pack, _ in store.index.packs()] == [name]
        assert index.packs() == []
