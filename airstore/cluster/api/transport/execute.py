"""A command in a container of a pod, through the API server, like ``kubectl exec``.

The websocket protocol is ``v4.channel.k8s.io``: every message begins with a channel byte. It cannot say that
standard input has ended, so what is sent says it itself (`airstore.core.streams.framing`).
"""

from __future__ import annotations

import json
import select
import ssl
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from urllib.parse import urlencode

from websocket import ABNF, WebSocket, WebSocketException

from airstore.cluster.api.transport.connection import Connection, path_of
from airstore.cluster.api.transport.websockets import open_websocket
from airstore.core.errors import TransferError
from airstore.core.frozen import frozen

STDIN, STDOUT, STDERR, _STATUS = 0, 1, 2, 3
_PING = 20.0  # seconds of silence after which we say that we are there

Said = Callable[[int, bytes], None]


@frozen
class Container:
    """Where to run something."""

    namespace: str
    pod: str
    name: str


def execute(
    connection: Connection, where: Container, command: Sequence[str], said: Said, stdin: Iterable[bytes] = ()
) -> int:
    """Run a command to its end and return its exit code.

    Args:
        connection: to the API server.
        where: the container.
        command: program and arguments.
        said: told what the command writes, with `STDOUT` or `STDERR`.
        stdin: what the command reads.

    Raises:
        TransferError: refused, or the connection broke; whether the command goes on is then not known.
    """
    parts = ("api", "v1", "namespaces", where.namespace, "pods", where.pod, "exec")
    query = [("container", where.name), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in command]
    what = f"container {where.name} of pod {where.namespace}/{where.pod}"
    socket = open_websocket(connection, f"{path_of(*parts)}?{urlencode(query)}", what, "pods/exec")
    try:
        return _Talk(socket, said).to_the_end(stdin)
    except (WebSocketException, OSError) as fault:
        raise TransferError(f"the connection to {what} broke off: {fault}") from fault
    finally:
        with suppress(WebSocketException, OSError):
            socket.close(timeout=1)


class _Talk:
    def __init__(self, socket: WebSocket, said: Said) -> None:
        self._socket = socket
        self._said = said
        self._status = b""

    def to_the_end(self, stdin: Iterable[bytes]) -> int:
        for chunk in stdin:
            self._socket.send(bytes((STDIN,)) + chunk, ABNF.OPCODE_BINARY)
            while not self._status and self._readable(0):
                self._receive()
            if self._status:
                break  # it has ended without reading everything
        while not self._status:
            if self._readable(_PING):
                self._receive()
            else:
                self._socket.ping()
        return _exit_code(self._status)

    def _readable(self, timeout: float) -> bool:
        far = self._socket.sock
        if far is None:
            raise OSError("it was closed")
        if isinstance(far, ssl.SSLSocket) and far.pending():
            return True
        return bool(select.select([far], [], [], timeout)[0])

    def _receive(self) -> None:
        opcode, frame = self._socket.recv_data_frame(control_frame=True)
        if opcode == ABNF.OPCODE_CLOSE:
            raise OSError("it was closed before the command ended")
        if opcode not in {ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT} or not frame.data:
            return
        channel, data = frame.data[0], frame.data[1:]
        if channel == _STATUS:
            self._status = data
        elif data:
            self._said(channel, data)


def _exit_code(status: bytes) -> int:
    """The exit code in the ``Status`` object that ends every command.

    Raises:
        TransferError: it was not run at all.
    """
    try:
        document = json.loads(status)
        if document.get("status") == "Success":
            return 0
        causes = (document.get("details") or {}).get("causes") or ()
        codes = [cause["message"] for cause in causes if cause.get("reason") == "ExitCode"]
        return int(codes[0])
    except (ValueError, IndexError, KeyError, AttributeError) as fault:
        raise TransferError(f"the command was not run: {status.decode(errors='replace')}") from fault
