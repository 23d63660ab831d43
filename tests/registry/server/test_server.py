"""The embedded registry, asked by real clients."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airstore.core.image.descriptor import Platform
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_INDEX
from airstore.core.image.reference import Reference
from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.registry import RegistryClient
from airstore.registry.source import REF_NAME
from airstore.registry.sources.graph import walk
from airstore.registry.sources.layout import OciLayout
from tests.registry.server.serving import REPOSITORY, Site, chart, largest, release_of, running
from tests.support.registry import layouts
from tests.support.registry.layouts import run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, helm4: Path) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    web = chart(directory, helm4)
    nodes = layouts.write_full(directory / "layout", size=3_000_000)
    with running(directory / "layout", nodes, release_of(directory / "layout", web)) as site:
        yield site


def test_the_version_endpoint_answers(site: Site) -> None:
    for path in ("/v2/", "/v2"):
        response, body = site.get(path)
        assert (response.status, body) == (200, b"{}")
        assert response.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


@pytest.mark.parametrize("all_platforms", [False, True])
def test_skopeo_copies_the_same_digests(
    site: Site, skopeo: Path, tmp_path: Path, all_platforms: bool
) -> None:
    source = f"docker://{site.server.address}/{REPOSITORY}:1.0"
    which = ["--all"] if all_platforms else ["--override-arch", "arm64"]
    before, after = ([], which) if all_platforms else (which, [])
    command = [skopeo, *before, "copy", "-q", "--src-tls-verify=false", *after, source, f"dir:{tmp_path}/out"]
    run(*command)
    got = Digest.of((tmp_path / "out" / "manifest.json").read_bytes())
    assert got == site.nodes["root" if all_platforms else "arm64"]["digest"]


def test_skopeo_inspects_and_lists(site: Site, skopeo: Path) -> None:
    base = [skopeo, "inspect", "--tls-verify=false"]
    name = f"docker://{site.server.address}/{REPOSITORY}"
    raw = run(*base, "--raw", f"{name}:1.0").stdout
    assert Digest.of(raw) == site.nodes["root"]["digest"]
    pinned = f"{name}@{site.nodes['amd64']['digest']}"
    told = run(*base, pinned).stdout
    assert json.loads(told)["RepoTags"] == ["1.0", layouts.cosign_tag(site.nodes["root"])]


def test_helm_pulls_the_same_chart(site: Site, helm: Path, tmp_path: Path) -> None:
    url = f"oci://{site.server.address}/charts/web"
    home = {key: str(tmp_path / key) for key in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
    for number, version in enumerate((["--version", "1.2.3+build.4"], [])):
        out = tmp_path / str(number)
        out.mkdir()
        command = [helm, "pull", url, "--plain-http", "-d", out, *version]
        run(*command, env=home)
        (tgz,) = out.iterdir()
        assert Digest.of(tgz.read_bytes()) == site.release.charts[0].archive.digest


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("0-0", 206, slice(0, 1)),
        ("5-1000", 206, slice(5, 1001)),
        ("-7", 206, slice(-7, None)),
        ("100-", 206, slice(100, None)),
        ("0-99999999999", 206, slice(0, None)),
        ("99999999999-", 416, slice(0, 0)),
        ("-0", 416, slice(0, 0)),
        ("0-1,5-6", 200, slice(0, None)),
        ("9-1", 200, slice(0, None)),
    ],
)
def test_curl_gets_ranges(site: Site, tmp_path: Path, asked: str, status: int, part: slice) -> None:
    blob = largest(site)
    url = f"{site.server.url}/v2/{REPOSITORY}/blobs/{blob.digest}"
    command = [
        "curl",
        "-s",
        "-o",
        tmp_path / "out",
        "-D",
        tmp_path / "head",
        "-H",
        f"Range: bytes={asked}",
        url,
    ]
    run(*command)
    head = (tmp_path / "head").read_text()
    whole = layouts.blob_path(site.directory, blob.digest).read_bytes()
    assert head.startswith(f"HTTP/1.1 {status} ")
    if status == 416:
        assert f"Content-Range: bytes */{len(whole)}" in head
        return
    expected = whole[part]
    assert (tmp_path / "out").read_bytes() == expected
    start = part.indices(len(whole))[0]
    told = f"Content-Range: bytes {start}-{start + len(expected) - 1}/{len(whole)}"
    assert (told in head) == (status == 206)


def test_curl_resumes_a_broken_download(site: Site, tmp_path: Path) -> None:
    blob = largest(site)
    whole = layouts.blob_path(site.directory, blob.digest).read_bytes()
    (tmp_path / "out").write_bytes(whole[:1234])
    url = f"{site.server.url}/v2/{REPOSITORY}/blobs/{blob.digest}"
    run("curl", "-sf", "-C", "-", "-o", tmp_path / "out", url)
    assert (tmp_path / "out").read_bytes() == whole


def test_a_range_of_another_content_gets_the_whole(site: Site) -> None:
    blob = largest(site)
    path = f"/v2/{REPOSITORY}/blobs/{blob.digest}"
    same, _ = site.get(path, Range="bytes=0-1", If_Range=f'"{blob.digest}"')
    other, _ = site.get(path, Range="bytes=0-1", If_Range='"something else"')
    assert (same.status, other.status) == (206, 200)


def test_heads_say_what_gets_would(site: Site) -> None:
    blob = largest(site)
    for path in (f"manifests/{site.nodes['root']['digest']}", "manifests/1.0", f"blobs/{blob.digest}"):
        head, nothing = site.get(f"/v2/{REPOSITORY}/{path}", "HEAD")
        full, body = site.get(f"/v2/{REPOSITORY}/{path}?ns=docker.io")
        assert (head.status, full.status, nothing) == (200, 200, b"")
        for header in ("Content-Type", "Content-Length", "Docker-Content-Digest", "ETag"):
            assert head.headers[header] == full.headers[header]
        assert int(full.headers["Content-Length"]) == len(body)
        assert Digest.of(body) == full.headers["Docker-Content-Digest"]
    assert site.get(f"/v2/{REPOSITORY}/manifests/1.0")[0].headers["Content-Type"] == OCI_INDEX


def test_lists_come_in_pages(site: Site) -> None:
    tags = ["1.0", layouts.cosign_tag(site.nodes["root"])]
    path = f"/v2/{REPOSITORY}/tags/list"
    assert site.json(path) == {"name": REPOSITORY, "tags": tags}
    assert site.json(f"{path}?n=0") == {"name": REPOSITORY, "tags": []}
    assert site.json("/v2/_catalog") == {"repositories": ["charts/web", REPOSITORY]}
    for listing, key, expected in (
        (path, "tags", tags),
        ("/v2/_catalog", "repositories", ["charts/web", REPOSITORY]),
    ):
        response, body = site.get(f"{listing}?n=1")
        assert json.loads(body)[key] == expected[:1]
        following = response.headers["Link"]
        assert following.endswith('>; rel="next"')
        response, body = site.get(following[1 : following.index(">")])
        assert json.loads(body)[key] == expected[1:]
        assert response.headers["Link"] is None
    assert site.get(f"{path}?n=x")[0].status == 400


def test_referrers_are_told_with_type_and_annotations(site: Site) -> None:
    path = f"/v2/{REPOSITORY}/referrers/{site.nodes['amd64']['digest']}"
    response, body = site.get(path)
    listing = json.loads(body)
    assert response.headers["Content-Type"] == listing["mediaType"] == OCI_INDEX
    (entry,) = listing["manifests"]
    assert entry["digest"] == site.nodes["sbom"]["digest"]
    assert entry["artifactType"] == layouts.SBOM
    response, body = site.get(f"{path}?artifactType=application/other")
    assert (json.loads(body)["manifests"], response.headers["OCI-Filters-Applied"]) == ([], "artifactType")
    response, body = site.get(f"{path}?artifactType={layouts.SBOM.replace('+', '%2B')}")
    assert len(json.loads(body)["manifests"]) == 1
    assert site.json(f"/v2/{REPOSITORY}/referrers/sha256:{'0' * 64}")["manifests"] == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v2/nobody/manifests/1.0", 404, "NAME_UNKNOWN"),
        (f"/v2/{REPOSITORY}/manifests/2.0", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/{REPOSITORY}/manifests/sha256:{'0' * 64}", 404, "MANIFEST_UNKNOWN"),
        (f"/v2/{REPOSITORY}/manifests/sha256:{'A' * 64}", 400, "DIGEST_INVALID"),
        (f"/v2/{REPOSITORY}/blobs/sha256:{'0' * 64}", 404, "BLOB_UNKNOWN"),
        (f"/v2/{REPOSITORY}/blobs/x", 400, "DIGEST_INVALID"),
        (f"/v2/{REPOSITORY}/referrers/x", 400, "DIGEST_INVALID"),
        (f"/v2/{REPOSITORY}/tags/other", 404, "UNSUPPORTED"),
        ("/", 404, "UNSUPPORTED"),
        ("/v2/../../etc/passwd", 404, "UNSUPPORTED"),
        ("/v2//manifests/x", 404, "UNSUPPORTED"),
    ],
)
def test_errors_have_the_form_of_the_specification(site: Site, path: str, status: int, code: str) -> None:
    response, body = site.get(path)
    assert response.status == status
    assert response.headers["Content-Type"] == "application/json"
    assert [entry["code"] for entry in json.loads(body)["errors"]] == [code]


def test_a_layer_is_no_manifest(site: Site) -> None:
    assert site.get(f"/v2/{REPOSITORY}/manifests/{largest(site).digest}")[0].status == 404


def test_blobs_are_served_only_where_they_belong(site: Site) -> None:
    archive = site.release.charts[0].archive.digest
    assert site.get(f"/v2/charts/web/blobs/{archive}")[0].status == 200
    assert site.get(f"/v2/{REPOSITORY}/blobs/{archive}")[0].status == 404
    assert site.get(f"/v2/charts/web/blobs/{largest(site).digest}")[0].status == 404


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_writes_are_refused(site: Site, method: str) -> None:
    connection = http.client.HTTPConnection(site.server.host, site.server.port, timeout=20)
    body = b"x" * 1000 if method == "PUT" else iter([b"chunk"] * 3)
    for _ in range(2):  # a body must not be taken for the next request on the connection
        connection.request(method, f"/v2/{REPOSITORY}/blobs/uploads/", body if method != "DELETE" else None)
        response = connection.getresponse()
        assert json.loads(response.read())["errors"][0]["code"] == "UNSUPPORTED"
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    connection.close()


def test_skopeo_cannot_push(site: Site, skopeo: Path) -> None:
    source = f"oci:{site.directory}:{layouts.REFERENCE}"
    target = f"docker://{site.server.address}/{REPOSITORY}:2.0"
    command = [skopeo, "copy", "--dest-tls-verify=false", source, target]
    done = run(*command, check=False)
    assert done.returncode != 0
    assert b"405" in done.stderr or b"unsupported" in done.stderr.lower()


def test_many_pulls_at_once(site: Site) -> None:
    blob = largest(site)
    path = f"/v2/{REPOSITORY}/blobs/{blob.digest}"
    with ThreadPoolExecutor(24) as pool:
        digests = set(pool.map(lambda _: Digest.of(site.get(path)[1]), range(48)))
    assert digests == {blob.digest}


def test_the_access_log_tells_each_request(site: Site) -> None:
    site.get(f"/v2/{REPOSITORY}/tags/list?n=1&last=0")
    site.get("/v2/nobody/tags/list?n=2", "HEAD")
    (first,) = site.logged(1, f"/v2/{REPOSITORY}/tags/list?n=1&last=0")
    (second,) = site.logged(1, "/v2/nobody/tags/list?n=2")
    assert (first.client, first.method, first.status) == ("127.0.0.1", "GET", 200)
    assert first.sent > 0
    assert (second.status, second.sent, first.fault, second.fault) == (404, 0, None, None)


def test_our_own_client_walks_the_same_graph(site: Site) -> None:
    reference = Reference.parse(f"{site.server.address}/{REPOSITORY}:1.0")
    with OciLayout.directory(site.directory) as layout:
        expected = walk(layout, Reference.parse(layouts.REFERENCE), [Platform("linux", "amd64")])
    client = RegistryClient(Endpoint(site.server.address, plain_http=True))
    graph = walk(client, reference, [Platform("linux", "amd64")])
    assert (graph.root, graph.blobs, graph.missing) == (expected.root, expected.blobs, expected.missing)
    assert graph.documents == expected.documents
    tags = {entry.digest: entry.annotations.get(REF_NAME) for entry in graph.referrers}
    assert tags == {entry.digest: entry.annotations.get(REF_NAME) for entry in expected.referrers}
