"""OCI layouts as real tools and hostile hands write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airstore.core.errors import NotFoundError, UsageError
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.registry.source import REF_NAME
from airstore.registry.sources.graph import walk
from airstore.registry.sources.layout import OciLayout
from airstore.registry.sources.names import CONTAINERD_NAME
from scripts.images.fixture_images import LayoutWriter
from tests.support.registry import layouts

REFERENCE = Reference.parse(layouts.REFERENCE)


def resolved(directory: Path, reference: str) -> str:
    with OciLayout.directory(directory) as source:
        return source.resolve(Reference.parse(reference)).digest


def test_a_directory_and_its_tar_hold_the_same(tmp_path: Path) -> None:
    layouts.write_full(tmp_path / "d", size=600_000)
    tar = layouts.pack(tmp_path / "d", tmp_path / "layout.tar")
    with OciLayout.directory(tmp_path / "d") as one, OciLayout.archive(tar) as other:
        graph = walk(one, REFERENCE)
        assert graph == walk(other, REFERENCE)
        for blob in graph.blobs:
            data = b"".join(one.open(REFERENCE, blob))
            assert Digest.of(data) == blob.digest
            assert b"".join(other.open(REFERENCE, blob)) == data
            assert b"".join(other.read(blob.digest, 3, 700)) == data[3:700]
            assert other.size(blob.digest) == len(data)


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
def test_skopeo_writes_layouts_with_the_bare_tag(tmp_path: Path, skopeo: Path, kind: str) -> None:
    nodes = layouts.write_full(tmp_path / "in")
    out = tmp_path / "out"
    layouts.run(
        skopeo, "copy", "-q", "--all", f"oci:{tmp_path / 'in'}:{layouts.REFERENCE}", f"{kind}:{out}:1.0"
    )
    with OciLayout.directory(out) if kind == "oci" else OciLayout.archive(out) as source:
        assert source.resolve(REFERENCE).digest == nodes["root"]["digest"]
        assert {c["digest"] for c in (nodes["amd64"], nodes["arm64"])} <= walk(
            source, REFERENCE
        ).documents.keys()


def test_umoci_changes_an_image_and_its_layout_is_read(
    tmp_path: Path, umoci: Path, busybox_layout: Callable[..., Path]
) -> None:
    layout = busybox_layout()
    tag = "registry.example.com/shop/api:1.0.0"
    entry = json.loads((layout / "index.json").read_text())["manifests"][0]
    layouts.rename(layout, {"old": {key: entry[key] for key in ("mediaType", "digest", "size")}})
    layouts.run(umoci, "config", "--image", f"{layout}:old", "--tag", "new", "--config.env", "COLOUR=blue")
    assert resolved(layout, f"{tag.rpartition(':')[0]}:new") != resolved(
        layout, f"{tag.rpartition(':')[0]}:old"
    )
    with OciLayout.directory(layout) as source:
        reference = Reference.parse("registry.example.com/shop/api:new")
        config = next(b for b in walk(source, reference).blobs if "config" in b.media_type)
        assert b"COLOUR=blue" in b"".join(source.read(config.digest))


@pytest.mark.parametrize(
    ("names", "asked", "expected"),
    [
        ({"1.0": "a"}, "example.com/shop/app:1.0", "a"),
        ({"app:1.0": "a", "web:1.0": "b"}, "example.com/shop/web:1.0", "b"),
        ({"shop/app:1.0": "a", "blog/app:1.0": "b"}, "example.com/blog/app:1.0", "b"),
        ({"example.com/shop/app:1.0": "a", "1.0": "b"}, "example.com/shop/app:1.0", "a"),
        ({"docker.io/library/nginx:1.0": "a", "1.0": "b"}, "nginx:1.0", "a"),
        ({"other.com/shop/app:1.0": "a", "1.0": "b"}, "example.com/shop/app:1.0", "b"),
        ({"": "a"}, "example.com/shop/app:1.0", "a"),
    ],
)
def test_the_most_precise_name_counts(
    tmp_path: Path, names: dict[str, str], asked: str, expected: str
) -> None:
    writer = LayoutWriter(tmp_path)
    nodes = {text: layouts.image(writer, text) for text in "ab"}
    writer.finish()
    layouts.rename(tmp_path, {name: nodes[text] for name, text in names.items()})
    assert resolved(tmp_path, asked) == nodes[expected]["digest"]


def test_a_full_name_of_another_image_outweighs_an_equal_tag(tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    node = layouts.image(writer, "a")
    both = {CONTAINERD_NAME: "example.com/shop/app:1.0", REF_NAME: "1.0"}
    writer.attach({**node, "annotations": both})
    writer.finish()
    assert resolved(tmp_path, "example.com/shop/app:1.0") == node["digest"]
    with pytest.raises(NotFoundError) as caught:
        resolved(tmp_path, "example.com/shop/web:1.0")
    assert "example.com/shop/app:1.0" in caught.value.hint


def test_several_candidates_are_an_error_that_lists_them(tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    one, other = (layouts.image(writer, text) for text in "ab")
    writer.finish()
    entries = [{**node, "annotations": {REF_NAME: "1.0"}} for node in (one, other)]
    (tmp_path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    with pytest.raises(UsageError, match="several images") as caught:
        resolved(tmp_path, "example.com/shop/app:1.0")
    assert "there is: 1.0" in caught.value.hint
    layouts.rename(tmp_path, {"": one, "2.0": other})
    with pytest.raises(NotFoundError) as missing:
        resolved(tmp_path, "example.com/shop/app:1.0")
    assert missing.value.hint == f"it has: 2.0, {one['digest']}"
    assert resolved(tmp_path, f"example.com/shop/app@{other['digest']}") == other["digest"]
