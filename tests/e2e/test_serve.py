"""The site's own registry as its users meet it: skopeo, Helm and plain HTTP against a running server."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.product.e2e_road import Airstore, carry, digests_of, publisher, run, run_bytes
from tests.support.product.e2e_upstream import SIGNED, attached_tags
from tests.support.product.e2e_world import IMAGES, Served, World, served, wait_for
from tests.support.registry.servers import free_port, received
from tests.support.registry.tls import Authority

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.support.product.e2e_fixtures"]


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[Served]:
    with served(world.site) as running:
        yield running
        assert running.end() == 0, "SIGTERM is the ordinary end of a server"


def _images(world: World) -> list[dict[str, Any]]:
    images: list[dict[str, Any]] = world.publisher.release("1.0.0")["images"]
    assert len(images) == IMAGES
    return images


def _place(server: Served, image: dict[str, Any]) -> str:
    """Where the site has an image: its path without the upstream host."""
    return f"{server.host}/{image['reference'].partition('/')[2]}"


def _get(url: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own loopback server
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
        return response.status, response.read()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def _copy(place: str, layout: Path) -> set[str]:
    """Everything that skopeo copies of an image."""
    layout.mkdir(parents=True)
    command = ("skopeo", "copy", "-q", "--all", "--preserve-digests", "--src-tls-verify=false")
    run(*command, f"docker://{place}", f"oci:{layout}:copy")
    return {f"sha256:{path.name}" for path in (layout / "blobs" / "sha256").iterdir()}


def test_skopeo_sees_the_publishers_digests(server: Served, world: World) -> None:
    inspect = ("skopeo", "inspect", "--raw", "--tls-verify=false")
    for image in _images(world):
        place, digest = _place(server, image), image["root"]["digest"]
        by_digest = f"{place.rpartition(':')[0]}@{digest}"
        for name in (place, by_digest):
            assert _digest(run_bytes(*inspect, f"docker://{name}")) == digest


def test_skopeo_copies_every_platform_and_layer(server: Served, world: World, tmp_path: Path) -> None:
    for number, image in enumerate(_images(world)):
        attached = {entry["digest"] for entry in image["referrers"]}
        copied = _copy(_place(server, image), tmp_path / str(number))
        assert image["root"]["digest"] in copied
        assert copied <= digests_of(image)
        # What is attached is found by its own ways, and its parts go along.
        assert attached or copied == digests_of(image)


def test_what_is_attached_is_found_by_api_and_by_tag(server: Served, world: World) -> None:
    image = next(i for i in _images(world) if i["reference"].endswith(SIGNED))
    digest = image["root"]["digest"]
    _, listing = _get(f"{server.url}/v2/shop/api/referrers/{digest}")
    listed = {entry["digest"] for entry in json.loads(listing)["manifests"]}
    _, cosign = attached_tags(digest)
    signature = run_bytes(
        "skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{server.host}/shop/api:{cosign}"
    )
    assert listed | {_digest(signature)} == {entry["digest"] for entry in image["referrers"]}
    assert len(listed) == 1


def test_helm_pulls_the_archive_that_was_released(
    server: Served, world: World, helm: Path, tmp_path: Path
) -> None:
    for chart in world.publisher.release("1.0.0")["charts"]:
        place = f"oci://{server.host}/charts/{chart['name']}"
        run(helm, "pull", place, "--version", chart["version"], "--plain-http", "-d", tmp_path)
        archive = tmp_path / f"{chart['name']}-{chart['version']}.tgz"
        assert _digest(archive.read_bytes()) == chart["archive"]["digest"]


def test_tls_with_an_authority_of_ones_own(world: World, helm4: Path, tmp_path: Path) -> None:
    """Helm 3 is left out: it speaks plain HTTP to every loopback address."""
    authority = Authority.create(tmp_path / "tls")
    (chart, _) = world.publisher.release("1.0.0")["charts"]
    with served(world.site, "--tls-cert", authority.certificate, "--tls-key", authority.key) as running:
        assert running.url.startswith("https://")
        place = f"oci://{running.host}/charts/{chart['name']}"
        pull = (helm4, "pull", place, "--version", chart["version"], "-d", tmp_path)
        run(*pull, "--ca-file", authority.ca)
        refused = subprocess.run([*map(str, pull)], capture_output=True, text=True, check=False)
        assert "certificate" in refused.stderr
        trusted = tmp_path / "trusted"
        trusted.mkdir()
        shutil.copy(authority.ca, trusted / "ca.crt")
        run("skopeo", "inspect", "--raw", f"--cert-dir={trusted}", f"docker://{running.host}/shop/db:15.2.0")
        assert running.end() == 0
    assert (tmp_path / f"{chart['name']}-{chart['version']}.tgz").is_file()


def test_parts_of_a_blob(server: Served, world: World) -> None:
    image = next(i for i in _images(world) if i["reference"].endswith("db:15.2.0"))
    layer = max(image["blobs"], key=lambda blob: blob["size"])
    url, size = f"{server.url}/v2/shop/db/blobs/{layer['digest']}", layer["size"]
    status, whole = _get(url)
    assert (status, _digest(whole)) == (200, layer["digest"])
    middle = size // 2
    for header, part in (
        ("bytes=0-0", whole[:1]),
        (f"bytes={middle}-{middle + 99_999}", whole[middle : middle + 100_000]),
        (f"bytes={size - 7}-", whole[-7:]),
        ("bytes=-1000", whole[-1000:]),
    ):
        assert _get(url, Range=header) == (206, part)
    with pytest.raises(urllib.error.HTTPError, match="416") as outside:
        _get(url, Range=f"bytes={size}-")
    outside.value.close()


def test_two_pull_at_once(server: Served, world: World, tmp_path: Path) -> None:
    def copies(directory: Path) -> list[set[str]]:
        return [_copy(_place(server, image), directory / str(i)) for i, image in enumerate(_images(world))]

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(copies, [tmp_path / "one", tmp_path / "two"])
    assert first == second


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_the_middle_of_a_pull(world: World, number: int) -> None:
    blobs = (blob for image in _images(world) for blob in image["blobs"])
    layer = max(blobs, key=lambda blob: blob["size"])
    image = next(i for i in _images(world) if layer["digest"] in digests_of(i))
    repository = image["reference"].partition("/")[2].rpartition(":")[0]
    with served(world.site) as running:
        host, _, port = running.host.partition(":")
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(f"GET /v2/{repository}/blobs/{layer['digest']} HTTP/1.0\r\n\r\n".encode())
            assert b"200" in received(client, 12)
            running.process.send_signal(number)
            wait_for(lambda: "interrupt it once more" in (world.site.path.parent / "serve.log").read_text())
            assert running.end(number) == 0


def test_a_port_in_use_is_named(server: Served, world: World) -> None:
    said = world.site("registry", "serve", "--listen", server.host, code=40).err
    assert f"cannot listen on {server.host}: Address already in use\n" in said
    assert "hint: name another address" in said


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no address ::1")
def test_an_ipv6_address_in_brackets(world: World) -> None:
    with served(world.site, "--listen", "[::1]:0") as running:
        assert running.url.startswith("http://[::1]:")
        assert _get(f"{running.url}/v2/")[0] == 200


def test_a_wrong_address_or_certificate_is_named(world: World, tmp_path: Path) -> None:
    serve = ("registry", "serve", "--listen", f"127.0.0.1:{free_port()}")
    assert "HOST:PORT" in world.site("registry", "serve", "--listen", "nonsense", code=2).err
    assert "go together" in world.site(*serve, "--tls-cert", tmp_path / "none.pem", code=2).err
    tls = ("--tls-cert", tmp_path / "none.pem", "--tls-key", tmp_path / "none.key")
    assert "none.pem" in world.site(*serve, *tls, code=10).err


def test_a_site_is_a_source_for_another_publisher(
    server: Served, world: World, airstore: Airstore, tmp_path: Path
) -> None:
    """Who passes a product on takes images, what is attached to them, and charts from there unchanged."""
    original = world.publisher.release("1.0.0")
    chart = next(chart for chart in original["charts"] if chart["name"] == "app")
    source = f"oci://{server.host}/charts/app"
    product = {
        "charts": [{"name": "app", "source": source, "version": chart["version"]}],
        "releases": [{"name": "app", "namespace": "shop", "chart": "app"}],
        "images": {
            "include": [image["reference"] for image in original["images"]],
            "sources": {"*": f"docker://{server.host}"},
        },
    }
    store = publisher(airstore, tmp_path, product)
    store("release", "create", "--version", "1.0.0", "--plain-http", server.host)
    again = store.release("1.0.0")
    assert {i["reference"]: i["root"]["digest"] for i in again["images"]} == world.publisher.images("1.0.0")
    for old, new in zip(original["images"], again["images"], strict=True):
        assert digests_of(new) == digests_of(old)
    assert again["charts"][0]["root"]["digest"] == chart["root"]["digest"]


def test_an_import_shows_while_the_server_runs(world: World, tmp_path: Path) -> None:
    store = world.copy_of_site(tmp_path)
    with served(store) as running:
        tags = f"{running.url}/v2/shop/api/tags/list"
        assert "1.1.0" not in json.loads(_get(tags)[1])["tags"]
        carry(world.publisher, store, tmp_path, "1.1.0", "--from", "1.0.0")
        assert "1.1.0" in json.loads(_get(tags)[1])["tags"]
        expected = world.publisher.images("1.1.0")["registry.example.com/shop/api:1.1.0"]
        assert _digest(_get(f"{running.url}/v2/shop/api/manifests/1.1.0")[1]) == expected


def test_the_server_goes_on_when_the_index_is_rebuilt_and_a_release_imported(
    world: World, tmp_path: Path
) -> None:
    store = world.copy_of_site(tmp_path)
    image = max(_images(world), key=lambda image: max(blob["size"] for blob in image["blobs"]))
    layer = max(image["blobs"], key=lambda blob: blob["size"])
    repository = image["reference"].partition("/")[2].rpartition(":")[0]
    with served(store) as running, socket.socket() as pulling:
        pulling.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        pulling.settimeout(60)
        host, _, port = running.host.partition(":")
        pulling.connect((host, int(port)))
        pulling.sendall(f"GET /v2/{repository}/blobs/{layer['digest']} HTTP/1.0\r\n\r\n".encode())
        assert received(pulling, 12) == b"HTTP/1.1 200"
        store("check", "--rebuild-index")
        carry(world.publisher, store, tmp_path, "1.1.0", "--from", "1.0.0")
        for version in ("1.0.0", "1.1.0"):
            reference = f"registry.example.com/shop/api:{version}"
            copied = _copy(f"{running.host}/shop/api:{version}", tmp_path / version)
            assert world.publisher.images(version)[reference] in copied
        rest = b""
        while data := pulling.recv(1 << 20):
            rest += data
        assert _digest(rest.partition(b"\r\n\r\n")[2]) == layer["digest"]


def test_the_server_goes_on_while_old_releases_are_dropped(world: World, tmp_path: Path) -> None:
    """A pull of what stays goes on, although its pack is replaced; what went is not found, and said why."""
    store = world.copy_of_site(tmp_path)
    carry(world.publisher, store, tmp_path, "1.1.0", "--from", "1.0.0")
    old, new = (_blobs_of(world, version) for version in ("1.0.0", "1.1.0"))
    digest, (repository, size) = max(new.items() & old.items(), key=lambda item: item[1][1])
    gone, (place, _size) = min(item for item in old.items() if item[0] not in new)
    with served(store) as running, socket.socket() as pulling:
        pulling.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        pulling.settimeout(60)
        host, _, port = running.host.partition(":")
        pulling.connect((host, int(port)))
        pulling.sendall(f"GET /v2/{repository}/blobs/{digest} HTTP/1.0\r\n\r\n".encode())
        assert received(pulling, 12) == b"HTTP/1.1 200"
        assert _get(f"{running.url}/v2/{place}/blobs/{gone}")[0] == 200
        store("gc", "--keep", "1")
        why = "`airstore gc` has dropped the content of release 1.0.0"
        status, errors = _refused(f"{running.url}/v2/{place}/blobs/{gone}")
        assert (status, errors["code"]) == (404, "BLOB_UNKNOWN")
        assert why in errors["message"]
        status, errors = _refused(f"{running.url}/v2/shop/api/manifests/1.0.0")
        assert (status, errors["code"]) == (404, "MANIFEST_UNKNOWN")
        expected = world.publisher.images("1.1.0")["registry.example.com/shop/api:1.1.0"]
        assert expected in _copy(f"{running.host}/shop/api:1.1.0", tmp_path / "copy")
        rest = b""
        while data := pulling.recv(1 << 20):
            rest += data
        body = rest.partition(b"\r\n\r\n")[2]
        assert (len(body), _digest(body)) == (size, digest)
        running.end()
    log = (store.path.parent / "serve.log").read_text().splitlines()
    assert any(f"/v2/{place}/blobs/{gone} 404" in line and why in line for line in log), log


def _blobs_of(world: World, version: str) -> dict[str, tuple[str, int]]:
    """Digest to repository and size, of images."""
    return {
        blob["digest"]: (image["reference"].partition("/")[2].rpartition(":")[0], blob["size"])
        for image in world.publisher.release(version)["images"]
        for blob in image["blobs"]
    }


def _refused(url: str) -> tuple[int, dict[str, str]]:
    with pytest.raises(urllib.error.HTTPError) as raised:
        _get(url)
    (found,) = json.loads(raised.value.read())["errors"]
    return raised.value.code, found


@pytest.mark.parametrize(
    ("listen", "warned"), [("0.0.0.0:0", True), ("127.0.0.1:0", False), ("localhost:0", False)]
)
def test_a_network_that_sees_everything_is_warned_of(world: World, listen: str, warned: bool) -> None:
    with served(world.site, "--listen", listen) as running:
        assert running.end() == 0
        said = (world.site.path.parent / "serve.log").read_text()
    assert (f"WARNING: --listen {listen.partition(':')[0]} without TLS" in said) == warned


def test_an_htpasswd_file_says_who_may_pull(world: World, tmp_path: Path) -> None:
    file = tmp_path / "htpasswd"
    run("htpasswd", "-Bbc", file, "pull", "secret")
    name = "/shop/api:1.0.0"
    with served(world.site, "--htpasswd", file) as running:
        inspect = ("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{running.host}{name}")
        run(*inspect, "--creds=pull:secret")
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            _get(f"{running.url}/v2/")
        refused.value.close()
    file.write_text("pull:{SHA}secret\n")
    said = world.site("registry", "serve", "--htpasswd", file, code=2).err
    assert f"cannot use {file}: line 1 of the htpasswd file" in said
    assert f"htpasswd -Bc {file} USER" in said
    file.unlink()
    assert f"cannot read {file}" in world.site("registry", "serve", "--htpasswd", file, code=10).err
