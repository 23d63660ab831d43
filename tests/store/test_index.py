"""The index is compared with the packs, field by field: what a disk changes in it is named and made again.

And what a store has is believed of packs that are whole and of an index that agrees with them, not read.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from airstore.core.errors import DamagedError
from airstore.core.limits import MIB
from airstore.store.blobs import BlobStore, check, index_faults, rebuild_index
from airstore.store.read.index import ObjectIndex
from airstore.store.read.rows import Location
from airstore.store.read.shelf import Shelf
from tests.store.store_support import chunked, descriptor, flip, make_tar, noise, packs_of, put, read, text

FIELDS = {
    "packs": ("name", "size"),
    "frames": ("pack", "kind", "offset", "stored", "plain", "objects"),
    "objects": ("digest", "frame", "offset", "size"),
    "blobs": ("digest", "size", "recipe", "recipe_size"),
}


@pytest.mark.parametrize(
    "made",
    [
        "VIEW frames AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n FROM c) SELECT n AS id FROM c",
        "TRIGGER frames AFTER INSERT ON packs BEGIN DELETE FROM blobs; END",
        "TABLE frames(id INTEGER PRIMARY KEY, pack INTEGER GENERATED ALWAYS AS (abs(id)))",
        "VIRTUAL TABLE frames USING fts5(id)",
    ],
)
def test_an_index_that_would_be_computed_is_none(made: str, tmp_path: Path) -> None:
    """A view may never end; somebody handed it in as a store to repair from."""
    BlobStore.create(tmp_path).close()
    with sqlite3.connect(tmp_path / "index.sqlite") as database:
        if not made.startswith("TRIGGER"):
            database.execute("DROP TABLE frames")
        database.execute(f"CREATE {made}")
    database.close()
    with pytest.raises(DamagedError, match="which is no table"):
        ObjectIndex(str(tmp_path / "index.sqlite"), create=False)


@pytest.mark.parametrize("table", FIELDS)
def test_a_changed_field_is_named_and_made_again_from_the_packs(table: str, tmp_path: Path) -> None:
    BlobStore.create(tmp_path).close()
    blobs = [make_tar({"a": text(3000, 1), "b": noise(3000, 2)}), noise(5000, 3)]
    with BlobStore(tmp_path) as store:
        digests = put(store, *blobs)
        assert index_faults(store) == []
    for field in FIELDS[table]:
        change(tmp_path / "index.sqlite", table, field)
        with BlobStore(tmp_path) as store:
            assert check(store, lambda _: None), field
            if (table, field) != ("packs", "name"):  # that pack is missing then, and one is not entered
                assert index_faults(store), field
            rebuild_index(store)
            assert check(store, lambda _: None) == []
            assert [read(store, digest) for digest in digests] == blobs


LARGE = noise(24 * MIB, 4)  # in 24 frames


def test_a_blob_that_is_there_is_not_read_object_by_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames: list[int] = []
    frame = Shelf.frame

    def counted(shelf: Shelf, place: Location) -> bytes:
        frames.append(place.stored)
        return frame(shelf, place)

    with BlobStore.create(tmp_path) as store:
        put(store, LARGE)
        monkeypatch.setattr(Shelf, "frame", counted)
        assert not written_again(store, LARGE)
        assert sum(frames) < len(LARGE) // 4
        again = noise(100, 5) + LARGE[100:]  # its other pieces are there
        frames.clear()
        put(store, again)
        assert sum(frames) < len(LARGE) // 4
        assert read(store, descriptor(again).digest) == again


@pytest.mark.parametrize("at", [0.02, 0.5, 0.99])
def test_of_a_pack_with_another_bit_everything_is_read(tmp_path: Path, at: float) -> None:
    """0.02 is in what is read before the pack is hashed."""
    other = noise(MIB, 6)
    with BlobStore.create(tmp_path) as store:
        put(store, LARGE, other)
        (pack,) = packs_of(store)
        flip(pack, int(24 * MIB * at))
        assert written_again(store, LARGE)
        assert not written_again(store, other)
        assert read(store, descriptor(LARGE).digest) == LARGE


def test_an_index_that_differs_from_its_pack_is_not_believed(tmp_path: Path) -> None:
    with BlobStore.create(tmp_path) as store:
        put(store, LARGE)
    with sqlite3.connect(tmp_path / "index.sqlite") as database:
        database.execute("UPDATE frames SET offset = offset + 1 WHERE id = (SELECT max(id) - 2 FROM frames)")
    database.close()
    with BlobStore(tmp_path) as store:
        assert written_again(store, LARGE)
        assert read(store, descriptor(LARGE).digest) == LARGE


def written_again(store: BlobStore, blob: bytes) -> bool:
    with store.writer() as writer:
        return writer.put(descriptor(blob), lambda: chunked(blob))


def change(index: Path, table: str, field: str) -> None:
    """Flip a bit of a field in one row."""
    key = "digest, frame, offset" if table == "objects" else "id"
    where = " AND ".join(f"{name} = ?" for name in key.split(", "))
    with sqlite3.connect(index) as database:
        *row, value = database.execute(f"SELECT {key}, {field} FROM {table} LIMIT 1").fetchone()  # noqa: S608
        changed = bytes([value[0] ^ 4]) + value[1:] if isinstance(value, bytes) else value ^ 4
        update = f"UPDATE {table} SET {field} = ? WHERE {where}"  # noqa: S608
        assert database.execute(update, (changed, *row)).rowcount == 1
    database.close()
