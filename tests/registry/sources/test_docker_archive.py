"""Docker archives of every generation, and OCI layouts within archives."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from airstore.core.image.reference import Reference
from airstore.registry.sources.archive import DockerArchive, open_docker_archive
from airstore.registry.sources.graph import walk
from scripts.images.fixture_images import LayoutWriter
from tests.registry.sources.test_archive import Part, member, write_tar
from tests.support.registry import layouts

REFERENCE = Reference.parse("example.com/shop/app:1.0")


def saved(directory: Path, skopeo: Path, tag: str = "example.com/shop/app:1.0") -> Path:
    """An image as skopeo saves it, as ``docker save`` does."""
    writer = LayoutWriter(directory / "layout")
    writer.name(layouts.image(writer, "content", size=300_000), "1.0")
    writer.finish()
    out = directory / "saved.tar"
    suffix = f":{tag}" if tag else ""
    layouts.run(skopeo, "copy", "-q", f"oci:{directory / 'layout'}:1.0", f"docker-archive:{out}{suffix}")
    return out


def test_skopeos_docker_archive_becomes_a_manifest(tmp_path: Path, skopeo: Path) -> None:
    path = saved(tmp_path, skopeo)
    with open_docker_archive(path) as source:
        graph = walk(source, REFERENCE)
        media_types = sorted(blob.media_type for blob in graph.blobs)
        assert media_types == [OCI_CONFIG, OCI_LAYER, OCI_MANIFEST]
        for blob in graph.blobs:
            assert Digest.of(b"".join(source.open(REFERENCE, blob))) == blob.digest
        layer = next(blob for blob in graph.blobs if blob.media_type == OCI_LAYER)
        assert layer.digest == layouts.layer("content", 300_000)[1]
    with open_docker_archive(path) as again:
        assert walk(again, REFERENCE) == graph


def test_the_made_manifest_is_one_that_skopeo_accepts(tmp_path: Path, skopeo: Path) -> None:
    path = saved(tmp_path, skopeo)
    with open_docker_archive(path) as source:
        graph = walk(source, REFERENCE)
        writer = LayoutWriter(tmp_path / "out")
        for blob in graph.blobs:
            entry = writer.blob(b"".join(source.open(REFERENCE, blob)), blob.media_type)
            if blob.digest == graph.root.digest:
                writer.name(entry, "1.0")
        writer.finish()
    layouts.run(skopeo, "copy", "-q", f"oci:{tmp_path / 'out'}:1.0", f"dir:{tmp_path / 'dir'}")
    assert Digest.of((tmp_path / "dir" / "manifest.json").read_bytes()) == graph.root.digest


def test_an_archive_without_tags_serves_what_is_mapped_to_it(tmp_path: Path, skopeo: Path) -> None:
    with open_docker_archive(saved(tmp_path, skopeo, tag="")) as source:
        assert source.resolve(REFERENCE) == source.resolve(Reference.parse("other.com/x:2"))


def test_tags_and_digests_an_archive_does_not_have(tmp_path: Path, skopeo: Path) -> None:
    with open_docker_archive(saved(tmp_path, skopeo)) as source:
        with pytest.raises(NotFoundError) as caught:
            source.resolve(Reference.parse("example.com/shop/app:2.0"))
        assert caught.value.hint == "it has: example.com/shop/app:1.0"
        pinned = f"example.com/shop/app:1.0@sha256:{'ab' * 32}"
        with pytest.raises(NotFoundError) as other:
            source.resolve(Reference.parse(pinned))
        assert "does not keep the registry's manifest" in other.value.hint
        made = source.resolve(REFERENCE)
        assert source.resolve(Reference.parse(f"example.com/shop/app:1.0@{made.digest}")) == made


def legacy(layers: list[Part], paths: list[str], plain: list[bytes]) -> list[Part]:
    """An archive as docker wrote it before it took over the OCI layout."""
    diff_ids = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in plain]
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    listing = [{"Config": "config.json", "RepoTags": ["example.com/shop/app:1.0"], "Layers": paths}]
    files = [member("config.json", json.dumps(config).encode())]
    return [*layers, *files, member("manifest.json", json.dumps(listing).encode())]


def test_an_archive_may_name_its_files_as_tar_does(tmp_path: Path, skopeo: Path) -> None:
    plain = tmp_path / "plain.tar"
    write_tar(plain, [member("a", b"1")])
    layer = plain.read_bytes()
    listing, config = "manifest.json", legacy([], ["./x.tar"], [layer])[0]
    document = {"Config": "./config.json", "RepoTags": ["example.com/shop/app:1.0"], "Layers": ["./x.tar"]}
    parts = [config, member("x.tar", layer), member(listing, json.dumps([document]).encode())]
    path = write_tar(tmp_path / "a.tar", parts)
    layouts.run(skopeo, "copy", "-q", f"docker-archive:{path}", f"dir:{tmp_path / 'out'}")
    with open_docker_archive(path) as source:
        (found,) = (blob for blob in walk(source, REFERENCE).blobs if blob.media_type == OCI_LAYER)
        assert b"".join(source.open(REFERENCE, found)) == layer


def test_old_archives_link_equal_layers(tmp_path: Path) -> None:
    layers = [
        member("one", kind=tarfile.DIRTYPE),
        member("one/layer.tar", b"first"),
        member("two/layer.tar", kind=tarfile.SYMTYPE, target="../one/layer.tar"),
    ]
    parts = legacy(layers, ["one/layer.tar", "two/layer.tar"], [b"first", b"first"])
    with open_docker_archive(write_tar(tmp_path / "a.tar", parts)) as source:
        (layer,) = (blob for blob in walk(source, REFERENCE).blobs if blob.media_type == OCI_LAYER)
        assert b"".join(source.open(REFERENCE, layer)) == b"first"


def test_compressed_layers_keep_their_bytes(tmp_path: Path) -> None:
    plain = b"layer" * 200_000
    packed = gzip.compress(plain[:400_000], mtime=0) + gzip.compress(plain[400_000:], mtime=0)
    parts = legacy([member("l.tar.gz", packed)], ["l.tar.gz"], [plain])
    with open_docker_archive(write_tar(tmp_path / "a.tar", parts)) as source:
        layer = next(b for b in walk(source, REFERENCE).blobs if "layer" in b.media_type)
        assert layer.media_type == f"{OCI_LAYER}+gzip"
        assert b"".join(source.open(REFERENCE, layer)) == packed


def _without(key: str) -> Callable[[], list[Part]]:
    def make() -> list[Part]:
        parts = legacy([member("l", b"x")], ["l"], [b"x"])
        return [part for part in parts if part[0].name != key]

    return make


def _listing(document: object) -> Callable[[], list[Part]]:
    return lambda: [member("manifest.json", json.dumps(document).encode())]


PACKED = gzip.compress(b"x" * 100, mtime=0)


BROKEN: dict[str, tuple[Callable[[], list[Part]], str]] = {
    "no manifest.json": (_without("manifest.json"), "has no manifest.json"),
    "no config": (_without("config.json"), "has no config.json"),
    "no layer": (_without("l"), "has no l"),
    "other layer": (lambda: legacy([member("l", b"y")], ["l"], [b"x"]), "is not the sha256"),
    "layer left out": (lambda: legacy([], [], [b"x"]), "0 layers where its config has 1"),
    "cut gzip": (lambda: legacy([member("l", PACKED[:-4])], ["l"], [b"x" * 100]), "is cut off"),
    "bad gzip": (lambda: legacy([member("l", PACKED[:-8] + bytes(8))], ["l"], [b"x"]), "not intact gzip"),
    "an object": (_listing({}), "must be an array"),
    "a number for tags": (_listing([{"Config": "c", "RepoTags": 1}]), "must be strings"),
    "bad tag": (_listing([{"Config": "c", "RepoTags": ["<none>:<none>"]}]), "has no c"),
    "no rootfs": (
        lambda: [
            member("c", b"{}"),
            *_listing([{"Config": "c", "RepoTags": ["example.com/shop/app:1.0"]}])(),
        ],
        "no rootfs.diff_ids",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_archives_name_their_fault(tmp_path: Path, case: str) -> None:
    make, message = BROKEN[case]
    path = write_tar(tmp_path / "a.tar", make())
    with pytest.raises((DamagedError, NotFoundError), match=message), open_docker_archive(path) as source:
        walk(source, REFERENCE)


def test_an_embedded_oci_layout_is_preferred(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path / "d")
    (tmp_path / "d" / "manifest.json").write_text("[]")
    with open_docker_archive(layouts.pack(tmp_path / "d", tmp_path / "a.tar")) as source:
        assert not isinstance(source, DockerArchive)
        assert source.resolve(Reference.parse(layouts.REFERENCE)).digest == nodes["root"]["digest"]
