"""What an image can do without never keeps it from travelling: it is left out, and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airstore.core.errors import NotFoundError
from airstore.core.image.descriptor import Platform
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from airstore.core.image.reference import Reference
from airstore.core.limits import LIMITS
from airstore.registry.sources.graph import ImageGraph, walk
from airstore.registry.sources.layout import OciLayout
from scripts.images.fixture_images import LayoutWriter
from tests.support.registry import layouts
from tests.support.registry.layouts import Node

REFERENCE = Reference.parse(layouts.REFERENCE)
AMD64 = Platform("linux", "amd64")
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
ABSENT = {"mediaType": OCI_MANIFEST, "digest": str(Digest.of(b"nowhere")), "size": 321}


def found(directory: Path, *platforms: Platform, reference: Reference = REFERENCE) -> ImageGraph:
    with OciLayout.directory(directory) as source:
        return walk(source, reference, platforms)


def lost(graph: ImageGraph) -> list[tuple[str, str | None, str]]:
    return [(part.subject, part.digest, part.reason) for part in graph.unavailable]


def attestation(subject: Node) -> Node:
    note = {"vnd.docker.reference.digest": subject["digest"]}
    return layouts.on(ABSENT, "unknown/unknown", **note)


def test_an_attestation_that_is_not_there_stays_behind(tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    child = layouts.image(writer, "kept")
    root = layouts.index(writer, [layouts.on(child, "linux/amd64"), attestation(child)])
    writer.name(root, layouts.REFERENCE)
    writer.finish()
    for platforms in ((), (AMD64,)):
        graph = found(tmp_path, *platforms)
        assert lost(graph) == [(root["digest"], ABSENT["digest"], "content")]
        assert [child.digest for child in graph.missing] == [ABSENT["digest"]]
        assert {root["digest"], child["digest"]} == set(map(str, graph.documents))
        assert "has no blobs/sha256" in graph.unavailable[0].why


def test_a_platform_that_is_listed_and_not_there_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    child = layouts.image(writer, "kept")
    root = layouts.index(writer, [layouts.on(child, "linux/amd64"), layouts.on(ABSENT, "linux/s390x")])
    writer.name(root, layouts.REFERENCE)
    writer.finish()
    with pytest.raises(NotFoundError) as caught:
        found(tmp_path)
    assert "linux/s390x" in caught.value.hint
    assert "platforms" in caught.value.hint
    assert lost(found(tmp_path, AMD64)) == []


def _chained(writer: LayoutWriter) -> Node:
    root = node = layouts.image(writer, "popular")
    for number in range(LIMITS.index_depth + 1):
        node = layouts.attachment(writer, node, f"{number}")
        writer.attach(node)
    return root


def _of_another(writer: LayoutWriter) -> Node:
    root = layouts.image(writer, "signed")
    stray = layouts.attachment(writer, layouts.image(writer, "other"), "about another")
    writer.name(layouts.index(writer, [stray]), root["digest"].replace(":", "-"))
    return root


def _absent(writer: LayoutWriter) -> Node:
    writer.attach(ABSENT)
    return layouts.image(writer, "signed")


def _absent_in_the_listing(writer: LayoutWriter) -> Node:
    root = layouts.image(writer, "signed")
    writer.name(layouts.index(writer, [ABSENT]), root["digest"].replace(":", "-"))
    return root


def _listing_absent(writer: LayoutWriter) -> Node:
    root = layouts.image(writer, "signed")
    writer.name({**ABSENT, "mediaType": OCI_INDEX}, root["digest"].replace(":", "-"))
    return root


def _not_json(writer: LayoutWriter) -> Node:
    root = layouts.image(writer, "signed")
    writer.name(writer.blob(b"<html>", OCI_MANIFEST), root["digest"].replace(":", "-") + ".sig")
    return root


ATTACHED: dict[str, tuple[Callable[[LayoutWriter], Node], str, str]] = {
    "nested too deep": (_chained, "listing", "nested deeper"),
    "attached to something else": (_of_another, "content", "but says"),
    "listed and not there": (_absent, "listing", "has no blobs"),
    "listed under the tag and not there": (_absent_in_the_listing, "content", "has no blobs"),
    "a listing that is not there": (_listing_absent, "listing", "has no blobs"),
    "no manifest at all": (_not_json, "content", "JSON"),
}


@pytest.mark.parametrize("case", ATTACHED)
def test_an_attachment_that_cannot_be_had_is_named_and_left_out(tmp_path: Path, case: str) -> None:
    make, reason, why = ATTACHED[case]
    writer = LayoutWriter(tmp_path)
    root = make(writer)
    writer.name(root, layouts.REFERENCE)
    writer.finish()
    graph = found(tmp_path)
    assert graph.root.digest == root["digest"]
    assert {part.reason for part in graph.unavailable} == {reason}
    assert any(why in part.why for part in graph.unavailable)
    held = {path.name for path in (tmp_path / "blobs" / "sha256").iterdir()}
    assert {blob.digest.hex for blob in graph.blobs} <= held


def test_parts_that_are_lost_later_take_along_only_what_is_theirs(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path)
    graph = found(tmp_path)
    sbom = Digest(nodes["sbom"]["digest"])
    assert [part.root.digest for part in graph.parts if part.subject == sbom] == [
        nodes["sbom-signature"]["digest"]
    ]
    less = graph.without({sbom: "gone", Digest(nodes["provenance-arm64"]["digest"]): "gone"})
    left = {part.digest for part in less.unavailable}
    assert left == {nodes["sbom"]["digest"], nodes["provenance-arm64"]["digest"]}
    assert nodes["provenance-arm64"]["digest"] in {child.digest for child in less.missing}
    assert nodes["sbom"]["digest"] not in {entry.digest for entry in less.referrers}
    empty = str(Digest.of(b"{}"))  # the configuration that all of them share is still somebody's
    assert empty in {str(blob.digest) for blob in less.blobs}
    assert {blob.digest for blob in graph.core} <= {blob.digest for blob in less.blobs}


def test_a_child_that_no_registry_takes_stays_behind(tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    note = writer.blob(b"read me", "text/plain")
    root = layouts.index(writer, [layouts.image(writer, "kept"), note])
    writer.name(root, layouts.REFERENCE)
    writer.name(layouts.index(writer, [note]), "registry.example.com/shop/none:1")
    writer.finish()
    assert lost(found(tmp_path)) == [(root["digest"], note["digest"], "kind")]
    with pytest.raises(NotFoundError, match="text/plain"):
        found(tmp_path, reference=Reference.parse("registry.example.com/shop/none:1"))


def _windows(writer: LayoutWriter, layer: dict[str, Any]) -> Node:
    foreign = {**layer, "urls": ["https://layers.example.com/base"]}
    return layouts.manifest(writer, writer.blob(b'{"os":"windows"}', OCI_CONFIG), [foreign])


def test_a_platform_whose_layers_are_kept_elsewhere_stays_behind(tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    windows = _windows(writer, {**ABSENT, "mediaType": FOREIGN})
    children = [layouts.on(layouts.image(writer, "x"), "linux/amd64"), layouts.on(windows, "windows/amd64")]
    root = layouts.index(writer, children)
    writer.name(root, layouts.REFERENCE)
    writer.name(windows, "registry.example.com/shop/win:1")
    writer.finish()
    assert lost(found(tmp_path)) == [(root["digest"], windows["digest"], "foreign")]
    alone = "registry.example.com/shop/win:1"
    for platforms, name in (((Platform("windows", "amd64"),), layouts.REFERENCE), ((), alone)):
        with pytest.raises(NotFoundError, match="foreign") as caught:
            found(tmp_path, *platforms, reference=Reference.parse(name))
        assert "platforms" in caught.value.hint


def test_a_foreign_layer_whose_bytes_are_there_is_a_layer(tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    layer = writer.blob(b"all here", OCI_LAYER.replace("layer.v1", "layer.nondistributable.v1"))
    root = _windows(writer, layer)
    writer.name(root, layouts.REFERENCE)
    writer.finish()
    assert layer["digest"] in {blob.digest for blob in found(tmp_path).blobs}


def test_an_unreadable_neighbour_does_not_hide_an_image(tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    root = layouts.image(writer, "kept")
    writer.name(root, layouts.REFERENCE)
    writer.name(ABSENT, "registry.example.com/shop/other:1")
    writer.finish()
    graph = found(tmp_path)
    assert (graph.root.digest, lost(graph)) == (root["digest"], [])
    pinned = Reference.parse(f"{layouts.NAME}@{root['digest']}")
    assert found(tmp_path, reference=pinned).root.digest == root["digest"]
    with pytest.raises(NotFoundError, match="has no blobs"):
        found(tmp_path, reference=Reference.parse("registry.example.com/shop/other:1"))
