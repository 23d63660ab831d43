"""A reverse proxy before a registry that breaks things on request, and notes every request."""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.tools.http_server import listening

_CHUNK = 64 << 10


@dataclass
class Fault:
    """What happens to matching requests.

    Attributes:
        method: the HTTP method.
        path: a pattern searched for in the path.
        times: how many requests it happens to.
        status: answer with this instead of asking the registry, when the request was read.
        headers: of that answer.
        body: of that answer.
        reset_sent: reset the connection after so many bytes of the request's body.
        reset_received: reset it after so many bytes of the answer's body.
        stall: seconds to wait before going on, after the headers.
        largest: answer 413 to bodies beyond so many bytes, reading none of them.
    """

    method: str
    path: str
    times: int = 1
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    reset_sent: int | None = None
    reset_received: int | None = None
    stall: float = 0.0
    largest: int | None = None


@dataclass
class FaultProxy:
    """A running proxy: add `Fault`s to ``faults``; ``requests`` holds what came, ``METHOD path``, over
    ``connections`` connections."""

    host: str = ""
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, pattern: str) -> int:
        """How many requests match."""
        return len([line for line in self.requests if re.search(pattern, line)])

    def take(self, method: str, path: str) -> Fault | None:
        """Note a request; the fault that is due for it."""
        with self.lock:
            self.requests.append(f"{method} {path}")
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Run one before the plain HTTP registry at ``upstream`` for the length of the block."""
    proxy = FaultProxy()
    handler = type("Handler", (_Handler,), {"proxy": proxy, "upstream": upstream})
    with listening(_Server(("127.0.0.1", 0), handler)) as proxy.host:
        yield proxy


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_arguments: Any) -> None:
        pass  # clients that go away are the point of these tests


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    proxy: FaultProxy
    upstream: str

    def setup(self) -> None:
        super().setup()
        with self.proxy.lock:
            self.proxy.connections += 1

    def _forward(self) -> None:
        fault = self.proxy.take(self.command, self.path) or Fault("", "")
        length = int(self.headers.get("Content-Length") or 0)
        if fault.largest is not None and length > fault.largest:
            self._answer(413, {"Connection": "close"}, b"<html>413 Request Entity Too Large</html>")
            self._linger(length)
            return
        if fault.stall:
            time.sleep(fault.stall)
        if fault.status:
            self._discard(length)
            self._answer(fault.status, fault.headers, fault.body)
            return
        with suppress(_Reset):
            self._relay(fault, length)

    def do_GET(self) -> None:
        self._forward()

    def do_HEAD(self) -> None:
        self._forward()

    def do_POST(self) -> None:
        self._forward()

    def do_PUT(self) -> None:
        self._forward()

    def do_PATCH(self) -> None:
        self._forward()

    def do_DELETE(self) -> None:
        self._forward()

    def log_message(self, *_arguments: object) -> None:
        pass

    def _relay(self, fault: Fault, length: int) -> None:
        connection = http.client.HTTPConnection(self.upstream, timeout=30)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders()
            for chunk in self._pieces(self.rfile, length, fault.reset_sent):
                connection.send(chunk)
            self._return(connection.getresponse(), fault)
        finally:
            connection.close()

    def _return(self, response: http.client.HTTPResponse, fault: Fault) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in {"connection", "transfer-encoding"}:
                self.send_header(name, value)
        length = int(response.headers.get("Content-Length") or 0)
        if self.command == "HEAD":
            length = 0
        elif "Content-Length" not in response.headers:
            self.send_header("Content-Length", "0")
            assert response.headers.get("Transfer-Encoding") is None
        self.end_headers()
        try:
            for chunk in self._pieces(response, length, fault.reset_received):
                self.wfile.write(chunk)
        except http.client.IncompleteRead:
            self.close_connection = True  # pass on that the registry broke off

    def _pieces(self, source: Any, length: int, reset_after: int | None) -> Iterator[bytes]:
        done = 0
        while done < length:
            wanted = min(_CHUNK, length - done)
            if reset_after is not None:
                if done >= reset_after:
                    self._reset()
                wanted = min(wanted, reset_after - done)
            chunk = source.read(wanted)
            if not chunk:
                self.close_connection = True
                return
            done += len(chunk)
            yield chunk

    def _reset(self) -> None:
        # Lingering for zero seconds makes close send RST.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()
        self.connection.close()
        raise _Reset

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _discard(self, length: int) -> None:
        for _ in self._pieces(self.rfile, length, None):
            pass

    def _linger(self, length: int) -> None:
        """As nginx does: read on for a while, so that the client gets to read the answer."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            self._discard(min(length, 8 << 20))


class _Reset(Exception):  # noqa: N818 - nothing is wrong
    pass
