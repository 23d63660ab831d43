"""A local port that leads to a pod's port through the API server, like ``kubectl port-forward``.

The websocket protocol is that of the kubelet: every message begins with a channel byte, 0 for data and 1 for
errors, and the first message of each channel is the port's number. One websocket carries one connection. The
client library's own forwarder reads without end from a fast sender; here a slow side holds the other back.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlencode

from websocket import ABNF, WebSocket, WebSocketException

from airstore.cluster.connection import Connection, path_of
from airstore.cluster.websockets import open_websocket
from airstore.core.errors import TransferError

_PIECE = 64 << 10  # bytes
_STALL = 300.0  # seconds without a byte either way
_DATA, _ERROR = 0, 1


@contextmanager
def forward(connection: Connection, namespace: str, pod: str, port: int) -> Iterator[int]:
    """Listen on a free port of 127.0.0.1 for the length of the block; yields the port.

    Raises:
        TransferError: the API server refuses to forward to this pod.
    """
    tunnel = _Tunnel(connection, namespace, pod, port)
    tunnel.open().close()  # to be refused here, with a message, and not in a thread
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=tunnel.serve, args=(listener,), name="airstore-forward", daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            tunnel.close()


class _Tunnel:
    def __init__(self, connection: Connection, namespace: str, pod: str, port: int) -> None:
        self._connection = connection
        path = path_of("api", "v1", "namespaces", namespace, "pods", pod, "portforward")
        self._path = f"{path}?{urlencode({'ports': port})}"
        self._what = f"port {port} of pod {namespace}/{pod}"
        self._open: set[socket.socket] = set()

    def open(self) -> WebSocket:
        """A new websocket to the pod.

        Raises:
            TransferError: refused or unreachable.
        """
        return open_websocket(self._connection, self._path, self._what, "pods/portforward")

    def serve(self, listener: socket.socket) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                local, _ = listener.accept()
            except OSError:
                return
            self._open.add(local)
            threading.Thread(
                target=self._carry, args=(local,), name="airstore-forwarded", daemon=True
            ).start()

    def close(self) -> None:
        """Break off what is still open."""
        for local in list(self._open):
            with suppress(OSError):
                local.shutdown(socket.SHUT_RDWR)

    def _carry(self, local: socket.socket) -> None:
        # Whatever goes wrong ends this connection; who uses it sees that, and tries again.
        with suppress(TransferError, WebSocketException, OSError), local:
            remote = self.open()
            try:
                _pump(local, remote)
            finally:
                with suppress(WebSocketException, OSError):
                    remote.close(timeout=1)
        self._open.discard(local)


def _pump(local: socket.socket, remote: WebSocket) -> None:
    begun: set[int] = set()
    while True:
        far = remote.sock
        if far is None:
            return
        waiting = isinstance(far, ssl.SSLSocket) and far.pending()
        ready = [far] if waiting else select.select([local, far], [], [], _STALL)[0]
        if not ready or (far in ready and not _receive(local, remote, begun)):
            return
        if local in ready:
            data = local.recv(_PIECE)
            if not data:
                return
            remote.send(bytes((_DATA,)) + data, ABNF.OPCODE_BINARY)


def _receive(local: socket.socket, remote: WebSocket, begun: set[int]) -> bool:
    opcode, frame = remote.recv_data_frame(control_frame=True)
    if opcode == ABNF.OPCODE_CLOSE:
        return False
    if opcode != ABNF.OPCODE_BINARY or not frame.data:
        return True
    channel, data = frame.data[0], frame.data[1:]
    if channel not in begun:
        begun.add(channel)
        return True
    if channel == _ERROR:
        return False
    local.sendall(data)
    return True
