"""The images that other tests and the demo rely on are what they say."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from airstore.core.image import oci
from airstore.core.image.digest import Digest
from scripts.images import fixture_crd, fixture_images
from scripts.images.fixture_layers import go_like_gzip, source_text

API = "registry.example.com/shop/api"
CACHE = "registry.example.com/shop/cache:7.2.0"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("images") / "layout"
    fixture_images.build(directory, [f"{API}:1.0.0", f"{API}:1.1.0", CACHE])
    return directory


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / "sha256" / Digest(digest).hex).read_bytes()


def entry(layout: Path, reference: str) -> dict[str, Any]:
    entries: list[dict[str, Any]] = json.loads((layout / "index.json").read_text())["manifests"]
    key = "org.opencontainers.image.ref.name"
    return next(entry for entry in entries if entry.get("annotations", {}).get(key) == reference)


def manifest(layout: Path, reference: str) -> oci.Manifest:
    found = entry(layout, reference)
    return oci.parse(blob(layout, found["digest"]), found["mediaType"], reference)


def test_every_blob_has_its_name(layout: Path) -> None:
    for path in (layout / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


def test_only_one_layer_changes(layout: Path) -> None:
    old, new = (manifest(layout, f"{API}:{version}") for version in ("1.0.0", "1.1.0"))
    assert old.config != new.config
    assert [a == b for a, b in zip(old.layers, new.layers, strict=True)] == [True, True, False]


def test_a_few_files_of_it_change_and_every_time(layout: Path) -> None:
    def members(version: str) -> dict[str, tuple[int, bytes]]:
        data = blob(layout, manifest(layout, f"{API}:{version}").layers[-1].digest)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            files = [(info, archive.extractfile(info)) for info in archive if info.isfile()]
            return {info.name: (int(info.mtime), file.read()) for info, file in files if file}

    old, new = members("1.0.0"), members("1.1.0")
    assert old.keys() == new.keys()
    assert all(old[name][0] != new[name][0] for name in old)
    changed = {name for name in old if old[name][1] != new[name][1]}
    assert "srv/version" in changed
    assert len(changed) < len(old)


def test_diff_ids_are_those_of_the_plain_layers(layout: Path) -> None:
    found = manifest(layout, f"{API}:1.0.0")
    assert found.config is not None
    config = json.loads(blob(layout, found.config.digest))
    plain = [gzip.decompress(blob(layout, layer.digest)) for layer in found.layers]
    assert config["rootfs"]["diff_ids"] == [Digest.of(data) for data in plain]


def test_one_image_has_two_platforms(layout: Path) -> None:
    index = manifest(layout, CACHE)
    assert [str(child.platform) for child in index.manifests] == ["linux/amd64", "linux/arm64"]
    for child in index.manifests:
        assert len(oci.parse(blob(layout, child.digest), child.media_type, "child").layers) == 3


def test_something_is_attached_to_the_api_image(layout: Path) -> None:
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    attached = [
        oci.parse(blob(layout, entry["digest"]), entry["mediaType"], "referrer")
        for entry in entries
        if entry.get("artifactType") == fixture_images.SIGNATURE
    ]
    subjects = {referrer.subject.digest for referrer in attached if referrer.subject}
    assert subjects == {entry(layout, f"{API}:{version}")["digest"] for version in ("1.0.0", "1.1.0")}


def test_the_same_arguments_give_the_same_bytes(layout: Path, tmp_path: Path) -> None:
    fixture_images.build(tmp_path, [f"{API}:1.0.0", f"{API}:1.1.0", CACHE])
    for path in (path for path in layout.rglob("*") if path.is_file()):
        assert (tmp_path / path.relative_to(layout)).read_bytes() == path.read_bytes()


def test_without_busybox_there_are_still_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixture_images, "find_busybox", lambda: None)
    fixture_images.build(tmp_path, [f"{API}:1.0.0"])
    assert len(manifest(tmp_path, f"{API}:1.0.0").layers) == 3


def test_the_size_is_that_of_the_changing_layer(tmp_path: Path) -> None:
    fixture_images.build(tmp_path, [f"{API}:1.0.0"], size=1)
    plain = gzip.decompress(blob(tmp_path, manifest(tmp_path, f"{API}:1.0.0").layers[-1].digest))
    assert 1_000_000 < len(plain) < 1_300_000


def test_others_can_read_it(layout: Path, skopeo: Path) -> None:
    for reference in (f"{API}:1.0.0", CACHE):
        argv = [str(skopeo), "inspect", "--raw", f"oci:{layout}:{reference}"]
        raw = subprocess.run(argv, capture_output=True, check=True).stdout
        assert Digest.of(raw) == entry(layout, reference)["digest"]


def test_the_header_is_that_of_go() -> None:
    data = go_like_gzip(b"x" * 1000)
    assert data[:10] == bytes.fromhex("1f8b08000000000000ff")
    assert gzip.decompress(data) == b"x" * 1000


def test_text_has_the_size_it_should(tmp_path: Path) -> None:
    assert [len(source_text("a", size)) for size in (1000, 24 << 10)] == [1000, 24 << 10]
    assert source_text("a", 1000) != source_text("b", 1000)


@pytest.mark.parametrize(("name", "image"), [("shop", API), ("shop-1.1", API), ("bakery", "bakery/app:")])
def test_the_lists_of_the_fixture(name: str, image: str) -> None:
    references = fixture_images.read_list(fixture_images.ROOT / "fixtures" / name / "images.txt")
    assert any(image in reference for reference in references)
    assert all(fixture_images.split(reference)[1] != "latest" for reference in references)


def test_lists_have_comments(tmp_path: Path) -> None:
    path = tmp_path / "images.txt"
    path.write_text("# all of them\na/b:1  # why\n\nc:2\n")
    assert fixture_images.read_list(path) == ["a/b:1", "c:2"]


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("a.b:5000/c", ("a.b:5000/c", "latest")),
        ("a.b:5000/c:1", ("a.b:5000/c", "1")),
        ("c", ("c", "latest")),
        ("c:1@sha256:0", ("c", "1")),
    ],
)
def test_references_are_split(reference: str, parts: tuple[str, str]) -> None:
    assert fixture_images.split(reference) == parts


def test_the_boards_of_the_bakery_are_as_large_as_operators_are(tmp_path: Path) -> None:
    path = fixture_crd.write(tmp_path / fixture_crd.PLACE)
    assert 330_000 < path.stat().st_size < 360_000  # kubectl's annotation takes 262,144
    again = fixture_crd.write(tmp_path / "again.yaml")
    assert again.read_bytes() == path.read_bytes()
