"""The client as an image source, against Debian's real registry."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from airstore.charts.helm.command import Helm
from airstore.charts.packages.artifact import upstream_artifact
from airstore.charts.packages.package import package_directory
from airstore.core.errors import DamagedError, NotFoundError, TransferError, UsageError
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest, verified
from airstore.core.image.reference import Reference
from airstore.core.limits import MIB
from airstore.registry.client.chart_pull import fetch_chart
from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.manifests import write_manifest
from airstore.registry.client.registry import RegistryClient
from airstore.registry.client.upload import Uploader
from airstore.registry.push.push import plan_push, push
from airstore.registry.source import REF_NAME
from airstore.registry.sources.graph import walk
from tests.support.registry.faults import Fault, FaultProxy
from tests.support.registry.parts import Connect, Shipment, single_blob_image
from tests.support.registry.servers import RegistryServer, free_port


def _pushed(client: RegistryClient, shipment: Shipment) -> None:
    push(client, plan_push(client, shipment.images, shipment.reader), shipment.reader, lambda _count: None)


def test_an_image_walks_out_of_the_registry_as_it_went_in(
    registry: RegistryServer, connect: Connect, shipment: Shipment
) -> None:
    client = connect(registry.host)
    _pushed(client, shipment)
    for image in shipment.images:
        graph = walk(client, image.reference)
        assert (graph.root, graph.blobs) == (image.root, image.blobs)
        assert [r.digest for r in graph.referrers] == [r.digest for r in image.referrers]
        for blob in graph.blobs:
            data = b"".join(verified(client.open(image.reference, blob), blob.digest, blob.size))
            assert len(data) == blob.size


def test_what_skopeo_pushed_as_docker_image_can_be_read(
    registry: RegistryServer, connect: Connect, prefix: str, shipment: Shipment, skopeo: Path
) -> None:
    image = shipment.images[2]
    target = f"docker://{registry.host}/{prefix}/tools/db:docker"
    source = f"oci:{shipment.layout}:{image.reference}"
    options = ["-q", "--format", "v2s2", "--dest-tls-verify=false"]
    subprocess.run([str(skopeo), "copy", *options, source, target], check=True)
    client, reference = connect(registry.host), Reference("registry.example.com", "tools/db", "docker")
    graph = walk(client, reference)
    assert graph.root.media_type == oci.DOCKER_MANIFEST
    assert len(graph.blobs) == 5
    pinned = Reference("registry.example.com", "tools/db", "", graph.root.digest)
    assert client.resolve(pinned) == graph.root


def test_what_is_not_there_is_not_found(registry: RegistryServer, connect: Connect) -> None:
    client, reference = connect(registry.host), Reference.parse("registry.example.com/no/such:1")
    with pytest.raises(NotFoundError, match="does not hold"):
        client.resolve(reference)
    blob = Descriptor(oci.OCI_LAYER, Digest.of(b"nothing"), 7)
    with pytest.raises(NotFoundError, match=str(blob.digest)):
        list(client.open(reference, blob))
    assert client.referrers(reference, blob.digest) == []


def test_other_bytes_than_those_pinned_are_refused(
    connect: Connect, proxy: FaultProxy, shipment: Shipment
) -> None:
    client, image = connect(proxy.host), shipment.images[2]
    _pushed(client, Shipment(shipment.layout, (image,)))
    other = b'{"schemaVersion":2,"manifests":[]}'
    headers = {"Content-Type": oci.OCI_INDEX, "Docker-Content-Digest": str(image.root.digest)}
    proxy.faults.append(Fault("GET", "manifests", times=99, status=200, headers=headers, body=other))
    pinned = Reference.parse(f"{image.reference.name}@{image.root.digest}")
    with pytest.raises(DamagedError, match=f"{image.root.digest} is expected"):
        client.resolve(pinned)


@pytest.mark.parametrize("header", ["sha256:" + "0" * 64, "sha512:0", "nonsense"])
def test_what_a_header_says_of_a_tag_is_not_believed(
    connect: Connect, proxy: FaultProxy, shipment: Shipment, header: str
) -> None:
    client, image = connect(proxy.host), shipment.images[2]
    root = shipment.reader.read_bytes(image.root.digest, 1 << 20)
    headers = {"Content-Type": oci.DOCKER_MANIFEST, "Docker-Content-Digest": header}
    proxy.faults.append(Fault("GET", "manifests", status=200, headers=headers, body=root))
    # The document says itself of which kind it is; a proxy that serves it as another changes nothing.
    assert client.resolve(image.reference) == image.root


@pytest.mark.parametrize("resets", [1, 3])
def test_a_download_goes_on_where_it_broke(
    connect: Connect, proxy: FaultProxy, tmp_path: Path, resets: int
) -> None:
    image, reader = single_blob_image(tmp_path / "image", "shop/large:1", 5 * MIB)
    client, layer = connect(proxy.host), image.blobs[2]
    push(client, plan_push(client, [image], reader), reader, lambda _count: None)
    proxy.faults.append(Fault("GET", "blobs", times=resets, reset_received=MIB + 100_000))
    proxy.requests.clear()
    received = b"".join(verified(client.open(image.reference, layer), layer.digest, layer.size))
    assert len(received) == layer.size
    assert proxy.count("^GET ") == resets + 1


def test_a_download_that_never_gets_on_ends(connect: Connect, proxy: FaultProxy, tmp_path: Path) -> None:
    image, reader = single_blob_image(tmp_path / "image", "shop/large:1", 2 * MIB)
    client = connect(proxy.host, stall=0.3, retries=2)
    push(client, plan_push(client, [image], reader), reader, lambda _count: None)
    proxy.faults.append(Fault("GET", "blobs", times=99, reset_received=1000))
    proxy.requests.clear()
    with pytest.raises(TransferError, match="the connection broke") as caught:
        list(client.open(image.reference, image.blobs[2]))
    assert str(image.blobs[2].digest) in str(caught.value)
    assert proxy.count("^GET ") == 3


def test_cosigns_tags_are_found_and_kept(
    registry: RegistryServer, connect: Connect, prefix: str, shipment: Shipment
) -> None:
    client, (image, _, other) = connect(registry.host), shipment.images
    _pushed(client, shipment)
    tag = f"sha256-{other.root.digest.hex}.sig"
    signature = image.referrers[0]
    data = shipment.reader.read_bytes(signature.digest, MIB)
    document = {key: value for key, value in json.loads(data).items() if key != "subject"}
    uploader = Uploader(client.transport, shipment.reader, lambda _count: None)
    for blob in oci.parse(data, signature.media_type, "signature").blobs:
        uploader.upload(client.repository(other.repository), blob)
    write_manifest(
        client.transport,
        client.repository(other.repository),
        tag,
        oci.OCI_MANIFEST,
        json.dumps(document).encode(),
    )
    (found,) = client.referrers(other.reference, other.root.digest)
    assert found.annotations == {REF_NAME: tag}
    assert found.digest == Digest.of(json.dumps(document).encode())


def test_the_referrers_api_is_used_where_there_is_one(
    connect: Connect, proxy: FaultProxy, shipment: Shipment
) -> None:
    client, image = connect(proxy.host), shipment.images[0]
    listed = Descriptor(oci.OCI_MANIFEST, Digest.of(b"attached"), 8, artifact_type="application/vnd.example")
    pages = [{"schemaVersion": 2, "manifests": []}, {"schemaVersion": 2, "manifests": [listed.to_json()]}]
    link = {"Link": f'</v2/x/referrers/{image.root.digest}?next=1>; rel="next"'}
    for page, more in zip(pages, (link, {}), strict=True):
        headers = {"Content-Type": oci.OCI_INDEX, **more}
        proxy.faults.append(
            Fault("GET", "/referrers/", status=200, headers=headers, body=json.dumps(page).encode())
        )
    assert client.referrers(image.reference, image.root.digest) == [listed]
    assert proxy.count("next=1") == 1


def test_a_chart_that_helm_pushed_is_fetched_whole(
    registry: RegistryServer, connect: Connect, prefix: str, helm: Path, tmp_path: Path
) -> None:
    chart = tmp_path / "demo"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: demo\nversion: 1.2.3+build.4\n")
    (chart / "templates" / "cm.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    archive = package_directory(Helm(helm), chart)
    (tmp_path / "demo.tgz").write_bytes(archive)
    target = f"oci://{registry.host}/{prefix}/charts"
    subprocess.run(
        [str(helm), "push", "--plain-http", str(tmp_path / "demo.tgz"), target],
        check=True,
        capture_output=True,
    )
    client = connect(registry.host)
    found = fetch_chart(client, "charts/demo", "1.2.3+build.4")
    assert found.archive == archive
    assert json.loads(found.config)["name"] == "demo"
    assert found.provenance is None
    # Helm passes over further layers; they travel, so that upstream's digest holds.
    document = json.loads(found.manifest)
    document["layers"].append({**document["config"], "mediaType": "text/markdown"})
    data = json.dumps(document).encode()
    write_manifest(client.transport, client.repository("charts/demo"), "2.0.0", oci.OCI_MANIFEST, data)
    more = fetch_chart(client, "charts/demo", "2.0.0")
    artifact = upstream_artifact(more.manifest, more.config, more.archive, None, "demo", more.more)
    assert (artifact.manifest, list(more.more.values())) == (data, [found.config])
    with pytest.raises(NotFoundError, match=r"no chart .*charts/demo in version 9"):
        fetch_chart(client, "charts/demo", "9")
    with pytest.raises(UsageError, match="must give its version"):
        fetch_chart(client, "charts/demo", "")


def test_an_image_is_not_a_chart(registry: RegistryServer, connect: Connect, shipment: Shipment) -> None:
    client = connect(registry.host)
    _pushed(client, shipment)
    with pytest.raises(DamagedError, match="is not a Helm chart"):
        fetch_chart(client, "shop/db", "15.2.0")


def test_a_refused_connection_says_so(connect: Connect) -> None:
    client = connect(f"127.0.0.1:{free_port()}", retries=1)
    with pytest.raises(TransferError, match="connection refused") as caught:
        client.resolve(Reference.parse("registry.example.com/shop/db:1"))
    assert "is the registry running" in caught.value.hint


def test_docker_hub_is_spoken_to_at_its_own_host() -> None:
    assert Endpoint("docker.io").base == "https://registry-1.docker.io/v2/"


def test_a_compressed_answer_is_refused_not_decoded(connect: Connect, proxy: FaultProxy) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": oci.OCI_INDEX}
    proxy.faults.append(Fault("GET", "manifests", status=200, headers=headers, body=b"\x1f\x8b"))
    with pytest.raises(TransferError, match="compresses its answers"):
        connect(proxy.host).resolve(Reference.parse("registry.example.com/shop/db:1"))
