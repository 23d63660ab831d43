"""How layers are held, and stores that are turned over, as the commands say it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from airstore.ops.stores.directory import open_directory
from airstore.store.blobs import BlobStore
from airstore.store.ingest.writer import BlobWriter
from tests.support.product.road_parts import Road, airstore, done, refused, sound, unchanged

pytestmark = pytest.mark.slow


def shown(store: Path, version: str) -> list[dict[str, Any]]:
    document = done("-C", store, "release", "show", version, "-o", "json").json()
    rows: list[dict[str, Any]] = document["layers"]
    return rows


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in (directory / "packs").iterdir())


@pytest.fixture
def whole(own_road: Road, monkeypatch: pytest.MonkeyPatch) -> Road:
    """Publisher and site as versions without the codec left them: every layer whole."""
    for store in (own_road.publisher, own_road.site):
        make_whole(store, monkeypatch)
        assert {row["held"] for row in shown(store, "1.0.0")} == {"whole"}
    return own_road


def make_whole(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with BlobStore(store) as blobs:
        rows = [
            blob for ref in open_directory(store).history.releases() for blob in release(store, ref.version)
        ]
        contents = {blob: b"".join(blobs.read(blob.digest)) for blob in rows if blobs.size(blob.digest)}
    for pack in (store / "packs").iterdir():
        pack.unlink()
    (store / "index.sqlite").unlink()
    with BlobStore(store) as blobs, monkeypatch.context() as patched:
        patched.setattr(BlobWriter, "_take", BlobWriter._whole)
        with blobs.writer() as writer:
            for blob, data in contents.items():
                writer.put(blob, lambda data=data: iter([data]))  # type: ignore[misc]


def release(store: Path, version: str) -> list[Any]:
    return list(open_directory(store).history.release(version).blobs().values())


def test_layers_of_a_publisher_and_of_a_site(road: Road, site: Path) -> None:
    for store, held in ((road.publisher, "opened"), (site, "opened and whole")):
        rows = shown(store, "1.0.0")
        gzip = [row for row in rows if row["media_type"].endswith("gzip")]
        assert {row["held"] for row in gzip} == {held}
        assert all(row["encoder"] and row["side_size"] < 200 and not row["why"] for row in gzip)
        assert all(row["why"] for row in rows if row not in gzip)
        table = done("-C", store, "release", "show", "1.0.0").out
        assert all(word in table for word in ("SIDE DATA", gzip[0]["digest"][:19], gzip[0]["encoder"]))


def test_a_layer_that_is_not_here(road: Road, site: Path) -> None:
    done("-C", site, "media", "import", road.full_new)
    for pack in (site / "packs").iterdir():
        pack.unlink()
    (site / "index.sqlite").unlink()
    assert {row["held"] for row in shown(site, "1.0.0")} == {"missing"}


def test_a_publisher_is_turned_over(whole: Road, tmp_path: Path) -> None:
    store = whole.publisher
    before = size_of(store)
    with unchanged(store):
        would = done("-C", store, "store", "optimize", "--dry-run", "-o", "json").json()
    did = done("-C", store, "store", "optimize", "-o", "json").json()
    assert (would["dry_run"], would["tried"], would["opened"]) == (True, did["tried"], 0)
    assert did["opened"] == did["dropped"] == did["tried"] > 0
    assert (did["before"], did["after"]) == (before, size_of(store))
    assert {row["held"] for row in shown(store, "1.0.0") if row["media_type"].endswith("gzip")} == {"opened"}
    with unchanged(store):
        assert "0 of 0 blobs opened" in done("-C", store, "store", "optimize").out
    done("-C", store, "check")
    done("-C", store, "media", "create", "--to", "1.0.0", "--effort", "none", tmp_path / "out")
    assert size_of(tmp_path / "out") > 0


def test_a_site_keeps_what_it_serves(whole: Road) -> None:
    done("-C", whole.site, "store", "optimize")
    assert {row["held"] for row in shown(whole.site, "1.0.0") if row["encoder"]} == {"opened and whole"}
    sound(whole.site, "1.0.0")


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_delta_on_layers_that_a_site_holds_whole(whole: Road, *, dry_run: bool) -> None:
    """Media of a publisher that opens layers; the site's came from one that did not."""
    words = ("-C", whole.site, "media", "import", whole.delta)
    if dry_run:
        with unchanged(whole.site):
            done(*words, "--dry-run")
        return
    done(*words)
    sound(whole.site, "1.0.0", "1.1.0")
    gzip = [row for row in shown(whole.site, "1.1.0") if row["media_type"].endswith("gzip")]
    older = {row["digest"] for row in shown(whole.site, "1.0.0")}
    assert {row["held"] for row in gzip if row["digest"] not in older} == {"opened and whole"}
    assert {row["held"] for row in gzip} == {"opened and whole", "whole"}, (
        "what no delta rests on stays whole"
    )


def test_a_locked_store_is_left_alone(whole: Road) -> None:
    store = open_directory(whole.publisher)
    with store.locked(), unchanged(whole.publisher):
        refused(airstore("-C", whole.publisher, "store", "optimize"), 11, "lock")


def test_a_damaged_store_says_so(own_road: Road, tmp_path: Path) -> None:
    store = Path(shutil.copytree(own_road.publisher, tmp_path / "damaged"))
    pack = max((store / "packs").iterdir(), key=lambda path: path.stat().st_size)
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:-1])
    outcome = airstore("-C", store, "store", "optimize", "-o", "json")
    assert outcome.code == 20, outcome
    assert json.dumps(pack.name)[1:-1] in outcome.err
