"""Layers that travel as the registry has them (--effort fast): a site copies them, and holds them as well."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airstore.core.errors import DamagedError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.media.copies import divided
from airstore.media.delta.writer import Task
from airstore.ops.stores.directory import open_directory
from airstore.store.blobs import BlobStore, write_whole
from tests.media.delta.test_delta import text
from tests.media.delta.test_delta_blobs import CHANGED, FILES, NEW, OLD, layer
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    flipped,
    leftovers,
    media_files,
    pack_of,
    refused,
    release_blobs,
    rewrite,
    sound,
    unchanged,
)

FAST = ("--effort", "fast")
UNKNOWN = layer({f"var/{name}": text(seed) for seed, name in enumerate("pqr", 100)})


@pytest.fixture(scope="module")
def fast(road: Road, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Full media of 1.0.0 whose layers are copied."""
    out = tmp_path_factory.mktemp("fast") / "media"
    done("-C", road.publisher, "media", "create", "--to", "1.0.0", *FAST, out)
    return out


@pytest.fixture
def site(road: Road, fast: Path, tmp_path: Path) -> Path:
    """A site that imported them."""
    site = tmp_path / "site"
    done("init", site, "--site", "acme", "--trust", road.root)
    done("-C", site, "media", "import", fast)
    return site


def layers(store: Path, version: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = done("-C", store, "release", "show", version, "-o", "json").json()["layers"]
    return found


def held(store: Path, version: str) -> set[str]:
    return {row["held"] for row in layers(store, version)}


def test_a_site_gets_the_same_bytes_and_compresses_nothing(road: Road, site: Path) -> None:
    assert held(road.publisher, "1.0.0") == {"opened"}
    assert held(site, "1.0.0") == {"whole"}
    sound(site, "1.0.0")
    assert leftovers(site) == []
    for blob in release_blobs(site, "1.0.0"):
        with open_directory(site).open_blobs() as blobs:
            read = b"".join(blobs.read(Digest(blob)))
        assert f"sha256:{hashlib.sha256(read).hexdigest()}" == blob


def test_making_them_again_gives_the_same_bytes(road: Road, fast: Path, tmp_path: Path) -> None:
    done("-C", road.publisher, "media", "create", "--to", "1.0.0", *FAST, tmp_path / "again")
    assert media_files(tmp_path / "again") == media_files(fast)
    assert {Path(name).suffix for name in media_files(fast)} == {".pack", ".delta", ".bundle", ".json"}


def test_inspect_names_what_is_copied(fast: Path) -> None:
    shown = done("media", "inspect", fast, "-o", "json").json()
    assert all(row["why"].startswith("copied: ") for row in shown["largest"])
    assert len(shown["largest"]) == 10
    size = sum(path.stat().st_size for path in (fast / "packs").iterdir())
    assert 0.9 * size < sum(row["media_bytes"] for row in shown["images"]) < 1.1 * size


@pytest.mark.parametrize("effort", ["fast", "normal", "none"])
def test_a_delta_follows_and_opens_no_more_than_it_rests_on(
    effort: str, road: Road, site: Path, tmp_path: Path
) -> None:
    words = ("--to", "1.1.0", "--from", "1.0.0", "--effort", effort)
    done("-C", road.publisher, "media", "create", *words, tmp_path / "delta")
    done("-C", site, "media", "import", tmp_path / "delta")
    sound(site, "1.0.0", "1.1.0")
    assert held(site, "1.1.0") == (
        {"opened and whole"} if effort == "none" else {"opened and whole", "whole"}
    )


def test_what_was_copied_can_be_opened_later(site: Path) -> None:
    done("-C", site, "store", "optimize")
    assert held(site, "1.0.0") == {"opened and whole"}
    sound(site, "1.0.0")


def test_a_layer_of_which_sites_have_most_travels_as_what_changed(road: Road, tmp_path: Path) -> None:
    done("-C", road.publisher, "media", "create", "--to", "1.1.0", "--from", "1.0.0", *FAST, tmp_path / "out")
    assert not list((tmp_path / "out" / "packs").glob("*.pack"))


def test_damage_on_media_is_one_error_and_changes_nothing(road: Road, fast: Path, tmp_path: Path) -> None:
    media = road.copied(tmp_path / "road").base / "media"
    for name in media_files(fast):
        (media / name).parent.mkdir(parents=True, exist_ok=True)
        (media / name).write_bytes((fast / name).read_bytes())
    pack = pack_of(media)
    rewrite(pack, lambda data: flipped(data, len(data) // 2))
    site = tmp_path / "road" / "new-site"
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", media), 20, pack.name)
    pack.unlink()
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", media), 21, pack.name)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    """A publisher's, empty."""
    with BlobStore.create(tmp_path / "store") as store:
        yield store


def put(store: BlobStore, *blobs: bytes) -> list[Digest]:
    with store.writer() as writer:
        for blob in blobs:
            writer.put(Descriptor("", Digest.of(blob), len(blob)), lambda blob=blob: [blob])  # type: ignore[misc]
    return [Digest.of(blob) for blob in blobs]


MOVED = layer({f"srv/{path}": data for path, data in FILES.items()})
HALF = layer({**dict(list(FILES.items())[:5]), **{f"var/{seed}": text(seed) for seed in range(50, 53)}})
LITTLE = layer({**dict(list(FILES.items())[:2]), **{f"var/{seed}": text(seed) for seed in range(50, 56)}})
OTHERWISE = layer({path.replace("1.0", "2.7.1"): text(seed) for seed, path in enumerate(FILES, 70)})
PLAIN = b'{"config": "is no gzip"}'


@pytest.mark.parametrize(
    ("blob", "copied"),
    [
        pytest.param(NEW, False, id="rebuilt, one file changed, version in the path"),
        pytest.param(MOVED, False, id="moved: same content"),
        pytest.param(OTHERWISE, False, id="other content under the same paths"),
        pytest.param(HALF, False, id="most of it the same"),
        pytest.param(LITTLE, True, id="little of it the same"),
        pytest.param(UNKNOWN, True, id="nothing of it known"),
        pytest.param(PLAIN, False, id="no gzip"),
        pytest.param(OLD, False, id="one of the sites has it"),
    ],
)
def test_what_is_copied_beside_a_base(blob: bytes, copied: bool, store: BlobStore) -> None:
    new, old = put(store, blob, OLD)
    task = divided(store, Task([new], [old], {}))
    assert (dict(task.copied), list(task.new)) == (({new: len(blob)}, []) if copied else ({}, [new]))


def test_without_a_base_every_gzip_blob_is_copied(store: BlobStore) -> None:
    new = put(store, NEW, OLD, PLAIN)
    task = divided(store, Task(new, [], {}))
    assert (list(task.copied), list(task.new)) == (new[:2], new[2:])


def test_blobs_are_written_whole_in_their_order(store: BlobStore, tmp_path: Path) -> None:
    blobs = [layer(CHANGED, mtime) for mtime in range(7)]
    wanted, done_bytes = put(store, *blobs), list[int]()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_whole(store, wanted, tmp_path / name, done_bytes.append)
    one, two = (sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("one", "two"))
    assert one == two
    assert sum(done_bytes) == 2 * sum(map(len, blobs))


def test_a_damaged_store_makes_no_media(store: BlobStore, tmp_path: Path) -> None:
    (blob,) = put(store, UNKNOWN)
    rewrite(pack_of(store.directory), lambda data: flipped(data, len(data) // 2))
    (tmp_path / "out").mkdir()
    with pytest.raises(DamagedError):
        write_whole(store, [blob], tmp_path / "out", lambda _count: None)
    assert list((tmp_path / "out").iterdir()) == []
