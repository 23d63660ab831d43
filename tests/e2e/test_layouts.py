"""Images from files: what umoci and skopeo wrote, named on the command line or in the product file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.support.product.e2e_road import Airstore, Store, digests_of, publisher, run, run_bytes
from tests.support.product.e2e_world import debian_layout

pytest_plugins = ["tests.support.product.e2e_fixtures"]

_IMAGE = "registry.example.com/base/debian:12"


@pytest.fixture(scope="session")
def layout(umoci: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return debian_layout(tmp_path_factory.mktemp("umoci") / "layout")


def _raw(place: str) -> tuple[str, dict[str, object]]:
    raw = run_bytes("skopeo", "inspect", "--raw", place)
    return f"sha256:{hashlib.sha256(raw).hexdigest()}", json.loads(raw)


def _create(store: Store, source: str, code: int = 0) -> str:
    return store("release", "create", "--version", "1.0.0", "--image-source", source, code=code).err


@pytest.fixture
def store(airstore: Airstore, tmp_path: Path) -> Store:
    return publisher(airstore, tmp_path, {"images": {"include": [_IMAGE]}})


def test_a_layout_by_umoci(store: Store, layout: Path) -> None:
    _create(store, f"*=oci:{layout}")
    assert store.images("1.0.0") == {_IMAGE: _raw(f"oci:{layout}:12")[0]}


def test_an_archive_of_a_layout_by_skopeo(store: Store, skopeo: Path, layout: Path, tmp_path: Path) -> None:
    archive = tmp_path / "debian.tar"
    run(skopeo, "copy", "-q", f"oci:{layout}:12", f"oci-archive:{archive}:12")
    _create(store, f"registry.example.com/*=oci-archive:{archive}")
    assert store.images("1.0.0") == {_IMAGE: _raw(f"oci:{layout}:12")[0]}


def test_a_docker_archive_by_skopeo_keeps_config_and_layers(
    store: Store, skopeo: Path, layout: Path, tmp_path: Path
) -> None:
    """It has no manifest, so that is made here; what runs is the same."""
    archive = tmp_path / "debian.tar"
    run(skopeo, "copy", "-q", f"oci:{layout}:12", f"docker-archive:{archive}:{_IMAGE}")
    config = run_bytes(skopeo, "inspect", "--config", "--raw", f"docker-archive:{archive}")
    layers = json.loads(config)["rootfs"]["diff_ids"]
    _create(store, f"{_IMAGE}=docker-archive:{archive}")
    (image,) = store.release("1.0.0")["images"]
    wanted = {f"sha256:{hashlib.sha256(config).hexdigest()}", *layers, image["root"]["digest"]}
    assert digests_of(image) == wanted


def test_a_relative_place_is_looked_for_where_the_user_is(
    store: Store, layout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(layout.parent)
    _create(store, "*=oci:layout")
    assert list(store.images("1.0.0")) == [_IMAGE]


def test_the_command_line_wins_over_the_product_file(
    airstore: Airstore, tmp_path: Path, layout: Path
) -> None:
    images = {"include": [_IMAGE], "sources": {"registry.example.com/*": "oci:nowhere"}}
    store = publisher(airstore, tmp_path, {"images": images})
    said = store("release", "create", "--version", "1.0.0", code=10).err
    assert "nowhere" in said
    _create(store, f"registry.example.com/*=oci:{layout}")


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("*=oci:/nowhere", 10, "/nowhere"),
        ("*=oci-archive:/etc/hostname", 20, "/etc/hostname"),
        ("*=tarball:x", 2, "not a place that holds images"),
        ("oci:x", 2, "PATTERN=PLACE"),
        ("*=docker://nodot", 2, "its host needs a dot or a port"),
    ],
)
def test_a_wrong_place_is_named(source: str, code: int, words: str, store: Store) -> None:
    assert words in _create(store, source, code)


def test_a_layout_without_the_image_says_what_it_has(store: Store, layout: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run("umoci", "init", "--layout", other)
    run("umoci", "new", "--image", f"{other}:3.1")
    run("umoci", "new", "--image", f"{other}:3.2")
    said = _create(store, f"*=oci:{other}", 10)
    assert f"has no {_IMAGE}" in said
    assert "3.1, 3.2" in said
