"""Pushing to Debian's real registry, read back with skopeo."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from airstore.charts.helm.command import Helm
from airstore.charts.packages.artifact import chart_artifact
from airstore.charts.packages.package import package_directory
from airstore.core.errors import DamagedError, TransferError, UsageError
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.core.model.release import Chart, Image
from airstore.registry.client.manifests import write_manifest
from airstore.registry.client.referrers import list_by_tag, referrers_tag, with_referrers
from airstore.registry.push.push import plan_push, push
from airstore.registry.source import REF_NAME
from tests.support.registry.faults import Fault, FaultProxy
from tests.support.registry.parts import Connect, LayoutReader, Shipment, ship, single_blob_image
from tests.support.registry.servers import RegistryServer


def _raw(skopeo: Path, host: str, path: str) -> bytes:
    command = [str(skopeo), "inspect", "--tls-verify=false", "--raw", f"docker://{host}/{path}"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_what_was_pushed_is_what_skopeo_copies(
    registry: RegistryServer, connect: Connect, prefix: str, shipment: Shipment, skopeo: Path, tmp_path: Path
) -> None:
    client = connect(registry.host)
    sent: list[int] = []
    plan = plan_push(client, shipment.images, shipment.reader)
    result = push(client, plan, shipment.reader, sent.append)

    assert plan.uploads
    assert sum(sent) == plan.upload_bytes
    assert not result.substituted
    for image in shipment.images:
        path = f"{prefix}/{image.reference.path}:{image.reference.tag}"
        assert Digest.of(_raw(skopeo, registry.host, path)) == image.root.digest
        out = tmp_path / image.reference.path.replace("/", "-")
        subprocess.run(
            [
                skopeo,
                "copy",
                "-q",
                "--all",
                "--src-tls-verify=false",
                f"docker://{registry.host}/{path}",
                f"oci:{out}",
            ],
            check=True,
        )
        copied = {file.name for file in (out / "blobs" / "sha256").iterdir()}
        attached = {blob.digest.hex for blob in _blobs_of_referrers(image, shipment)}
        assert copied == {blob.digest.hex for blob in image.blobs} - attached


def _blobs_of_referrers(image: Image, shipment: Shipment) -> set[Descriptor]:
    found: set[Descriptor] = set()
    for referrer in image.referrers:
        data = shipment.reader.read_bytes(referrer.digest, 1 << 20)
        found |= {referrer, *oci.parse(data, referrer.media_type, "referrer").blobs}
    return found


def test_a_second_push_sends_nothing(
    registry: RegistryServer, connect: Connect, proxy: FaultProxy, shipment: Shipment
) -> None:
    client = connect(proxy.host)
    push(client, plan_push(client, shipment.images, shipment.reader), shipment.reader, lambda _count: None)
    proxy.requests.clear()

    plan = plan_push(client, shipment.images, shipment.reader)
    result = push(client, plan, shipment.reader, lambda _count: None)

    assert plan.upload_bytes == 0
    assert (plan.uploads, plan.mounts, plan.manifests, plan.tags) == ((), (), (), ())
    assert len(result.skipped) == len(plan.present) > 0
    assert proxy.count("^(POST|PUT|PATCH|DELETE) ") == 0


def test_layers_that_images_share_are_sent_once_and_mounted(
    registry: RegistryServer, connect: Connect, proxy: FaultProxy, shipment: Shipment
) -> None:
    client = connect(proxy.host)
    plan = plan_push(client, shipment.images, shipment.reader)
    result = push(client, plan, shipment.reader, lambda _count: None)

    assert plan.mounts
    assert result.mounted == plan.mounts
    digests = [placed.blob.digest for placed in plan.uploads]
    assert len(digests) == len(set(digests))
    assert proxy.count("^PUT .*digest=") == len(plan.uploads)


def test_a_new_image_takes_no_more_requests_than_another_client_needs(
    registry: RegistryServer, connect: Connect, proxy: FaultProxy, tmp_path: Path
) -> None:
    """Four for each layer, three for its config, three for its tag; half of them once it is there."""
    image, reader = single_blob_image(tmp_path / "image", "shop/one:1", 1000)
    layers = len(image.blobs) - 2  # a manifest, a config
    client = connect(proxy.host)
    result = push(client, plan_push(client, [image], reader), reader, lambda _count: None)
    assert len(proxy.requests) == 4 * layers + 3 + 3
    assert len(result.manifests) == len(result.tags) == 1

    proxy.requests.clear()
    assert plan_push(client, [image], reader).manifests == ()
    assert len(proxy.requests) == layers + 2


def test_a_manifest_is_asked_for_by_digest_where_no_header_vouches_for_it(
    registry: RegistryServer, connect: Connect, proxy: FaultProxy, tmp_path: Path
) -> None:
    image, reader = single_blob_image(tmp_path / "image", "shop/one:1", 1000)
    data = reader.read_bytes(image.root.digest, 10_000)
    silent = {"Content-Type": image.root.media_type, "Content-Length": str(len(data))}
    by_tag = Fault("GET", "/manifests/1$", times=99, status=200, headers=silent, body=data)
    client = connect(proxy.host)
    proxy.faults.append(by_tag)
    # The tag answers with the right bytes, and the registry has nothing.
    plan = plan_push(client, [image], reader)
    assert [placed.blob.digest for placed in plan.manifests] == [image.root.digest]
    push(client, plan, reader, lambda _count: None)
    assert plan_push(client, [image], reader).manifests == ()

    proxy.faults.append(Fault("GET", "/manifests/sha256", times=99, status=404))
    proxy.faults[0] = Fault("GET", "/manifests/2$", times=99, status=200, headers=silent, body=data)
    again = plan_push(client, [replace(image, reference=replace(image.reference, tag="2"))], reader)
    with pytest.raises(TransferError, match="does not give it back"):
        push(client, again, reader, lambda _count: None)


def test_connections_are_used_again(
    registry: RegistryServer, connect: Connect, proxy: FaultProxy, shipment: Shipment
) -> None:
    client = connect(proxy.host)
    push(client, plan_push(client, shipment.images, shipment.reader), shipment.reader, lambda _count: None)
    assert len(proxy.requests) > 80
    assert proxy.connections <= 16


def test_an_unmountable_blob_is_uploaded(
    registry: RegistryServer, connect: Connect, proxy: FaultProxy, shipment: Shipment
) -> None:
    client = connect(proxy.host)
    plan = plan_push(client, shipment.images, shipment.reader)
    mount = plan.mounts[0]
    wrong = [type(mount)(mount.placed, "no/such-repository"), *plan.mounts[1:]]
    changed = plan.__class__(**{**vars(plan), "mounts": tuple(wrong)})

    result = push(client, changed, shipment.reader, lambda _count: None)

    assert result.mounted == plan.mounts[1:]
    assert mount.placed in result.uploaded
    assert proxy.count("^DELETE ") == 1
    assert plan_push(client, shipment.images, shipment.reader).upload_bytes == 0


def test_referrers_can_be_found_by_the_fallback_tag(
    registry: RegistryServer, connect: Connect, prefix: str, shipment: Shipment, skopeo: Path
) -> None:
    client, image = connect(registry.host), shipment.images[0]
    push(client, plan_push(client, [image], shipment.reader), shipment.reader, lambda _count: None)

    assert image.referrers
    tag = f"sha256-{image.root.digest.hex}"
    index = json.loads(_raw(skopeo, registry.host, f"{prefix}/{image.repository}:{tag}"))
    assert [entry["digest"] for entry in index["manifests"]] == [r.digest for r in image.referrers]
    assert index["manifests"][0]["artifactType"] == "application/vnd.example.signature.v1+json"
    found = client.referrers(image.reference, image.root.digest)
    assert [r.digest for r in found] == [r.digest for r in image.referrers]


def test_listings_of_referrers_keep_what_others_attached(
    registry: RegistryServer, connect: Connect, prefix: str, shipment: Shipment, tmp_path: Path
) -> None:
    client, image = connect(registry.host), shipment.images[0]
    repository, subject = client.repository(image.repository), image.root.digest
    other = ship(tmp_path, ["shop/db:15.2.0"])
    push(client, plan_push(client, [image], shipment.reader), shipment.reader, lambda _count: None)
    theirs = other.images[0].root
    moved = Image(
        Reference.parse(f"registry.example.com/{image.repository}:other"), theirs, other.images[0].blobs
    )
    push(client, plan_push(client, [moved], other.reader), other.reader, lambda _count: None)
    data = with_referrers([], [theirs])
    assert data is not None
    write_manifest(client.transport, repository, referrers_tag(subject), oci.OCI_INDEX, data)

    push(client, plan_push(client, [image], shipment.reader), shipment.reader, lambda _count: None)

    listed = list_by_tag(client.transport, repository, subject)
    assert [entry.digest for entry in listed] == [theirs.digest, *(r.digest for r in image.referrers)]


def test_a_sparse_index_is_replaced_by_the_chosen_platform(
    registry: RegistryServer, connect: Connect, prefix: str, skopeo: Path, tmp_path: Path
) -> None:
    shipment = ship(tmp_path, ["shop/cache:7.2.0"], platforms=["linux/arm64"])
    client, image = connect(registry.host), shipment.images[0]
    assert image.missing
    plan = plan_push(client, [image], shipment.reader)
    assert plan.sparse == {image.root.digest}

    result = push(client, plan, shipment.reader, lambda _count: None)

    (substitution,) = result.substituted
    assert substitution.index == image.root.digest
    assert str(substitution.manifest.platform) == "linux/arm64"
    assert [placed.blob.digest for placed in result.refused] == [image.root.digest]
    raw = _raw(skopeo, registry.host, f"{prefix}/shop/cache:7.2.0")
    assert Digest.of(raw) == substitution.manifest.digest
    again = push(client, plan_push(client, [image], shipment.reader), shipment.reader, lambda _count: None)
    assert again.tags == ()
    assert again.substituted == result.substituted


def test_a_referrer_that_came_under_a_tag_gets_that_tag(
    registry: RegistryServer, connect: Connect, prefix: str, shipment: Shipment, skopeo: Path
) -> None:
    client, image = connect(registry.host), shipment.images[0]
    tag = f"sha256-{image.root.digest.hex}.sig"
    signature = replace(image.referrers[0], annotations={REF_NAME: tag})
    tagged = replace(image, referrers=(signature,))
    push(client, plan_push(client, [tagged], shipment.reader), shipment.reader, lambda _count: None)
    assert Digest.of(_raw(skopeo, registry.host, f"{prefix}/shop/api:{tag}")) == signature.digest


def test_helm_pulls_the_chart_that_was_pushed(
    registry: RegistryServer, connect: Connect, prefix: str, helm: Path, tmp_path: Path
) -> None:
    source = tmp_path / "demo"
    source.mkdir()
    (source / "Chart.yaml").write_text("apiVersion: v2\nname: demo\nversion: 1.2.3+build.4\n")
    archive = package_directory(Helm(helm), source)
    made = chart_artifact(archive)
    chart = Chart("demo", "1.2.3+build.4", "./demo", made.root, made.archive, made.blobs)
    blobs = tmp_path / "layout" / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for blob, data in made.contents.items():
        (blobs / blob.digest.hex).write_bytes(data)
    client, reader = connect(registry.host), LayoutReader(tmp_path / "layout")
    push(client, plan_push(client, [chart], reader), reader, lambda _count: None)
    target = f"oci://{registry.host}/{prefix}/charts/demo"
    command = [str(helm), "pull", "--plain-http", target, "--version", chart.version, "-d", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    assert [path.read_bytes() for path in tmp_path.glob("*.tgz")] == [archive]


def test_a_tag_moves_to_the_new_release(
    registry: RegistryServer, connect: Connect, prefix: str, skopeo: Path, tmp_path: Path
) -> None:
    shipment = ship(tmp_path, ["shop/api:1.0.0", "shop/api:1.1.0"])
    client, (old, new) = connect(registry.host), shipment.images
    moved = Image(old.reference, new.root, new.blobs, new.referrers)
    for image in (old, moved):
        push(client, plan_push(client, [image], shipment.reader), shipment.reader, lambda _count: None)
    assert Digest.of(_raw(skopeo, registry.host, f"{prefix}/shop/api:1.0.0")) == new.root.digest


def test_two_images_of_one_name_are_refused(
    registry: RegistryServer, connect: Connect, tmp_path: Path
) -> None:
    shipment = ship(tmp_path, ["shop/api:1.0.0", "shop/api:1.1.0"])
    old, new = shipment.images
    with pytest.raises(UsageError, match=r"shop/api:1\.0\.0 is wanted for both"):
        plan_push(connect(registry.host), [old, Image(old.reference, new.root, new.blobs)], shipment.reader)


def test_an_image_without_one_of_its_layers_is_refused_before_anything_is_sent(
    registry: RegistryServer, connect: Connect, shipment: Shipment
) -> None:
    image = shipment.images[2]
    layer = next(blob for blob in image.blobs if "layer" in blob.media_type)
    rest = tuple(blob for blob in image.blobs if blob != layer)
    with pytest.raises(DamagedError, match=f"does not contain {layer.digest}"):
        plan_push(connect(registry.host), [Image(image.reference, image.root, rest)], shipment.reader)
