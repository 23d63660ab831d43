"""Registries that refuse what is attached to images get the images; what they refused is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airstore.core.errors import TransferError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_INDEX, OCI_MANIFEST
from airstore.core.image.reference import Reference
from airstore.core.model.release import Image
from airstore.registry.client.manifests import write_manifest
from airstore.registry.client.referrers import referrers_tag
from airstore.registry.client.registry import RegistryClient
from airstore.registry.push.plan import plan_push
from airstore.registry.push.push import PushResult, push
from airstore.registry.source import PartialListError
from airstore.registry.sources.graph import walk
from airstore.registry.sources.layout import OciLayout
from tests.support.registry import layouts
from tests.support.registry.faults import Fault, FaultProxy
from tests.support.registry.parts import Connect, LayoutReader, Shipment, ship

pytestmark = pytest.mark.slow


@pytest.fixture
def signed(tmp_path: Path) -> Shipment:
    """One image with a signature that has a subject."""
    return ship(tmp_path / "signed", ["shop/api:1.0.0"])


@pytest.fixture
def full(tmp_path: Path) -> tuple[Image, LayoutReader, dict[str, layouts.Node]]:
    """An index with attestations, an SBOM, the SBOM's signature, and a cosign tag."""
    nodes = layouts.write_full(tmp_path / "full")
    reference = Reference.parse(layouts.REFERENCE)
    with OciLayout.directory(tmp_path / "full") as source:
        graph = walk(source, reference)
    image = Image(reference, graph.root, graph.blobs, graph.referrers, graph.missing)
    return image, LayoutReader(tmp_path / "full"), nodes


def _push(client: RegistryClient, image: Image, reader: LayoutReader) -> PushResult:
    return push(client, plan_push(client, [image], reader), reader, lambda _count: None)


def _faults(digest: str) -> Iterator[Fault]:
    for status in (400, 403, 404, 405, 413, 415, 500, 501):
        yield Fault("PUT", f"/manifests/{digest}", times=100, status=status)
    yield Fault("GET", f"/manifests/{digest}", times=100, status=404)
    yield Fault("GET", f"/manifests/{digest}", times=100, status=403)
    yield Fault("GET", f"/manifests/{digest}", times=100, status=200, body=b"<html>hello</html>")


@pytest.mark.parametrize("number", range(11))
def test_a_refused_attachment_is_named_and_the_image_is_there(
    connect: Connect, proxy: FaultProxy, signed: Shipment, number: int
) -> None:
    image = signed.images[0]
    attached = image.referrers[0].digest
    proxy.faults.append(list(_faults(attached))[number])
    result = _push(connect(proxy.host), image, signed.reader)
    assert {each.digest for each in result.unattached} == {attached}
    assert connect(proxy.host).resolve(image.reference).digest == image.root.digest
    assert attached not in {placed.blob.digest for placed in result.manifests}
    proxy.faults.clear()
    assert _push(connect(proxy.host), image, signed.reader).unattached == ()


def test_a_refused_blob_of_an_attachment_takes_the_attachment_with_it(
    connect: Connect, proxy: FaultProxy, full: tuple[Image, LayoutReader, dict[str, layouts.Node]]
) -> None:
    image, reader, nodes = full
    bodies = {"packages", "signed index", "provenance of arm64"}
    for body in bodies:
        digest = Digest.of(body.encode())
        proxy.faults.append(Fault("PUT", f"digest=sha256%3A{digest.hex}", times=100, status=403))
    result = _push(connect(proxy.host), image, reader)
    lost = {str(each.digest) for each in result.unattached}
    assert {nodes[name]["digest"] for name in ("sbom", "cosign", "provenance-arm64")} <= lost
    assert nodes["provenance-amd64"]["digest"] not in lost
    client = connect(proxy.host)
    found = client.resolve(image.reference).digest
    # The real registry refuses an index whose child it lacks: one platform's manifest is under the tag.
    assert str(found) in {nodes["root"]["digest"], nodes["amd64"]["digest"]}
    if str(found) != nodes["root"]["digest"]:
        assert [each.tag for each in result.substituted] == ["1.0"]


def test_a_refused_blob_of_the_image_itself_is_an_error(
    connect: Connect, proxy: FaultProxy, signed: Shipment
) -> None:
    image = signed.images[0]
    layer = max(image.blobs, key=lambda blob: blob.size)
    proxy.faults.append(Fault("PUT", f"digest=sha256%3A{layer.digest.hex}", times=100, status=403))
    with pytest.raises(TransferError, match="403"):
        _push(connect(proxy.host), image, signed.reader)


def test_a_tag_in_the_way_of_the_listing_is_left_alone(
    connect: Connect, proxy: FaultProxy, signed: Shipment
) -> None:
    image, client = signed.images[0], connect(proxy.host)
    _push(client, image, signed.reader)
    tag = referrers_tag(image.root.digest)
    other = image.referrers[0]
    data = signed.reader.read_bytes(other.digest, 1 << 20)
    write_manifest(client.transport, client.repository("shop/api"), tag, OCI_MANIFEST, data)
    result = _push(client, image, signed.reader)
    assert [each.digest for each in result.unattached] == [other.digest]
    assert "no list of attachments" in result.unattached[0].why
    assert client.resolve(Reference("x.example", "shop/api", tag)).digest == other.digest


def test_a_registry_that_answers_the_listings_tag_with_the_image_lists_nothing(
    connect: Connect, proxy: FaultProxy, signed: Shipment
) -> None:
    image, client = signed.images[0], connect(proxy.host)
    root = signed.reader.read_bytes(image.root.digest, 1 << 20)
    tag = referrers_tag(image.root.digest)
    alias = {"Content-Type": image.root.media_type}
    proxy.faults.append(Fault("GET", f"/manifests/{tag}$", times=100, status=200, headers=alias, body=root))
    result = _push(client, image, signed.reader)
    assert [each.digest for each in result.unattached] == [image.referrers[0].digest]
    graph = walk(client, image.reference)
    assert (graph.root.digest, graph.referrers, graph.unavailable) == (image.root.digest, (), ())


ANSWERS = {
    "forbidden": Fault("GET", "/referrers/", times=100, status=403),
    "an error": Fault("GET", "/referrers/", times=100, status=500),
    "no index": Fault(
        "GET", "/referrers/", times=100, status=200, headers={"Content-Type": OCI_INDEX}, body=b"{}"
    ),
    "a cosign tag that is broken": Fault("GET", r"\.sig$", times=100, status=200, body=b"oops"),
    "a tag that is forbidden": Fault("GET", r"/manifests/sha256-\w+$", times=100, status=401),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_listing_that_fails_does_not_stop_the_image(
    connect: Connect, proxy: FaultProxy, signed: Shipment, case: str
) -> None:
    image, client = signed.images[0], connect(proxy.host, retries=0)
    _push(client, image, signed.reader)
    proxy.faults.append(ANSWERS[case])
    with pytest.raises(PartialListError) as caught:
        client.referrers(image.reference, image.root.digest)
    graph = walk(client, image.reference)
    assert graph.root.digest == image.root.digest
    assert {part.reason for part in graph.unavailable} == {"listing"}
    # Whatever else works is still asked: here the tag that airstore itself keeps up to date.
    kept: set[Descriptor] = set(caught.value.found)
    assert bool(kept) == (case != "a tag that is forbidden")
