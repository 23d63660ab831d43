"""The embedded registry when its blobs are damaged, clients go away, or it is told to end."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from airstore.core.errors import NotFoundError, TransferError, UsageError
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_CONFIG
from airstore.registry.server.catalog import ReleaseCatalog
from airstore.registry.server.server import (
    Listen,
    RunningServer,
    ServerLimits,
    Stop,
    Tls,
    make_app,
    running_server,
    serve,
)
from airstore.registry.sources.layout import OciLayout
from tests.registry.server.serving import REPOSITORY, Site, largest, release_of, running
from tests.support.registry import layouts
from tests.support.registry.layouts import run
from tests.support.registry.servers import received


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    nodes = layouts.write_full(tmp_path, size=3_000_000)
    with running(tmp_path, nodes, release_of(tmp_path)) as site:
        yield site


@pytest.fixture
def damaged(site: Site) -> Site:
    """A site whose largest blob and one manifest have one bit changed."""
    for digest in (largest(site).digest, site.nodes["arm64"]["digest"]):
        path = layouts.blob_path(site.directory, digest)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    return site


def test_a_damaged_blob_breaks_the_connection(damaged: Site) -> None:
    blob = largest(damaged)
    path = f"/v2/{REPOSITORY}/blobs/{blob.digest}"
    with pytest.raises(http.client.IncompleteRead) as caught:
        damaged.get(path)
    assert 0 < len(caught.value.partial) < blob.size
    with pytest.raises(http.client.IncompleteRead):  # the damage is behind the range
        damaged.get(path, Range="bytes=0-1500000")
    assert all("has other content" in str(access.fault) for access in damaged.logged(2))
    assert "DamagedError" in damaged.faults[0]


def test_curl_and_skopeo_notice_the_break(damaged: Site, skopeo: Path, tmp_path: Path) -> None:
    url = f"{damaged.server.url}/v2/{REPOSITORY}/blobs/{largest(damaged).digest}"
    assert run("curl", "-sf", "-o", "/dev/null", url, check=False).returncode == 18
    source = f"docker://{damaged.server.address}/{REPOSITORY}:1.0"
    command = [skopeo, "copy", "-q", "--all", "--src-tls-verify=false", source, f"dir:{tmp_path}/out"]
    assert run(*command, check=False).returncode != 0


def test_a_small_damaged_blob_is_a_proper_error(damaged: Site) -> None:
    blobs = damaged.release.images[0].blobs
    config = next(blob for blob in blobs if blob.media_type == OCI_CONFIG)
    layouts.blob_path(damaged.directory, config.digest).write_bytes(bytes(config.size))
    response, _ = damaged.get(f"/v2/{REPOSITORY}/blobs/{config.digest}")
    assert response.status == 500
    layouts.blob_path(damaged.directory, config.digest).unlink()
    assert damaged.get(f"/v2/{REPOSITORY}/blobs/{config.digest}", "HEAD")[0].status == 500
    assert "is not in the store" in str(damaged.logged(2)[-1].fault)


def test_a_damaged_manifest_is_an_error(damaged: Site) -> None:
    response, body = damaged.get(f"/v2/{REPOSITORY}/manifests/{damaged.nodes['arm64']['digest']}")
    assert (response.status, json.loads(body)["errors"][0]["code"]) == (500, "UNKNOWN")
    assert b"blobs" not in body
    assert "has other content" in str(damaged.logged(1)[0].fault)


def test_a_client_that_goes_away_is_logged(damaged: Site) -> None:
    arm64 = [blob for blob in damaged.release.images[0].blobs if "gzip" in blob.media_type]
    sound = min(arm64, key=lambda blob: blob.digest == largest(damaged).digest)
    with socket.create_connection((damaged.server.host, damaged.server.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = f"GET /v2/{REPOSITORY}/blobs/{sound.digest} HTTP/1.1\r\nHost: x\r\n\r\n"
        client.sendall(request.encode())
        client.recv(100)
    (access,) = damaged.logged(1)
    assert access.fault == "the client broke off"
    assert access.sent < sound.size


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    directory = tmp_path_factory.mktemp("tls")
    tls = Tls(directory / "cert.pem", directory / "key.pem")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(tls.key),
        "-out",
        str(tls.certificate),
    ]
    run(*command)
    return tls


def test_tls_is_spoken_and_plain_text_is_not(site: Site, certificate: Tls) -> None:
    faults: list[str] = []
    with OciLayout.directory(site.directory) as blobs:
        app = make_app(ReleaseCatalog([site.release]), blobs)
        with running_server(app, Listen(tls=certificate), fault=faults.append) as server:
            url = f"{server.url}/v2/{REPOSITORY}/manifests/1.0"
            curl = ["curl", "-sf", "--max-time", "20"]
            trusting = [*curl, "--cacert", certificate.certificate, url]
            good = run(*trusting)
            assert Digest.of(good.stdout) == site.nodes["root"]["digest"]
            assert run(*curl, url, check=False).returncode == 60
            old = ["--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"]
            assert run(*trusting, *old, check=False).returncode == 35
            plain = url.replace("https", "http")
            assert run(*curl, plain, check=False).returncode != 0
    assert faults


def test_faults_of_starting_are_named(site: Site, certificate: Tls, tmp_path: Path) -> None:
    with OciLayout.directory(site.directory) as blobs, ExitStack() as stack:
        app = make_app(ReleaseCatalog([site.release]), blobs)
        with pytest.raises(TransferError, match="cannot listen"):
            stack.enter_context(running_server(app, Listen(port=site.server.port)))
        with pytest.raises(NotFoundError, match=r"cannot read .*/no: "):
            stack.enter_context(running_server(app, Listen(tls=Tls(tmp_path / "no", certificate.key))))
        with pytest.raises(UsageError, match="cannot use certificate"):
            stack.enter_context(
                running_server(app, Listen(tls=Tls(certificate.key, certificate.certificate)))
            )


def test_serving_ends_when_told_and_lets_a_pull_finish(site: Site) -> None:
    blob = largest(site)
    stop, begun, go_on = Stop(), threading.Event(), threading.Event()

    class Slow:
        """A reader that waits in the middle of a blob."""

        def size(self, digest: Digest) -> int | None:
            return blobs.size(digest)

        def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
            for chunk in blobs.read(digest, start, stop):
                begun.set()
                go_on.wait(10)
                yield chunk

    def pull(server: RunningServer) -> None:
        site_now = Site(server, site.directory, site.nodes, site.release)
        answers.append(pool.submit(site_now.get, f"/v2/{REPOSITORY}/blobs/{blob.digest}"))
        assert begun.wait(10)
        stop.set()
        threading.Timer(0.3, go_on.set).start()

    answers: list[Future[tuple[http.client.HTTPResponse, bytes]]] = []
    with OciLayout.directory(site.directory) as blobs, ThreadPoolExecutor(2) as pool:
        serve(make_app(ReleaseCatalog([site.release]), Slow()), stop, pull, Listen())
        assert Digest.of(answers[0].result()[1]) == blob.digest


def test_told_once_more_it_does_not_wait_for_a_pull(site: Site) -> None:
    """Whoever holds Ctrl-C twice does not want to wait for a client that has stopped reading."""
    stop, told = Stop(), list[str]()
    path = f"/v2/{REPOSITORY}/blobs/{largest(site).digest}"

    def pull(server: RunningServer) -> None:
        client = stack.enter_context(socket.create_connection((server.host, server.port), timeout=20))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert received(client, 12) == b"HTTP/1.1 200"
        stop.set()

    def ending() -> None:
        told.append("once")
        stop.set()

    patient = ServerLimits(body=600, idle=600, grace=600)
    with OciLayout.directory(site.directory) as blobs, ExitStack() as stack:
        app = make_app(ReleaseCatalog([site.release]), blobs)
        serve(app, stop, pull, Listen(), limits=patient, ending=ending)
        assert told == ["once"]


_TOLD_ELSEWHERE = """
import os, signal, threading, time
from airstore.registry.server.server import Stop

stop = Stop()
stop.on_signals(signal.SIGTERM)
threading.Thread(target=lambda: (time.sleep(0.3), os.kill(os.getpid(), signal.SIGTERM))).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # the other thread gets it
stop.wait()
"""

_TOLD_BEFORE = """
import signal
from airstore.registry.server.server import Stop

stop = Stop()
stop.on_signals(signal.SIGTERM)
signal.raise_signal(signal.SIGTERM)
for _ in range(100_000):
    stop.set()
stop.wait()
"""


@pytest.mark.parametrize("program", [_TOLD_ELSEWHERE, _TOLD_BEFORE], ids=["elsewhere", "before"])
def test_a_signal_ends_the_wait_whenever_and_wherever_it_comes(program: str) -> None:
    """One that does not interrupt the wait itself would be handled only afterwards, which is never."""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
