"""Documents that charts refer to by URL: what is fetched, from whom, and what is not."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from airstore.core.errors import TransferError
from airstore.registry.client import documents
from airstore.registry.client.documents import DocumentSource, followed
from airstore.registry.client.endpoint import Endpoint
from tests.support.tools.http_server import listening

LIMIT = 1000
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Site:
    """A web server.

    Attributes:
        answers: path to status, headers and body.
        asked: path and headers of each request.
    """

    host: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str, status: int = 200, body: bytes = b"", **headers: str) -> str:
        """Have something answered, and where."""
        self.answers[path] = status, {key.replace("_", "-"): value for key, value in headers.items()}, body
        return f"http://{self.host}{path}"


@pytest.fixture
def web() -> Iterator[Site]:
    site = Site("")

    class Serving(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.path, dict(self.headers)))
            status, headers, body = site.answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Not to the terminal."""

    with listening(ThreadingHTTPServer(("127.0.0.1", 0), Serving)) as host:
        site.host = host
        yield site


def source(**how: Any) -> DocumentSource:
    return DocumentSource(Endpoint("", stall=5, **how))


def test_a_document_as_it_is_or_compressed(web: Site) -> None:
    assert source().fetch(web.url("/a", body=b"{}"), LIMIT) == b"{}"
    packed = web.url("/b", body=gzip.compress(b"[1]"), Content_Encoding="gzip")
    assert source().fetch(packed, LIMIT) == b"[1]"


def test_redirects_are_followed_so_far(web: Site) -> None:
    web.url("/end", body=b"{}")
    for step in range(7):
        web.url(f"/{step}", 302, Location=f"/{step - 1}" if step else "/end")
    assert source().fetch(web.url("/4", 302, Location="/3"), LIMIT) == b"{}"
    with pytest.raises(TransferError, match="redirects more than 5 times"):
        source().fetch(f"http://{web.host}/6", LIMIT)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda web: web.url("/none", 404), "answered 404"),
        (lambda web: web.url("/long", body=b"x" * (LIMIT + 1)), "larger than 1000 bytes"),
        (
            lambda web: web.url("/bomb", body=gzip.compress(b"x" * 10_000_000), Content_Encoding="gzip"),
            "larger than 1000 bytes",
        ),
        (lambda web: web.url("/cut", body=b"x", Content_Length="5"), "the connection broke"),
        (lambda web: web.url("/file", 302, Location="file:///etc/passwd"), "no address of a document"),
        (lambda web: web.url("/cloud", 302, Location="http://169.254.169.254/latest"), "is not asked"),
        (lambda _: "ftp://a.example/", "no address of a document"),
        (lambda _: "http://", "no address of a document"),
        (lambda _: "http://a.example:0x1/", "no address of a document"),
        (lambda _: "http://nowhere.invalid/", "cannot be resolved|connection broke|no connection"),
    ],
)
def test_what_cannot_be_had_says_why(web: Site, answer: Callable[[Site], str], why: str) -> None:
    with pytest.raises(TransferError, match=why):
        source().fetch(answer(web), LIMIT)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "2852039166",  # the first one, as a number
    ],
)
def test_what_only_this_machine_may_ask_is_not_asked(host: str) -> None:
    with pytest.raises(TransferError, match="is not asked"):
        source().fetch(f"http://{host}/latest/meta-data/", LIMIT)


def test_a_proxy_is_asked_in_the_place_of_names(web: Site) -> None:
    proxies = {"http": f"http://{web.host}"}
    web.answers["http://schemas.invalid/a"] = 200, {}, b"{}"
    assert source(proxies=proxies).fetch("http://schemas.invalid/a", LIMIT) == b"{}"


def test_https_does_not_lead_to_less() -> None:
    with pytest.raises(TransferError, match="redirects to what is not https"):
        followed("https://a.example/", "http://a.example/", "a")
    assert followed("https://a.example/b/", "../c", "a") == "https://a.example/c"


def test_nobodys_password_is_sent(web: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login anna password word\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    source().fetch(web.url("/a"), LIMIT)
    assert "Authorization" not in web.asked[0][1]


def test_who_does_not_answer_is_not_asked_again(web: Site) -> None:
    fetching = source()
    with listening(ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)) as gone:
        pass
    for path in ("a", "b"):
        with pytest.raises(TransferError, match="/a: connection refused"):
            fetching.fetch(f"http://{gone}/{path}", LIMIT)
    with pytest.raises(TransferError, match="404"):
        fetching.fetch(f"http://{web.host}/none", LIMIT)
    assert fetching.fetch(web.url("/a", body=b"{}"), LIMIT) == b"{}"  # who says no is there


def test_words_in_a_url_are_not_told(web: Site) -> None:
    with pytest.raises(TransferError) as told:
        source().fetch(f"http://anna:word@{web.host}/none?token=abc", LIMIT)
    assert "word" not in str(told.value)
    assert "abc" not in str(told.value)


def test_who_sends_a_byte_now_and_then_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_WHOLE", 0.3)
    over = threading.Event()

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "900")
            self.end_headers()
            while not over.wait(0.05):
                self.wfile.write(b" ")

        def log_message(self, *_: Any) -> None:
            """Not to the terminal."""

    with listening(ThreadingHTTPServer(("127.0.0.1", 0), Dripping)) as host:
        try:
            with pytest.raises(TransferError, match=r"took longer than 0\.3 seconds"):
                source().fetch(f"http://{host}/", LIMIT)
        finally:
            over.set()
