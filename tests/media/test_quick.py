"""Quick ways (--effort fast, of a release and of media): layers are copied; a delta has them opened."""

from __future__ import annotations

import gzip
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from airstore.media.copies import divided
from airstore.media.delta.writer import Task
from scripts.images.fixture_images import LayoutWriter
from tests.media.delta.test_delta_blobs import NEW, OLD, Pair, layer, pair
from tests.support.product.road_parts import done, leftovers, media_files, release_blobs, sound
from tests.support.product.tiny_product import IMAGE, Tiny

__all__ = ["pair"]

pytestmark = pytest.mark.slow

PLAIN_LAYER = "application/vnd.oci.image.layer.v1.tar"
BULK = {f"opt/{name}": random.Random(name).randbytes(200_000) for name in "abcdefgh"}  # noqa: S311
FAST = ("--effort", "fast")
GZIP_HELD = {"fast": ["whole", "whole", "whole"], "normal": ["opened", "whole", "opened"]}
LARGE = gzip.decompress(layer(BULK))
LARGER = gzip.decompress(layer({**BULK, "opt/c": BULK["opt/c"][:-1] + b"!"}))


def make_image(directory: Path, *layers: tuple[bytes, str]) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    writer = LayoutWriter(directory)
    config = writer.blob(b'{"architecture":"amd64","os":"linux"}', OCI_CONFIG)
    found = [writer.blob(*each) for each in layers]
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": found}
    writer.name(writer.document(manifest), IMAGE)
    writer.finish()


def held(store: Path, version: str) -> list[str]:
    shown: dict[str, Any] = done("-C", store, "release", "show", version, "-o", "json").json()
    return [row["held"] for row in shown["layers"]]


@pytest.fixture(scope="module")
def published(tiny_made: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By the effort of taking it in: two releases of an image with a gzip layer and a plain one."""
    return {effort: publish(tiny_made, tmp_path_factory.mktemp(effort), effort) for effort in GZIP_HELD}


def publish(tiny_made: Tiny, directory: Path, effort: str) -> Path:
    tiny = Tiny(shutil.copytree(tiny_made.base, directory / "tiny"))
    for version, layers in (("1.0.0", (OLD, LARGE)), ("1.1.0", (NEW, LARGER))):
        make_image(tiny.layout, (layers[0], OCI_LAYER), (layers[1], PLAIN_LAYER))
        assert tiny.create(version, "--effort", effort).code == 0
        assert held(tiny.store, version) == GZIP_HELD[effort]
    return tiny.store


@pytest.mark.parametrize("effort", GZIP_HELD)
def test_full_media_and_a_delta_bring_a_site_up_to_date(
    effort: str, published: dict[str, Path], tmp_path: Path
) -> None:
    store = shutil.copytree(published[effort], tmp_path / "store")
    full = done("-C", store, "media", "create", "--to", "1.0.0", *FAST, tmp_path / "full")
    assert "opened now" not in full.err
    assert held(store, "1.0.0") == GZIP_HELD[effort]
    site = tmp_path / "site"
    done("init", site, "--site", "acme", "--trust", store / "trust" / "root.json")
    for media in (tmp_path / "full", delta_of(store, tmp_path)):
        done("-C", site, "media", "import", media)
    sound(site, "1.0.0", "1.1.0")
    assert leftovers(site) == []
    assert release_blobs(site, "1.1.0") == release_blobs(store, "1.1.0")


def delta_of(store: Path, directory: Path) -> Path:
    done("-C", store, "media", "create", "--to", "1.1.0", "--from", "1.0.0", *FAST, directory / "delta")
    return directory / "delta"


def test_a_delta_is_the_same_bytes_however_layers_were_taken_in(
    published: dict[str, Path], tmp_path: Path
) -> None:
    made = set()
    for effort, store in published.items():
        media = delta_of(shutil.copytree(store, tmp_path / effort), tmp_path / f"{effort}-media")
        made.add(tuple(name for name in media_files(media) if not name.endswith((".json", ".bundle"))))
    ((name,),) = made
    assert name.endswith(".delta")


def test_what_was_taken_in_quickly_is_opened_once(published: dict[str, Path], tmp_path: Path) -> None:
    store = shutil.copytree(published["fast"], tmp_path / "store")
    words = ("-C", store, "media", "create", "--to", "1.1.0", "--from", "1.0.0", "--dry-run", "x")
    assert "2 blobs were held whole, and are opened now" in done(*words).err
    assert "opened now" not in done(*words).err
    done("-C", store, "store", "optimize")
    assert held(store, "1.1.0") == GZIP_HELD["normal"]
    done("-C", store, "check", "--quick")


def test_for_a_chart_alone_no_layer_is_opened(published: dict[str, Path], tmp_path: Path) -> None:
    tiny = Tiny(shutil.copytree(published["fast"].parent, tmp_path / "tiny"))
    with (tiny.base / "app" / "templates" / "pod.yaml").open("a") as template:
        template.write("  # another\n")
    assert tiny.create("1.2.0", "--effort", "fast").code == 0
    words = ("-C", tiny.store, "media", "create", "--to", "1.2.0", "--from", "1.1.0", tmp_path / "out")
    assert "2 blobs were held whole, and are opened now" in done(*words).err
    assert held(tiny.store, "1.2.0") == ["whole", "whole", "opened and whole"]


def test_large_plain_blobs_are_copied_and_documents_are_not(pair: Pair) -> None:
    small = b'{"config": 1}'
    large, larger, document = pair.put(pair.publisher, LARGE, LARGER, small)
    full = divided(pair.publisher, Task([large, document], [], {}))
    assert (dict(full.copied), list(full.new)) == ({large: len(LARGE)}, [document])
    update = divided(pair.publisher, Task([larger, document], [large], {}))
    assert (dict(update.copied), list(update.new)) == ({}, [larger, document])
