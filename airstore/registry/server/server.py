"""The embedded registry's server: an event loop for connections, threads for the store, a graceful end."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from airstore.core.errors import TransferError
from airstore.registry.server.app import AccessEntry, make_app
from airstore.registry.server.http.acceptor import Acceptor
from airstore.registry.server.http.conversation import Service
from airstore.registry.server.http.limits import PULLS, ServerLimits
from airstore.registry.server.http.listening import Listen, RunningServer, Tls, listen, tls_context
from airstore.registry.server.http.stop import Stop

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = [
    "AccessEntry",
    "Listen",
    "RunningServer",
    "ServerLimits",
    "Stop",
    "Tls",
    "make_app",
    "running_server",
    "serve",
]


_AT_ONCE = 0.5  # seconds in which a server ends that nobody pulls from


def _ignore(_message: str) -> None:
    """The fault log of whoever wants none."""


@contextmanager
def running_server(
    app: WSGIApplication,
    where: Listen = Listen(),  # noqa: B008 - a value
    fault: Callable[[str], None] = _ignore,
    limits: ServerLimits = ServerLimits(),  # noqa: B008 - a value
) -> Iterator[RunningServer]:
    """Serve in the background for the length of the block; running pulls may end before it does.

    Args:
        app: what to serve.
        where: to listen.
        fault: called with what goes wrong on connections: damaged content, failed TLS handshakes.
        limits: what clients may take.

    Raises:
        NotFoundError: the certificate or key cannot be read.
        UsageError: they are no certificate with its key.
        TransferError: the address cannot be listened on, or the server died while the block ran.
    """
    with _started(app, where, fault, limits, lambda: None) as (running, _):
        yield running


def serve(
    app: WSGIApplication,
    stop: Stop,
    ready: Callable[[RunningServer], None],
    where: Listen,
    *,
    fault: Callable[[str], None] = _ignore,
    limits: ServerLimits = ServerLimits(),  # noqa: B008 - a value
    ending: Callable[[], None] = lambda: None,
) -> None:
    """Serve until ``stop`` is set; ``ready`` is called as soon as clients may come.

    Running pulls come to their end, for a while; set once more, it cuts them off. ``ending`` is called where
    there are any.

    Raises:
        NotFoundError, UsageError, TransferError: as `running_server`.
    """
    # A server that dies sets the event itself, or this would wait for ever.
    with _started(app, where, fault, limits, stop.set) as (running, server):
        ready(running)
        stop.wait()
        if not server.ends_within(_AT_ONCE):
            ending()
            stop.wait()  # again, or by its end
            server.cut()


@contextmanager
def _started(
    app: WSGIApplication,
    where: Listen,
    fault: Callable[[str], None],
    limits: ServerLimits,
    ended: Callable[[], None],
) -> Iterator[tuple[RunningServer, _Server]]:
    context = tls_context(where.tls) if where.tls else None
    listener = listen(where.host, where.port)
    running = RunningServer(where.host, listener.getsockname()[1], "https" if where.tls else "http")
    with ThreadPoolExecutor(PULLS, thread_name_prefix="airstore-registry") as threads:
        server = _Server(listener, context, Service(app, threads, limits.that_fit(), fault), ended)
        server.start()
        try:
            yield running, server
        finally:
            server.stop()
    if server.crash:
        raise TransferError(f"the registry stopped: {server.crash}") from server.crash


class _Server(threading.Thread):
    """The thread of the event loop."""

    def __init__(
        self, listener: socket.socket, tls: ssl.SSLContext | None, service: Service, ended: Callable[[], None]
    ) -> None:
        super().__init__(name="airstore-registry")
        self.crash: Exception | None = None
        self._listener, self._tls, self._service, self._ended = listener, tls, service, ended
        self._loop = asyncio.new_event_loop()
        self._told, self._cut = asyncio.Event(), asyncio.Event()

    def run(self) -> None:
        """Serve; see `threading.Thread`."""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(Acceptor(self._listener, self._tls, self._service).run(self._told, self._cut))
        except Exception as crash:  # noqa: BLE001 - whatever it is, the thread that waits raises it
            self.crash = crash
        finally:
            self._ended()

    def ends_within(self, seconds: float) -> bool:
        """Tell it to end gracefully; whether it has, after so long."""
        self._tell(self._told)
        self.join(seconds)
        return not self.is_alive()

    def cut(self) -> None:
        """Tell it not to wait for running pulls."""
        self._tell(self._cut)

    def stop(self) -> None:
        """End it gracefully, and wait for that."""
        self._tell(self._told)
        self.join()

    def _tell(self, event: asyncio.Event) -> None:
        with suppress(RuntimeError):  # the loop is closed: it has ended already
            self._loop.call_soon_threadsafe(event.set)
