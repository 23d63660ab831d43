"""Clients that a registry has to bear: hundreds that say nothing, drip their requests, or hardly read."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from airstore.registry.server.server import RunningServer

_HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
# Both ends of each connection are in this process, with what a pull reads, and there is more in it.
MANY = 500 if _HARD == resource.RLIM_INFINITY else min(500, (_HARD - 300) // 4)
_FILES = 4 * MANY

Step = Callable[[socket.socket, int], None]


@contextmanager
def flood(
    server: RunningServer, step: Step | None = None, every: float = 1.0
) -> Iterator[list[socket.socket]]:
    """Hold `MANY` connections open, and do something with each of them again and again.

    Args:
        server: whom they torment.
        step: called with each connection and the number of the round, from 0; None says nothing at all.
        every: seconds from one round to the next.
    """
    with _open_files(_FILES), ExitStack() as stack:
        sockets = [stack.enter_context(_connected(server)) for _ in range(MANY)]
        if step:
            _round(sockets, step, 0)
            stack.enter_context(_rounds(sockets, step, every))
        yield sockets


def header_dripped(connection: socket.socket, number: int) -> None:
    """A request whose header never ends, one byte a round."""
    connection.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Pad: "[number:][:1] or b"a")


def body_dripped(connection: socket.socket, number: int) -> None:
    """A request whose body comes one byte a round."""
    head = b"POST /v2/shop/multi/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"
    connection.send(b"a" if number else head)


def layer_sipped(path: str) -> Step:
    """A layer that is asked for, and taken one byte a round."""

    def step(connection: socket.socket, number: int) -> None:
        if not number:
            connection.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            return
        with suppress(BlockingIOError):  # it waits its turn
            connection.recv(1, socket.MSG_DONTWAIT)

    return step


def _connected(server: RunningServer) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(20)
    connection.connect((server.host, server.port))
    return connection


@contextmanager
def _rounds(sockets: list[socket.socket], step: Step, every: float) -> Iterator[None]:
    ended = threading.Event()

    def go_on() -> None:
        number = 0
        while not ended.wait(every):
            number += 1
            _round(sockets, step, number)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _round(sockets: list[socket.socket], step: Step, number: int) -> None:
    for connection in sockets:
        with suppress(ConnectionError):  # the server has had enough of it
            step(connection, number)


@contextmanager
def _open_files(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = soft if soft == unlimited else max(soft, count if hard == unlimited else min(count, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
