"""From the product file to a chart's bytes and its OCI artifact, against Helm's own push and pull."""

from __future__ import annotations

import http.client
import json
import subprocess
from pathlib import Path

import pytest

from airstore.charts.helm.access import RepositoryLogin
from airstore.charts.helm.command import Helm
from airstore.charts.packages.artifact import chart_artifact
from airstore.charts.packages.resolve import FetchedChart, ResolvedChart, resolve
from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.core.image import oci
from airstore.core.image.digest import Digest
from airstore.core.model.product import ChartSource, Product
from tests.charts.chart_parts import PASSWORD, USER, chart_repository, packed, write_chart
from tests.support.registry.servers import registry_server

METADATA = """appVersion: 2.10
description: A shop & <more>
home: https://example.com
icon: https://example.com/i.png
keywords: [b, a]
sources: [https://example.com/s]
maintainers: [{name: Ann, email: ann@example.com}, {name: Bob}]
annotations: {z: "1", a: "2", org.opencontainers.image.licenses: MIT}
unknown: dropped
"""


def product(directory: Path) -> Product:
    return Product(directory, "shop", (), (), ())


def call(host: str, method: str, path: str, body: bytes = b"", media_type: str = "") -> tuple[bytes, str]:
    """One request to a registry: what it answers, and the place it names."""
    connection = http.client.HTTPConnection(host, timeout=10)
    headers = {"Content-Type": media_type or "application/octet-stream", "Accept": oci.OCI_MANIFEST}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    assert response.status < 300, data
    return data, response.headers.get("Location", "")


def push(helm: Path, archive: Path, host: str) -> None:
    command = [str(helm), "push", "--plain-http", str(archive), f"oci://{host}/charts"]
    subprocess.run(command, check=True, capture_output=True)


def fetch(host: str, name: str, version: str) -> FetchedChart:
    """What the registry layer does, without its care."""
    manifest = call(host, "GET", f"/v2/charts/{name}/manifests/{version}")[0]
    blobs = {
        blob.media_type: call(host, "GET", f"/v2/charts/{name}/blobs/{blob.digest}")[0]
        for blob in oci.parse(manifest, oci.OCI_MANIFEST, "chart").blobs
    }
    return FetchedChart(
        manifest, blobs[oci.HELM_CONFIG], blobs[oci.HELM_CHART], blobs.get(oci.HELM_PROVENANCE)
    )


def no_oci(source: str, version: str) -> FetchedChart:
    raise AssertionError(f"{source} {version} was asked for")


@pytest.mark.parametrize("provenance", [b"signature", b"another"])  # on either side of the archive's digest
def test_the_artifact_is_what_helm_pushes_but_for_time_and_type(
    helm: Path, tmp_path: Path, provenance: bytes
) -> None:
    archive = tmp_path / "shop-1.0.0+b.tgz"
    archive.write_bytes(packed("shop", "1.0.0+b", METADATA))
    (tmp_path / "shop-1.0.0+b.tgz.prov").write_bytes(provenance)
    made = chart_artifact(archive.read_bytes(), provenance)
    with registry_server(tmp_path / "registry") as registry:
        push(helm, archive, registry.host)
        pushed = fetch(registry.host, "shop", "1.0.0_b")
    theirs, ours = json.loads(pushed.manifest), json.loads(made.manifest)
    theirs["annotations"].pop("org.opencontainers.image.created")
    assert ours.pop("mediaType") == oci.OCI_MANIFEST  # which Helm leaves to the request
    assert ours == theirs
    assert pushed.config in made.contents.values()
    assert made == chart_artifact(archive.read_bytes(), provenance)


def test_helm_pulls_a_registry_rebuilt_from_the_artifact(helm: Path, tmp_path: Path) -> None:
    archive = packed("shop", "1.0.0")
    artifact = chart_artifact(archive)
    base = "/v2/charts/shop"
    with registry_server(tmp_path / "registry") as registry:
        for blob, data in artifact.contents.items():
            if blob == artifact.root:
                call(registry.host, "PUT", f"{base}/manifests/1.0.0", data, blob.media_type)
            else:
                place = call(registry.host, "POST", f"{base}/blobs/uploads/")[1]
                call(registry.host, "PUT", f"{place}&digest={blob.digest}", data)
        command = [str(helm), "pull", "--plain-http", f"oci://{registry.host}/charts/shop", "--version=1.0.0"]
        subprocess.run([*command, f"--destination={tmp_path}"], check=True, capture_output=True)
    assert (tmp_path / "shop-1.0.0.tgz").read_bytes() == archive


def test_a_directory_and_an_archive_resolve(helm: Path, tmp_path: Path) -> None:
    write_chart(tmp_path / "charts" / "shop", "shop")
    runner = Helm(helm)
    found = resolve(runner, ChartSource("shop", "./charts/shop"), product(tmp_path), no_oci)
    (tmp_path / "shop.tgz").write_bytes(found.archive)
    (tmp_path / "shop.tgz.prov").write_bytes(b"signature")
    again = resolve(runner, ChartSource("shop", "shop.tgz", "1.0.0"), product(tmp_path), no_oci)
    assert (again.archive, again.provenance, again.version) == (found.archive, b"signature", "1.0.0")
    assert [blob.media_type for blob in again.artifact().blobs].count(oci.HELM_PROVENANCE) == 1


def test_an_artifact_of_a_registry_keeps_its_digest(helm: Path, tmp_path: Path) -> None:
    archive = tmp_path / "shop-1.0.0.tgz"
    archive.write_bytes(packed("shop"))
    with registry_server(tmp_path / "registry") as registry:
        push(helm, archive, registry.host)
        found = resolve(
            Helm(helm),
            ChartSource("shop", f"oci://{registry.host}/charts/shop", "1.0.0"),
            product(tmp_path),
            lambda _source, version: fetch(registry.host, "shop", version),
        )
        upstream = call(registry.host, "GET", "/v2/charts/shop/manifests/1.0.0")[0]
    assert found.artifact().root.digest == Digest.of(upstream)
    assert found.archive == archive.read_bytes()


def test_a_chart_repository_is_asked_with_its_password(helm: Path, tmp_path: Path) -> None:
    archive = packed("cache", "1.2.0")
    source = product(tmp_path)
    with chart_repository(tmp_path / "served", {("cache", "1.2.0"): archive}, password=True) as url:
        (tmp_path / "served" / "cache-1.2.0.tgz.prov").write_bytes(b"signature")
        access = {url: RepositoryLogin(url, USER, PASSWORD)}.__getitem__
        found = resolve(Helm(helm), ChartSource("cache", f"{url}/", "1.2.0"), source, no_oci, access)
        with pytest.raises(NotFoundError, match=r"9\.9\.9"):
            resolve(Helm(helm), ChartSource("cache", url, "9.9.9"), source, no_oci, access)
    assert (found.archive, found.provenance, found.manifest) == (archive, b"signature", None)


def test_a_chart_repository_without_provenance(helm: Path, tmp_path: Path) -> None:
    archive = packed("cache", "1.2.0")
    with chart_repository(tmp_path / "served", {("cache", "1.2.0"): archive}) as url:
        found = resolve(Helm(helm), ChartSource("cache", url, "1.2.0"), product(tmp_path), no_oci)
    assert (found.archive, found.provenance) == (archive, None)


WRONG = {
    "version": (ChartSource("shop", "shop.tgz", "1.0.1"), UsageError, r"is version 1\.0\.0, not 1\.0\.1"),
    "name": (ChartSource("web", "shop.tgz"), UsageError, "a chart named 'shop'"),
    "scheme": (ChartSource("shop", "ftp://example.com/shop", "1.0.0"), UsageError, "not a place for charts"),
    "outside": (ChartSource("shop", "../shop.tgz"), UsageError, "outside"),
    "missing": (ChartSource("shop", "none.tgz"), NotFoundError, "none.tgz"),
    "damaged": (ChartSource("shop", "bad.tgz"), DamagedError, "not gzip"),
}


@pytest.mark.parametrize(("source", "family", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_fit_the_product_file(
    tmp_path: Path, source: ChartSource, family: type[Exception], message: str
) -> None:
    (tmp_path / "shop.tgz").write_bytes(packed("shop"))
    (tmp_path / "bad.tgz").write_bytes(b"no chart")
    with pytest.raises(family, match=message):
        resolve(Helm(tmp_path / "no helm"), source, product(tmp_path), no_oci)


def test_an_artifact_whose_parts_do_not_fit_is_refused() -> None:
    archive = packed("shop")
    made = chart_artifact(archive)
    config = next(data for blob, data in made.contents.items() if blob.media_type == oci.HELM_CONFIG)

    def check(manifest: bytes, config: bytes, archive: bytes) -> None:
        ResolvedChart("shop", "1.0.0", "oci://x/shop", archive, manifest, config).artifact()

    check(made.manifest, config, archive)
    with pytest.raises(DamagedError, match="is not the sha256"):
        check(made.manifest, config, archive + b"x")
    with pytest.raises(DamagedError, match="is not the sha256"):
        check(made.manifest, config + b" ", archive)
    with pytest.raises(DamagedError, match="not a Helm chart"):
        check(made.manifest.replace(b"helm.config", b"some.config"), config, archive)
