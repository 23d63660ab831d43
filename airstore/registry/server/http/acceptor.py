"""Accepts connections and has each served as a task of its own; nothing here waits for one client alone."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress

from airstore.core.limits import KIB
from airstore.registry.server.http.channel import Channel
from airstore.registry.server.http.clients import Clients
from airstore.registry.server.http.conversation import Conversation, Service
from airstore.registry.server.http.gateway import RequestOrigin

_PAUSE = 0.1  # seconds until the next try where the system has no room for another connection
_UNSENT = 128 * KIB  # bytes that wait in the kernel for their turn
# By number (linux/tcp.h): a Python that was built for old systems, as the bundle has it, does not name it.
_NOTSENT_LOWAT = 25
_NOT_TLS = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 43\r\nConnection: close\r\n\r\n"
    b"this server only speaks HTTPS on this port\n"
)
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\n"
    b"Retry-After: 5\r\nConnection: close\r\n\r\ntoo many connections\n"
)


class Acceptor:
    """Serves what comes to a listening socket until it is told to end.

    Args:
        listener: listens, without blocking; closed by `run`.
        tls: None for plain HTTP.
        service: what serves requests.
    """

    def __init__(self, listener: socket.socket, tls: ssl.SSLContext | None, service: Service) -> None:
        self._listener = listener
        self._tls = tls
        self._service = service
        self._clients = Clients(service.limits)
        self._tasks = set[asyncio.Task[None]]()

    async def run(self, ended: asyncio.Event, cut: asyncio.Event) -> None:
        """Serve until ``ended``, then running pulls to their end or that of their grace, or until ``cut``."""
        accepting = asyncio.ensure_future(self._accept())
        waiting = asyncio.ensure_future(ended.wait())
        await asyncio.wait((accepting, waiting), return_when=asyncio.FIRST_COMPLETED)
        for task in (accepting, waiting):
            task.cancel()
        await asyncio.wait((accepting, waiting))
        self._listener.close()
        await self._end(cut)
        if not accepting.cancelled():
            accepting.result()  # it never ends by itself: raises why it did

    async def _end(self, cut: asyncio.Event) -> None:
        for connection in self._clients:
            connection.end_soon()
        if self._tasks:
            pulls, told = asyncio.ensure_future(asyncio.wait(self._tasks)), asyncio.ensure_future(cut.wait())
            grace = self._service.limits.grace
            await asyncio.wait((pulls, told), timeout=grace, return_when=asyncio.FIRST_COMPLETED)
            for each in (pulls, told):
                each.cancel()
        for connection in self._clients:
            connection.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connected, address = await loop.sock_accept(self._listener)
            except ConnectionError:
                continue  # the client went away before it was its turn
            except OSError as fault:
                self._service.fault(f"cannot accept connections: {fault}")
                await asyncio.sleep(_PAUSE)
                continue
            self._begin(connected, address[0], address[1])

    def _begin(self, connected: socket.socket, client: str, port: int) -> None:
        if not self._clients.admit(client):
            self._service.fault(f"{client}: too many connections")
            _turned_away(connected, b"" if self._tls else _TOO_MANY)
            return
        with suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Else the kernel takes megabytes for a slow peer, and tells of its progress once in megabytes.
            connected.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, _UNSENT)
        channel = Channel(connected)
        conversation = Conversation(channel, self._place(client), self._service)
        self._clients.add(client, conversation)
        task = asyncio.ensure_future(self._serve(channel, conversation, client, f"{client}:{port}"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _place(self, client: str) -> RequestOrigin:
        host, port = self._listener.getsockname()[:2]
        return RequestOrigin("https" if self._tls else "http", host, port, client)

    async def _serve(self, channel: Channel, conversation: Conversation, client: str, name: str) -> None:
        try:
            if self._tls is None or await self._encrypted(channel, self._tls, name):
                await conversation.run()
        except (ConnectionError, TimeoutError):
            pass  # nobody is left who should hear of it; the access log says what was not sent
        except Exception as crash:  # noqa: BLE001 - whatever it is, the others are served on
            self._service.fault(repr(crash))
        finally:
            self._clients.remove(client, conversation)
            channel.close()

    async def _encrypted(self, channel: Channel, tls: ssl.SSLContext, client: str) -> bool:
        try:
            await channel.encrypt(tls, channel.after(self._service.limits.handshake))
        except TimeoutError:
            return False
        except OSError as fault:
            self._service.fault(f"{client}: no TLS connection: {fault}")
            if getattr(fault, "reason", "") == "HTTP_REQUEST":
                await channel.refuse(_NOT_TLS)
            return False
        return True


def _turned_away(connected: socket.socket, message: bytes) -> None:
    with connected, suppress(OSError):
        connected.setblocking(False)
        connected.send(message)
