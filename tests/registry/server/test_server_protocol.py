"""HTTP as nobody should speak it, clients that are too slow or too many, and content they have already."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.image.digest import Digest
from airstore.registry.server.http.clients import Clients, client_of
from airstore.registry.server.server import ServerLimits, Tls
from tests.registry.server.serving import REPOSITORY, Site, largest, release_of, running
from tests.support.registry import layouts
from tests.support.registry.servers import received
from tests.support.registry.tls import Authority

QUICK = ServerLimits(handshake=0.5, header=0.5, body=0.5, idle=1, grace=1)
FEW = ServerLimits(connections=40, per_client=20)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("site")
    nodes = layouts.write_full(directory, size=3_000_000)
    with running(directory, nodes, release_of(directory)) as site:
        yield site


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Site]:
    nodes = layouts.write_full(tmp_path, size=3_000_000)
    with running(tmp_path, nodes, release_of(tmp_path), limits=QUICK) as site:
        yield site


@pytest.fixture
def few(tmp_path: Path) -> Iterator[Site]:
    nodes = layouts.write_full(tmp_path, size=3_000_000)
    with running(tmp_path, nodes, release_of(tmp_path), limits=FEW) as site:
        yield site


def connect(site: Site, window: int = 4096) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.settimeout(20)
    connection.connect((site.server.host, site.server.port))
    return connection


def everything(connection: socket.socket) -> bytes:
    """All that the server says until it closes."""
    said = b""
    while data := connection.recv(1 << 16):
        said += data
    return said


def say(site: Site, data: bytes) -> bytes:
    with connect(site) as connection:
        connection.sendall(data)
        return everything(connection)


GET = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n"
SECOND = b"GET /v2/_catalog HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /v2/ HTTP/1.1\r\n\r\n", b"400"),
        (GET + b"Host: y\r\n\r\n", b"400"),
        (GET + b"Content-Length: -1\r\n\r\n", b"400"),
        (GET + b"Content-Length: +1\r\n\r\nx", b"400"),
        (GET + b"Content-Length: 1, 2\r\n\r\nxx", b"400"),
        (GET + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n", b"400"),
        (GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (GET + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET /v2/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (GET + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", b"501"),
        (GET + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", b"400"),
        (GET + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", b"400"),
        (GET + b"Content-Length : 5\r\n\r\nhello", b"400"),
        (GET + b"Content-Length: 99999999999999\r\n\r\n", b"413"),
        (GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (GET + b"X: " + b"a" * 300_000 + b"\r\n\r\n", b"431"),
        (b"GET http://other/v2/ HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300) + b"\r\n\r\n", b"400"),
    ],
)
def test_requests_that_could_be_read_in_two_ways_are_refused(
    site: Site, request_: bytes, status: bytes
) -> None:
    said = say(site, request_ + SECOND)
    assert said.startswith(b"HTTP/1.1 " + status)
    assert said.count(b"HTTP/1.1 ") == 1, "what follows is no request"


def test_a_body_in_too_many_chunks_is_refused(site: Site) -> None:
    chunk = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    said = say(site, b"PUT /v2/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 17)
    assert said.startswith(b"HTTP/1.1 413")


def test_requests_may_come_all_at_once(site: Site) -> None:
    post = b"POST /v2/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"
    said = say(site, GET + b"\r\n" + post + SECOND)
    assert re.findall(rb"HTTP/1\.1 (\d+)", said) == [b"200", b"405", b"200"]


def test_a_client_that_expects_it_is_told_to_continue(site: Site) -> None:
    with connect(site) as connection:
        connection.sendall(b"POST /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
        connection.sendall(b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        continued = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert received(connection, len(continued)) == continued
        connection.sendall(b"hello")
        assert everything(connection).startswith(b"HTTP/1.1 405")


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", GET, b"POST /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"]),
)
def test_no_bytes_stop_the_server(site: Site, data: bytes, before: bytes) -> None:
    with connect(site) as connection, suppress(ConnectionError):
        connection.sendall(before + data)
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection)[:9] in {b"", b"HTTP/1.1 "}
    assert site.get("/v2/")[0].status == 200


def test_what_a_client_has_is_not_sent_again(site: Site) -> None:
    blob, root = largest(site).digest, site.nodes["root"]["digest"]
    for path, digest in (
        (f"blobs/{blob}", blob),
        (f"manifests/{root}", root),
        ("manifests/1.0", root),
    ):
        for method in ("GET", "HEAD"):
            for tag in (f'"{digest}"', f'"other", W/"{digest}"', "*"):
                head, body = site.get(
                    f"/v2/{REPOSITORY}/{path}", method, If_None_Match=tag, Range="bytes=0-1"
                )
                assert (head.status, body, head.headers["ETag"]) == (304, b"", f'"{digest}"')
                assert head.headers["Content-Length"] is None
            assert site.get(f"/v2/{REPOSITORY}/{path}", method, If_None_Match='"other"')[0].status == 200
    gone = f"/v2/{REPOSITORY}/manifests/2.0"
    assert site.get(gone, If_None_Match="*")[0].status == 404


def test_a_silent_connection_ends(quick: Site) -> None:
    with connect(quick) as connection:
        assert everything(connection) == b""


@pytest.mark.parametrize(
    "start", [b"GET /v2/ HT", b"POST /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx"]
)
def test_a_request_that_drips_ends_with_408(quick: Site, start: bytes) -> None:
    with connect(quick) as connection:
        connection.sendall(start)
        connection.settimeout(0.1)
        said, began = b"", time.monotonic()
        while not said:  # a byte now and then does not prolong it
            assert time.monotonic() < began + 20, "nobody ended it"
            connection.sendall(b"y")
            with suppress(TimeoutError):
                said = connection.recv(1000)
    assert said.startswith(b"HTTP/1.1 408")


def test_a_client_that_reads_slowly_is_served_and_one_that_stops_is_not(quick: Site) -> None:
    blob = largest(quick)
    request = (
        f"GET /v2/{REPOSITORY}/blobs/{blob.digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    with connect(quick, 1 << 16) as slow, connect(quick) as stopped:
        for connection in (slow, stopped):
            connection.sendall(request)
        got, began = bytearray(), time.monotonic()
        while data := slow.recv(20_000):
            got += data
            if time.monotonic() < began + 2 * QUICK.idle:
                time.sleep(0.05)
        broken = [each for each in quick.logged(2) if each.fault]  # by the server: its client is still there
    assert Digest.of(bytes(got).partition(b"\r\n\r\n")[2]) == blob.digest
    assert [each.fault for each in broken] == ["the client broke off"]
    assert 0 < broken[0].sent < blob.size


def test_a_full_house_takes_the_newest_for_the_one_that_waited_longest(few: Site) -> None:
    with ExitStack() as stack:
        waiting = [stack.enter_context(connect(few)) for _ in range(FEW.per_client)]
        assert few.get("/v2/")[0].status == 200
        assert waiting[0].recv(1) == b""
        waiting[-1].sendall(SECOND)
        assert everything(waiting[-1]).startswith(b"HTTP/1.1 200")


def test_a_client_that_only_pulls_keeps_others_in(few: Site) -> None:
    """Nobody who is being served has to go; the one too many is told so."""
    path = f"/v2/{REPOSITORY}/blobs/{largest(few).digest}"
    with ExitStack() as stack:
        for _ in range(FEW.per_client):
            connection = stack.enter_context(connect(few))
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert received(connection, 12) == b"HTTP/1.1 200"
        said = say(few, b"")
        assert said.startswith(b"HTTP/1.1 503")
        assert "127.0.0.1: too many connections" in few.faults


def test_plain_text_to_tls_is_told_so(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path / "tls")
    nodes = layouts.write_full(tmp_path / "layout")
    tls = Tls(authority.certificate, authority.key)
    with running(tmp_path / "layout", nodes, release_of(tmp_path / "layout"), tls, QUICK) as site:
        said = say(site, GET + b"\r\n")
        assert said.startswith(b"HTTP/1.1 400")
        assert said.endswith(b"this server only speaks HTTPS on this port\n")
        assert say(site, b"\x16\x03\x01") == b"", "a handshake that never ends is ended"
        assert "no TLS connection" in site.faults[0]


def test_the_end_breaks_off_what_takes_longer_than_its_grace(tmp_path: Path) -> None:
    nodes = layouts.write_full(tmp_path, size=3_000_000)
    with ExitStack() as stack:
        with running(tmp_path, nodes, release_of(tmp_path), limits=QUICK) as site:
            idle, pulling = (stack.enter_context(connect(site)) for _ in range(2))
            path = f"/v2/{REPOSITORY}/blobs/{largest(site).digest}"
            pulling.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert received(pulling, 12) == b"HTTP/1.1 200"
            began = time.monotonic()
        assert time.monotonic() - began < 10
        assert idle.recv(1) == b""
    assert site.log[-1].fault == "the client broke off"


class Visitor:
    """A connection that notes what happens to it."""

    def __init__(self, answering: bool) -> None:
        self.answering = answering
        self.ended = 0

    def end_soon(self) -> None:
        self.ended += 1

    def cut(self) -> None:
        raise AssertionError("nobody is broken off for another")


@given(
    st.lists(
        st.tuples(st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2"]), st.booleans())
    )
)
def test_there_are_never_more_than_the_limits(arrivals: list[tuple[str, bool]]) -> None:
    clients, inside = Clients(ServerLimits(connections=6, per_client=4)), list[tuple[str, Visitor]]()
    for address, answering in arrivals:
        admitted = clients.admit(address)
        inside = [(a, v) for a, v in inside if not v.ended]
        own = [v for a, v in inside if client_of(a) == client_of(address)]
        assert admitted or all(v.answering for v in own) or len(inside) >= 6
        if admitted:
            inside.append((address, Visitor(answering)))
            clients.add(*inside[-1])
        assert len(clients) == len(inside) <= 6
        assert len([v for a, v in inside if client_of(a) == client_of(address)]) <= 4
    for address, visitor in inside * 2:
        clients.remove(address, visitor)
    assert len(clients) == 0


def test_a_client_is_an_address_or_a_network_of_one_host() -> None:
    assert client_of("::ffff:10.0.0.1") == client_of("10.0.0.1") != client_of("10.0.0.2")
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff%eth0") != client_of("2001:db8:0:1::1")


def test_errors_of_the_protocol_reach_the_log(site: Site) -> None:
    say(site, b"nonsense\r\n\r\n")
    assert any(fault.startswith("127.0.0.1: 400 ") for fault in site.faults)
    assert json.loads(say(site, SECOND).partition(b"\r\n\r\n")[2])["repositories"] == [REPOSITORY]
