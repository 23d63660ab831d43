"""Every answer that a protocol allows counts, not only the first or the strictest one."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import NotFoundError, TransferError
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_MANIFEST
from airstore.core.image.reference import Reference
from airstore.registry.client.login.challenges import Challenge, parse_challenges
from airstore.registry.client.login.credentials import Credentials
from airstore.registry.push.plan import plan_push
from airstore.registry.push.push import push
from tests.support.registry.faults import Fault, FaultProxy
from tests.support.registry.parts import Connect, Shipment
from tests.support.tools.http_server import listening

MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "text/plain", "digest": str(Digest.of(b"")), "size": 0},
        "layers": [],
    }
).encode()
BASIC = "Basic " + base64.b64encode(b"u:p").decode()

FIELDS: dict[str, list[tuple[str, dict[str, str]]]] = {
    'Basic realm="reg"': [("basic", {"realm": "reg"})],
    "Negotiate": [("negotiate", {})],
    'Negotiate, Basic realm="reg", charset="UTF-8"': [
        ("negotiate", {}),
        ("basic", {"realm": "reg", "charset": "UTF-8"}),
    ],
    'Bearer realm="https://t.example/token",service="a, b",scope="repository:x:pull,push"': [
        ("bearer", {"realm": "https://t.example/token", "service": "a, b", "scope": "repository:x:pull,push"})
    ],
    "NTLM TlRMTVNTUAA=, Basic realm=reg": [("ntlm", {}), ("basic", {"realm": "reg"})],
    'bearer Realm = "a \\"b\\"" , error=x': [("bearer", {"realm": 'a "b"', "error": "x"})],
    'Basic realm="cut off': [("basic", {"realm": "cut off"})],
    ", ,Basic,": [("basic", {})],
    "": [],
}


@pytest.mark.parametrize("text", FIELDS)
def test_every_challenge_of_a_field_is_read(text: str) -> None:
    assert parse_challenges(text) == [Challenge(*each) for each in FIELDS[text]]


TOKENS = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)


@given(st.lists(st.tuples(TOKENS, st.dictionaries(TOKENS, VALUES, max_size=3)), max_size=4))
def test_what_is_written_by_the_rules_is_read_back(challenges: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    parts = [
        " ".join([scheme, ", ".join(f"{name}={quoted(value)}" for name, value in parameters.items())]).strip()
        for scheme, parameters in challenges
    ]
    assert parse_challenges(", ".join(parts)) == [Challenge(*each) for each in challenges]


@given(st.text())
def test_no_field_is_too_strange(text: str) -> None:
    for challenge in parse_challenges(text):
        assert challenge.scheme == challenge.scheme.lower()


@dataclass
class Server:
    """What it answers to requests without the right password, and what it was sent.

    Attributes:
        status: of that answer.
        challenges: one ``WWW-Authenticate`` field each.
        ping: those of ``/v2/``; the others' where None.
    """

    status: int = 401
    challenges: tuple[str, ...] = ()
    ping: tuple[str, ...] | None = None
    host: str = ""
    sent: list[str | None] = field(default_factory=list)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            sent = self.headers.get("Authorization")
            server.sent.append(sent)
            ping = self.path == "/v2/"
            good = sent == BASIC
            self.send_response(200 if good else 401 if ping else server.status)
            fields = server.ping if ping and server.ping is not None else server.challenges
            for each in () if good else fields:
                self.send_header("WWW-Authenticate", each)
            body = MANIFEST if good else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    with listening(web) as server.host:
        yield server


class Known:
    def find(self, host: str, repository: str) -> Credentials | None:  # noqa: ARG002 - one for all
        return Credentials("u", "p")


BASIC_WANTED = 'Basic realm="reg"'
SERVERS = {
    "two fields": Server(challenges=("Negotiate", BASIC_WANTED)),
    "one field": Server(challenges=(f"Negotiate, {BASIC_WANTED}",)),
    "a token server that does not work": Server(challenges=('Bearer realm="nowhere"', BASIC_WANTED)),
    "nothing but at /v2/": Server(ping=(BASIC_WANTED,)),
    "forbidden, and only /v2/ says why": Server(status=403, ping=(BASIC_WANTED,)),
    "hidden from strangers": Server(status=404, ping=(BASIC_WANTED,)),
}
REFERENCE = Reference("x.example", "shop/app", "1")


@pytest.mark.parametrize("case", SERVERS)
def test_the_password_is_sent_where_any_challenge_asks_for_it(connect: Connect, case: str) -> None:
    with serving(SERVERS[case]) as server:
        assert connect(server.host, Known()).resolve(REFERENCE).digest == Digest.of(MANIFEST)
        assert server.sent[-1] == BASIC


def test_nothing_is_sent_that_nobody_asked_for(connect: Connect) -> None:
    with serving(Server(challenges=("Negotiate",))) as server:
        with pytest.raises(TransferError, match="401") as caught:
            connect(server.host, Known()).resolve(REFERENCE)
        assert "offers only negotiate" in caught.value.hint
        assert set(server.sent) == {None}


def test_without_a_password_what_is_hidden_is_not_there(connect: Connect) -> None:
    with serving(Server(status=404, ping=(BASIC_WANTED,))) as server:
        with pytest.raises(NotFoundError):
            connect(server.host).resolve(REFERENCE)
        assert len(server.sent) == 1


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_a_registry_that_refuses_head_is_asked_with_get(
    connect: Connect, proxy: FaultProxy, shipment: Shipment, status: int
) -> None:
    client = connect(proxy.host)
    push(client, plan_push(client, shipment.images, shipment.reader), shipment.reader, lambda _count: None)
    proxy.faults.append(Fault("HEAD", "/blobs/", times=1000, status=status))
    assert plan_push(client, shipment.images, shipment.reader).upload_bytes == 0


def test_a_registry_that_fails_over_head_is_asked_with_get(
    connect: Connect, proxy: FaultProxy, shipment: Shipment
) -> None:
    client = connect(proxy.host)
    push(client, plan_push(client, shipment.images, shipment.reader), shipment.reader, lambda _count: None)
    proxy.faults.append(Fault("HEAD", "/manifests/", times=1000, status=500))
    client.check(shipment.images[0].reference)


def test_a_web_page_is_no_manifest_whatever_its_status(
    connect: Connect, proxy: FaultProxy, shipment: Shipment
) -> None:
    """As login pages answer, HEAD as well; a check has to find it, not the first ingest."""
    client, reference = connect(proxy.host), shipment.images[0].reference
    push(client, plan_push(client, shipment.images, shipment.reader), shipment.reader, lambda _count: None)
    page = {"Content-Type": "text/html; charset=utf-8"}
    for method in ("HEAD", "GET"):
        body = b"<html>log in</html>" if method == "GET" else b""
        proxy.faults.append(Fault(method, "/manifests/", times=1000, status=200, headers=page, body=body))
    for ask in (client.check, client.resolve):
        with pytest.raises(TransferError, match="a web page, not a manifest") as caught:
            ask(reference)
        assert "login page" in caught.value.hint


def test_a_head_without_a_length_proves_nothing_wrong(
    connect: Connect, proxy: FaultProxy, shipment: Shipment
) -> None:
    client = connect(proxy.host)
    push(client, plan_push(client, shipment.images, shipment.reader), shipment.reader, lambda _count: None)
    proxy.faults.append(Fault("HEAD", "/blobs/", times=1000, status=200))  # says Content-Length: 0
    assert plan_push(client, shipment.images, shipment.reader).upload_bytes == 0


@pytest.mark.parametrize(("method", "status"), [("POST", 301), ("PUT", 307)])
def test_a_registry_that_sends_writes_elsewhere_is_named(
    connect: Connect, proxy: FaultProxy, shipment: Shipment, method: str, status: int
) -> None:
    client = connect(proxy.host)
    plan = plan_push(client, shipment.images, shipment.reader)
    away = {"Location": f"http://localhost:{proxy.host.partition(':')[2]}/v2/"}
    proxy.faults.append(Fault(method, "/uploads/", times=1000, status=status, headers=away))
    with pytest.raises(TransferError, match="sends writes elsewhere: to http://localhost") as caught:
        push(client, plan, shipment.reader, lambda _count: None)
    assert "plain-http" in caught.value.hint


def test_no_cookie_is_ever_sent_back(connect: Connect) -> None:
    """Harbor takes whoever sends one for a browser, and refuses writes without its token against forgery."""
    sent: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent.append(self.headers.get("Cookie"))
            self.send_response(200)
            self.send_header("Content-Type", OCI_MANIFEST)
            self.send_header("Content-Length", str(len(MANIFEST)))
            self.send_header("Set-Cookie", "sid=a-session; Path=/")
            self.end_headers()
            self.wfile.write(MANIFEST)

        def log_message(self, *_arguments: object) -> None:
            pass

    with listening(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as host:
        client = connect(host)
        for _ in range(2):
            client.resolve(Reference.parse("registry.example.com/shop/api:1"))
    assert sent == [None, None]
