"""The index is compared with the packs, field by field: what a disk changes in it is named and made again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from airstore.store.blobs import BlobStore, check, index_faults, rebuild_index
from tests.store.store_support import make_tar, noise, put, read, text

FIELDS = {
    "packs": ("name", "size"),
    "frames": ("pack", "kind", "offset", "stored", "plain", "objects"),
    "objects": ("digest", "frame", "offset", "size"),
    "blobs": ("digest", "size", "recipe", "recipe_size"),
}


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
