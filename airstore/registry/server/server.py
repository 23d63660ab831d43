"""The embedded registry's server: cheroot, with optional TLS and a graceful end."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter

from airstore.core.errors import NotFoundError, TransferError, UsageError
from airstore.core.limits import KIB, MIB
from airstore.registry.server.app import AccessEntry, make_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["AccessEntry", "RunningServer", "Stop", "Tls", "make_app", "running_server", "serve"]

_THREADS = 16  # pulls served at once; further ones wait in the queue
_QUEUE = 256  # connections the kernel keeps waiting
_IDLE = 60  # seconds without a byte until a connection is dropped
_GRACE = 20  # seconds that running pulls get to end


@dataclass(frozen=True)
class Tls:
    """Files in PEM format: the certificate with its chain, and its key without a passphrase."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class RunningServer:
    """Where a server listens."""

    host: str
    port: int
    scheme: str

    @property
    def address(self) -> str:
        """``host:port``, as image references write it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """With the scheme."""
        return f"{self.scheme}://{self.address}"


def _ignore(_message: str) -> None:
    """The fault log of whoever wants none."""


class Stop:
    """Ends a server that waits for it, also by signals.

    A signal that comes just before the wait begins, or to another thread, must end it as well. Neither a lock
    nor an event does that: Python runs handlers in the main thread only, when that runs Python again. The
    signal itself writes into a pipe here, and the pipe is what is waited for.
    """

    def __init__(self) -> None:
        self._told, self._tell = os.pipe()
        os.set_blocking(self._tell, False)

    def on_signals(self, *numbers: int) -> None:
        """End the wait when one of these signals comes; of the main thread only."""
        for number in numbers:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)

    def set(self) -> None:
        """End the wait; once is enough."""
        with suppress(BlockingIOError):  # full of what ends it already
            os.write(self._tell, b"\0")

    def wait(self) -> None:
        """Wait until it is set, or was."""
        os.read(self._told, 1)


@contextmanager
def running_server(
    app: WSGIApplication,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Tls | None = None,
    fault: Callable[[str], None] = _ignore,
) -> Iterator[RunningServer]:
    """Serve in the background for the length of the block; running pulls may end before it does.

    Args:
        app: what to serve.
        host: address to listen on.
        port: 0 takes any free one.
        tls: without it, plain HTTP.
        fault: called with what goes wrong on connections: damaged content, failed TLS handshakes.

    Raises:
        NotFoundError: the certificate or key cannot be read.
        UsageError: they are no certificate with its key.
        TransferError: the address cannot be listened on, or the server died while the block ran.
    """
    with _running(_prepared(app, host, port, tls, fault), lambda: None) as port_taken:
        yield RunningServer(host, port_taken, "https" if tls else "http")


def serve(
    app: WSGIApplication,
    stop: Stop,
    ready: Callable[[RunningServer], None],
    *,
    host: str = "127.0.0.1",
    port: int = 5000,
    tls: Tls | None = None,
    fault: Callable[[str], None] = _ignore,
) -> None:
    """Serve until ``stop`` is set; ``ready`` is called as soon as clients may come.

    Raises:
        NotFoundError, UsageError, TransferError: as `running_server`.
    """
    # A server that dies sets the event itself, or this would wait for ever.
    with _running(_prepared(app, host, port, tls, fault), stop.set) as port_taken:
        ready(RunningServer(host, port_taken, "https" if tls else "http"))
        stop.wait()


@contextmanager
def _running(server: _Server, ended: Callable[[], None]) -> Iterator[int]:
    crashes: list[Exception] = []
    thread = threading.Thread(target=_run, args=(server, crashes, ended), name="airstore-registry")
    thread.start()
    try:
        yield server.bind_addr[1]
    finally:
        server.stop()
        thread.join()
    if crashes:
        raise TransferError(f"the registry stopped: {crashes[0]}") from crashes[0]


def _run(server: _Server, crashes: list[Exception], ended: Callable[[], None]) -> None:
    try:
        server.serve()
    except Exception as crash:  # noqa: BLE001 - whatever it is, the thread that waits raises it
        crashes.append(crash)
    finally:
        ended()


class _Server(wsgi.Server):
    """cheroot's server, without its habit of writing to standard error."""

    fault: Callable[[str], None] = staticmethod(_ignore)
    bind_fault = ""

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: tuple[str, int]) -> socket.socket:
        """Bind; cheroot would leave a socket open that cannot be bound."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def bind(self, *arguments: Any) -> socket.socket:
        """Note why an address cannot be used; cheroot goes on to the next and forgets it."""
        try:
            bound: socket.socket = super().bind(*arguments)
        except OSError as fault:
            self.bind_fault = fault.strerror or str(fault)
            raise
        return bound

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:  # noqa: ARG002, FBT
        """Hand on what cheroot would print; it brings the cause along in the message."""
        self.fault(msg)


def _prepared(
    app: WSGIApplication, host: str, port: int, tls: Tls | None, fault: Callable[[str], None]
) -> _Server:
    server = _Server(
        (host, port),
        app,
        numthreads=_THREADS,
        server_name="airstore",
        request_queue_size=_QUEUE,
        timeout=_IDLE,
        shutdown_timeout=_GRACE,
    )
    server.max_request_header_size = 64 * KIB
    server.max_request_body_size = MIB
    server.fault = fault
    if tls:
        server.ssl_adapter = _adapter(tls)
    try:
        server.prepare()
    except OSError as failure:
        where = RunningServer(host, port, "").address
        hint = "name another address with --listen HOST:PORT; port 0 takes a free one"
        reason = server.bind_fault or failure
        raise TransferError(f"cannot listen on {where}: {reason}", hint=hint) from failure
    return server


def _adapter(tls: Tls) -> BuiltinSSLAdapter:
    for path in (tls.certificate, tls.key):
        try:
            path.open("rb").close()
        except OSError as fault:
            raise NotFoundError(f"cannot read {path}: {fault.strerror}") from fault
    try:
        adapter = BuiltinSSLAdapter(str(tls.certificate), str(tls.key), private_key_password="")
    except OSError as fault:  # what ssl raises is one, too
        raise UsageError(
            f"cannot use certificate {tls.certificate} with key {tls.key}: {fault}",
            hint="both must be PEM, the key without a passphrase and the one the certificate is for",
        ) from fault
    adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
    return adapter
