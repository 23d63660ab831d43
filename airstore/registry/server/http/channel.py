"""One connected socket, plain or TLS, without threads: every wait for the peer has an end."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

_Done = TypeVar("_Done")

_LINGER = 2.0  # seconds that a peer gets to read why it is dropped
_DISCARDED = 1 << 16


class Channel:
    """A socket whose waits end by deadlines of the event loop's clock, or by `cut`.

    Not asyncio's streams: those say that a buffer is empty, not that a slow peer still takes bytes, and
    encrypt through one more copy of everything.

    Attributes:
        taken: bytes that the peer's side has taken, before encryption.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._loop = asyncio.get_running_loop()
        self.taken = 0
        self._waiting: asyncio.Future[None] | None = None
        self._cut = False

    def after(self, seconds: float) -> float:
        """A deadline so many seconds from now."""
        return self._loop.time() + seconds

    async def encrypt(self, context: ssl.SSLContext, deadline: float) -> None:
        """Speak TLS from now on.

        Raises:
            TimeoutError: the peer did not end its part of the handshake in time.
            OSError: the peer speaks no TLS or no acceptable one (`ssl.SSLError`), or went away.
        """
        wrapped = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        self._socket = wrapped
        await self._done(wrapped.do_handshake, deadline, reading=True)

    async def receive(self, size: int, deadline: float) -> bytes:
        """Some bytes, at most ``size``; none at the peer's end.

        Raises:
            TimeoutError: none came in time.
            OSError: the connection broke.
        """
        return await self._done(partial(self._socket.recv, size), deadline, reading=True)

    async def send(self, data: bytes, patience: float) -> None:
        """All of it, however slowly the peer takes it.

        Raises:
            TimeoutError: the peer took nothing for ``patience`` seconds.
            OSError: the connection broke.
        """
        left = memoryview(data)
        while left:
            step = partial(self._socket.send, left)
            sent = await self._done(step, self.after(patience), reading=False)
            self.taken += sent
            left = left[sent:]

    async def refuse(self, message: bytes) -> None:
        """Say in plain text why the peer is dropped, below TLS where there is none yet."""
        with suppress(OSError):
            socket.socket.send(self._socket, message)
            await self.linger()

    async def linger(self) -> None:
        """Let the peer read what was sent; closing while it sends still would reset the connection."""
        deadline = self.after(_LINGER)

        def drop() -> bytes:
            return socket.socket.recv(self._socket, _DISCARDED)

        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            while self._loop.time() < deadline:
                if not await self._done(drop, deadline, reading=True):
                    return
                await asyncio.sleep(0)  # others are served meanwhile, however much it sends

    def cut(self) -> None:
        """End the wait there is and every later one, by a ConnectionAbortedError; from the loop's thread."""
        self._cut = True
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)

    def close(self) -> None:
        """Let go of the socket; what was sent still arrives."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    async def _done(self, step: Callable[[], _Done], deadline: float, *, reading: bool) -> _Done:
        while not self._cut:
            try:
                return step()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
                await self._ready(deadline, reading=isinstance(wanted, ssl.SSLWantReadError))
            except BlockingIOError:
                await self._ready(deadline, reading=reading)
        raise ConnectionAbortedError("the connection was cut")

    async def _ready(self, deadline: float, *, reading: bool) -> None:
        waiting = self._waiting = self._loop.create_future()
        add, remove = self._loop.add_writer, self._loop.remove_writer
        if reading:
            add, remove = self._loop.add_reader, self._loop.remove_reader
        handle = self._socket.fileno()
        add(handle, _wake, waiting)
        try:
            async with asyncio.timeout_at(deadline):
                await waiting
        finally:
            remove(handle)
            self._waiting = None


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
