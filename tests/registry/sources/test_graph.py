"""Everything an image consists of is found, and nothing doubtful is accepted."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.image.descriptor import Descriptor, Platform
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_CONFIG, OCI_INDEX, OCI_LAYER
from airstore.core.image.reference import Reference
from airstore.core.limits import LIMITS
from airstore.registry.source import REF_NAME
from airstore.registry.sources.graph import ImageGraph, walk
from airstore.registry.sources.layout import OciLayout
from scripts.images.fixture_images import EMPTY, LayoutWriter
from tests.support.registry import layouts
from tests.support.registry.layouts import Node

REFERENCE = Reference.parse(layouts.REFERENCE)
AMD64 = Platform("linux", "amd64")


def found(directory: Path, *platforms: Platform) -> ImageGraph:
    with OciLayout.directory(directory) as source:
        return walk(source, REFERENCE, platforms)


EQUAL = [
    ("linux/arm64/v8", "linux/arm64"),
    ("linux/arm64", "linux/arm64/v8"),
    ("linux/aarch64", "linux/arm64"),
    ("linux/x86_64", "linux/amd64"),
    ("linux/amd64/v1", "linux/amd64"),
    ("linux/arm/v7", "linux/arm"),
    ("linux/armhf", "linux/arm/v7"),
    ("linux/armv7l", "linux/arm/v7"),
    ("linux/armv6", "linux/arm/v6"),
    ("linux/armv8", "linux/arm64"),
    ("linux/arm/7", "linux/arm/v7"),
    ("Linux/AMD64", "linux/amd64"),
]
OTHER = [
    ("linux/arm64/v8", "linux/arm64/v9"),
    ("linux/arm/v6", "linux/arm"),
    ("linux/armel", "linux/arm/v7"),
    ("linux/amd64/v3", "linux/amd64"),
    ("windows/amd64", "linux/amd64"),
    ("linux/386", "linux/amd64"),
]


@pytest.mark.parametrize(("wanted", "offered"), EQUAL)
def test_one_machine_has_many_names(wanted: str, offered: str) -> None:
    assert Platform.parse(offered).matches(Platform.parse(wanted))


@pytest.mark.parametrize(("wanted", "offered"), OTHER)
def test_another_machine_is_another(wanted: str, offered: str) -> None:
    assert not Platform.parse(offered).matches(Platform.parse(wanted))


def test_all_platforms_and_all_that_is_attached_travel(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path)
    graph = found(tmp_path)
    assert graph.root.digest == nodes["root"]["digest"]
    assert {str(digest) for digest in graph.documents} == {node["digest"] for node in nodes.values()}
    blobs = {path.name for path in (tmp_path / "blobs" / "sha256").iterdir()}
    assert {blob.digest.hex for blob in graph.blobs} == blobs
    assert [blob.digest for blob in graph.blobs] == sorted(blob.digest for blob in graph.blobs)
    assert graph.missing == ()
    for digest, data in graph.documents.items():
        assert Digest.of(data) == digest


def test_referrers_are_found_around_every_document_and_keep_cosigns_tag(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path)
    referrers = {entry.digest: entry.annotations.get(REF_NAME) for entry in found(tmp_path).referrers}
    assert referrers == {
        nodes["sbom"]["digest"]: None,
        nodes["sbom-signature"]["digest"]: None,
        nodes["cosign"]["digest"]: layouts.cosign_tag(nodes["root"]),
    }


def test_a_platform_left_out_takes_its_attestation_along(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path)
    graph = found(tmp_path, AMD64)
    left = {nodes[name]["digest"] for name in ("arm64", "provenance-arm64")}
    assert {child.digest for child in graph.missing} == left
    assert not left & {blob.digest for blob in graph.blobs}
    assert nodes["provenance-amd64"]["digest"] in graph.documents
    assert graph.documents[graph.root.digest] == found(tmp_path).documents[graph.root.digest]


def test_what_hangs_on_a_platform_left_out_stays_behind(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path)
    digests = {entry.digest for entry in found(tmp_path, Platform("linux", "arm64")).referrers}
    assert digests == {nodes["cosign"]["digest"]}


def test_an_image_for_other_machines_is_refused(tmp_path: Path) -> None:
    layouts.write_full(tmp_path)
    with pytest.raises(NotFoundError, match="not there for linux/s390x") as caught:
        found(tmp_path, Platform("linux", "s390x"))
    assert caught.value.hint == "it is for linux/amd64, linux/arm64"


def test_a_single_manifest_for_another_machine_is_refused(tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    writer.name(layouts.image(writer, "x", "arm64"), layouts.REFERENCE)
    writer.finish()
    with pytest.raises(NotFoundError, match="not there for linux/amd64"):
        found(tmp_path, AMD64)
    assert found(tmp_path, Platform("linux", "arm64", "v8")).missing == ()


def test_a_pinned_digest_must_be_what_the_source_answers(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path)
    pinned = Reference.parse(f"{layouts.REFERENCE}@{nodes['sbom']['digest']}")

    class Careless:
        """A source that ignores digests."""

        def __init__(self, layout: OciLayout) -> None:
            self._layout = layout
            self.open, self.referrers = layout.open, layout.referrers

        def resolve(self, reference: Reference) -> Descriptor:
            return self._layout.resolve(Reference(reference.host, reference.path, reference.tag))

    with OciLayout.directory(tmp_path) as source:
        assert walk(source, pinned).root.digest == nodes["sbom"]["digest"]
        with pytest.raises(DamagedError, match="answered with"):
            walk(Careless(source), pinned)


def _nested(depth: int) -> Callable[[LayoutWriter], Node]:
    def make(writer: LayoutWriter) -> Node:
        node = layouts.image(writer, "deep")
        for _ in range(depth):
            node = layouts.index(writer, [node])
        return node

    return make


def _chained(length: int) -> Callable[[LayoutWriter], Node]:
    def make(writer: LayoutWriter) -> Node:
        root = node = layouts.image(writer, "popular")
        for number in range(length):
            node = layouts.attachment(writer, node, f"{number}")
            writer.attach(node)
        return root

    return make


def test_nesting_up_to_the_bound_is_accepted(tmp_path: Path) -> None:
    for number, make in enumerate((_nested(LIMITS.index_depth), _chained(LIMITS.index_depth - 1))):
        writer = LayoutWriter(tmp_path / str(number))
        writer.name(make(writer), layouts.REFERENCE)
        writer.finish()
        assert len(found(tmp_path / str(number)).documents) == LIMITS.index_depth + 1 - number


def _with_layer(**changes: Any) -> Callable[[LayoutWriter], Node]:
    def make(writer: LayoutWriter) -> Node:
        blob = {**writer.blob(b"layer", OCI_LAYER), **changes}
        return layouts.manifest(writer, writer.blob(b"{}", OCI_CONFIG), [blob])

    return make


def _with_child(**changes: Any) -> Callable[[LayoutWriter], Node]:
    return lambda writer: layouts.index(writer, [{**layouts.image(writer, "child"), **changes}])


def _both(writer: LayoutWriter) -> Node:
    return layouts.image(writer, "both", manifests=[])


def _two_sizes(writer: LayoutWriter) -> Node:
    one = writer.blob(b"shared", OCI_LAYER)
    config = writer.blob(b"{}", OCI_CONFIG)
    first = layouts.manifest(writer, config, [one])
    second = layouts.manifest(writer, config, [{**one, "size": 7}])
    return layouts.index(writer, [first, second])


def _listed_twice(writer: LayoutWriter) -> Node:
    child = layouts.image(writer, "child")
    return layouts.index(writer, [child, {**child, "mediaType": OCI_INDEX}])


def _too_large(writer: LayoutWriter) -> Node:
    return layouts.image(writer, "large", annotations={"padding": "x" * LIMITS.manifest})


DAMAGE = {
    "upper-case digest": (_with_layer(digest="sha256:" + "AB" * 32), "lower-case"),
    "another algorithm": (_with_layer(digest="sha512:" + "ab" * 64), "not a sha256"),
    "negative size": (_with_layer(size=-1), "whole number"),
    "size is a boolean": (_with_layer(size=True), "whole number"),
    "data of other content": (_with_layer(data=base64.b64encode(b"LAYER").decode()), "not the content"),
    "data is not base64": (_with_layer(data="*"), "not base64"),
    "annotations are a list": (_with_layer(annotations=["x"]), "annotations"),
    "manifest annotations": (lambda w: layouts.image(w, "x", annotations=["x"]), "annotations"),
    "manifest is too short": (_with_child(size=10), "longer than"),
    "manifest is too long": (_with_child(size=100_000), "ends after"),
    "wrong media type": (_with_child(mediaType=OCI_INDEX), "was given as"),
    "manifest and index": (_both, "both"),
    "a blob of two sizes": (_two_sizes, "both 6 and 7"),
    "a document of two types": (_listed_twice, "is listed as"),
    "a huge manifest": (_too_large, "at most"),
    "indexes nested too deep": (_nested(LIMITS.index_depth + 1), "nested deeper"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named(tmp_path: Path, case: str) -> None:
    make, message = DAMAGE[case]
    writer = LayoutWriter(tmp_path)
    writer.name(make(writer), layouts.REFERENCE)
    writer.finish()
    with pytest.raises(DamagedError, match=message):
        found(tmp_path)


def test_a_changed_manifest_is_noticed(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path)
    path = layouts.blob_path(tmp_path, nodes["arm64"]["digest"])
    path.write_bytes(path.read_bytes().replace(b"sha256:", b"sha256;", 1))
    with pytest.raises(DamagedError, match="has other content"):
        found(tmp_path)


def test_the_number_of_documents_is_bounded(tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    config = writer.blob(b"{}", EMPTY)
    children = [
        layouts.manifest(writer, config, [], annotations={"number": str(number)})
        for number in range(LIMITS.image_documents)
    ]
    writer.name(layouts.index(writer, children), layouts.REFERENCE)
    writer.finish()
    with pytest.raises(DamagedError, match="too many"):
        found(tmp_path)
