"""A normal client gets its layer while hundreds of others say nothing, drip, or hardly read."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from airstore.core.image.digest import Digest
from airstore.registry.server.server import Tls
from tests.registry.server.floods import MANY, Step, body_dripped, flood, header_dripped, layer_sipped
from tests.registry.server.serving import REPOSITORY, Site, largest, release_of, running
from tests.support.registry import layouts
from tests.support.registry.tls import Authority

_PATIENCE = 20  # seconds without a byte until the normal client gives up: it fails where the server stalls


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["plain", "tls"])
def site(request: pytest.FixtureRequest, tmp_path: Path, authority: Authority) -> Iterator[Site]:
    nodes = layouts.write_full(tmp_path, size=3_000_000)
    tls = Tls(authority.certificate, authority.key) if request.param == "tls" else None
    with running(tmp_path, nodes, release_of(tmp_path), tls) as site:
        yield site


def pull(site: Site, authority: Authority) -> None:
    """What every client of a registry does, and gets."""
    host, port = site.server.host, site.server.port
    connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    if site.server.scheme == "https":
        trusting = ssl.create_default_context(cafile=str(authority.ca))
        connection = http.client.HTTPSConnection(host, port, timeout=_PATIENCE, context=trusting)
    blob = largest(site)
    try:
        connection.request("GET", f"/v2/{REPOSITORY}/blobs/{blob.digest}")
        assert Digest.of(connection.getresponse().read()) == blob.digest
    finally:
        connection.close()


def test_silent_connections_do_not_stall_the_server(site: Site, authority: Authority) -> None:
    with flood(site.server):
        pull(site, authority)
        pull(site, authority)


@pytest.mark.parametrize("site", ["plain"], indirect=True)
@pytest.mark.parametrize("step", [header_dripped, body_dripped])
def test_dripping_requests_do_not_stall_the_server(site: Site, authority: Authority, step: Step) -> None:
    with flood(site.server, step):
        pull(site, authority)


@pytest.mark.parametrize("site", ["plain"], indirect=True)
def test_readers_that_take_a_byte_at_a_time_do_not_stall_the_server(site: Site, authority: Authority) -> None:
    with flood(
        site.server, layer_sipped(f"/v2/{REPOSITORY}/blobs/{largest(site).digest}"), every=0.2
    ) as sockets:
        pull(site, authority)
        assert len(sockets) == MANY


def test_a_handshake_that_drips_is_none(site: Site, authority: Authority) -> None:
    """The first bytes of a TLS record, and then no more."""

    def step(connection: socket.socket, number: int) -> None:
        connection.send(b"\x16\x03\x01\x02\x00"[number:][:1])

    with flood(site.server, step):
        pull(site, authority)
