"""Requests as servers and proxies see them: redirects, what goes along with them, certificates."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from airstore.core.errors import TransferError, UsageError
from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.http.connections import Connections
from airstore.registry.faults import network_errors
from tests.support.registry.tls import Authority

_LOGIN = {"Authorization": "Bearer secret"}
_PROXY_LOGIN = "Basic " + base64.b64encode(b"anna:p w").decode()


@dataclass
class Web:
    """A server and what it was asked: method, path, headers, body.

    Attributes:
        answers: path to status and Location; any other is 200.
    """

    host: str
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.web.asked.append((self.command, self.path, _headers(self.headers), body))
        status, location = self.web.answers.get(self.path, (200, ""))
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - names of the standard library

    def do_CONNECT(self) -> None:
        """Be a tunnel to wherever is asked for."""
        self.web.asked.append((self.command, self.path, _headers(self.headers), b""))
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as far:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_copy, args=(far, self.connection))
            back.start()
            _copy(self.connection, far)
            back.join()
        self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def _headers(received: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in received.items()}


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # either end may just close
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def _web(authority: Authority | None = None) -> Iterator[Web]:
    web = Web("")
    handler = type("Handler", (_Handler,), {"web": web})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        web.host = f"127.0.0.1:{server.server_port}"
        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority.certificate, authority.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    """A server in plain HTTP."""
    with _web() as made:
        yield made


@pytest.fixture
def ask() -> Iterator[Any]:
    """Make a request as an endpoint that is reached in a way; gives the answer, its body read."""
    opened = []

    def request(method: str, url: str, *body: Any, **how: Any) -> Any:
        connections = Connections(Endpoint("registry.example", **{"plain_http": True, "stall": 5.0, **how}))
        opened.append(connections)
        with connections.request(method, url, _LOGIN, *body) as answer:
            answer.raw.read()
        return answer

    yield request
    for connections in opened:
        connections.close()


def test_who_we_are_is_told_to_the_first_host_alone(web: Web, ask: Any) -> None:
    with _web() as other:
        web.answers = {"/a": (307, "/b"), "/b": (302, f"http://{other.host}/c")}
        answer = ask("GET", f"http://{web.host}/a")
    assert [asked[2].get("authorization") for asked in web.asked] == ["Bearer secret"] * 2
    assert [asked[1] for asked in other.asked] == ["/c"]
    assert "authorization" not in other.asked[0][2]
    assert (answer.url, answer.moved, answer.authorization) == (f"http://{other.host}/c", True, None)


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        (301, "POST", "GET"),
        (301, "PUT", "PUT"),
        (302, "PUT", "GET"),
        (303, "PUT", "GET"),
        (308, "PUT", "PUT"),
    ],
)
def test_a_redirect_makes_of_a_method_what_browsers_make(
    web: Web, ask: Any, status: int, method: str, becomes: str
) -> None:
    web.answers = {"/a": (status, "b")}
    answer = ask(method, f"http://{web.host}/a", b"body")
    kept = b"body" if status == 308 else b""
    assert [(asked[0], asked[1], asked[3]) for asked in web.asked] == [
        (method, "/a", b"body"), (becomes, "/b", kept),
    ]  # fmt: skip
    assert answer.method == becomes


def test_redirects_end(web: Web, ask: Any) -> None:
    web.answers = {"/a": (302, "/a")}
    with pytest.raises(TransferError, match="more than 30 redirects"):
        ask("GET", f"http://{web.host}/a")
    assert len(web.asked) == 31


def test_an_address_that_is_none_is_the_servers_fault(web: Web, ask: Any) -> None:
    web.answers = {"/a": (302, "ftp://elsewhere/"), "/b": (302, "http://[::1"), "/c": (302, "\xe4")}
    for path in web.answers:
        with pytest.raises(TransferError, match="an address that cannot be used"), network_errors("x", 1):
            ask("GET", f"http://{web.host}{path}")


def test_a_proxy_gets_its_own_login_and_the_whole_address(web: Web, ask: Any) -> None:
    proxies = {"http": f"anna:p%20w@{web.host}", "no_proxy": "direct.example"}
    ask("GET", "http://registry.example/v2/", proxies=proxies)
    (method, path, headers, _) = web.asked[0]
    assert (method, path) == ("GET", "http://registry.example/v2/")
    assert headers["proxy-authorization"] == _PROXY_LOGIN
    assert headers["host"] == "registry.example"


def test_tls_goes_through_a_proxy_unseen_and_by_the_given_certificates(
    web: Web, ask: Any, tmp_path: Path
) -> None:
    authority = Authority.create(tmp_path)
    proxies = {"https": f"http://anna:p%20w@{web.host}"}
    with _web(authority) as secure:
        how = {"plain_http": False, "proxies": proxies}
        ask("GET", f"https://{secure.host}/v2/", ca=authority.ca, **how)
        assert [asked[:2] for asked in web.asked] == [("CONNECT", secure.host)]
        assert web.asked[0][2]["proxy-authorization"] == _PROXY_LOGIN
        assert "authorization" not in web.asked[0][2]
        assert "proxy-authorization" not in secure.asked[0][2]
        ask("GET", f"https://{secure.host}/v2/", insecure=True, **how)
        with pytest.raises(TransferError, match="x509"), network_errors("x", 1):
            ask("GET", f"https://{secure.host}/v2/", **how)
        assert len(secure.asked) == 2


def test_an_endpoint_in_plain_http_may_send_us_to_tls(web: Web, ask: Any, tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    with _web(authority) as secure:
        web.answers = {"/a": (307, f"https://{secure.host}/b")}
        ask("GET", f"http://{web.host}/a", ca=authority.ca)
        assert [asked[1] for asked in secure.asked] == ["/b"]
        with pytest.raises(TransferError, match="x509"), network_errors("x", 1):
            ask("GET", f"http://{web.host}/a")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "proxy", ["socks5://anna:word@a.example", "http://anna:word@[::1", "http://a.example:x"]
)
def test_a_proxy_that_cannot_be_used_is_named(ask: Any, scheme: str, proxy: str) -> None:
    with pytest.raises(UsageError, match="is no proxy that can be used") as refused:
        ask("GET", f"{scheme}://b.example/", plain_http=scheme == "http", proxies={scheme: proxy})
    assert "word" not in str(refused.value)
