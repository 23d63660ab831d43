"""A local port that leads to a pod's port through the API server, like ``kubectl port-forward``.

Unlike it, the port outlives the pod: a connection that finds its pod gone goes to another one, and waits a
while where there is none. The websocket protocol is that of the kubelet: every message begins with a channel
byte, 0 for data and 1 for errors, and the first message of each channel is the port's number. One websocket
carries one connection. The client library's own forwarder reads without end from a fast sender; here a slow
side holds the other back.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlencode

from websocket import ABNF, WebSocket, WebSocketException

from airstore.cluster.api.transport.connection import Connection, path_of
from airstore.cluster.api.transport.websockets import open_websocket
from airstore.core.errors import AirstoreError, NotFoundError, TransferError

_PIECE = 64 << 10  # bytes
_STALL = 300.0  # seconds without a byte either way
_TIMEOUT, _PAUSE = 30.0, 0.5  # seconds without any pod, in all, and between attempts to find one
_SAID = 300  # characters of the kubelet's complaint
_DATA, _ERROR = 0, 1


class Forwarding:
    """A port that is being forwarded.

    Attributes:
        port: on 127.0.0.1.
    """

    def __init__(self, port: int, tunnel: _Tunnel) -> None:
        self.port = port
        self._tunnel = tunnel

    @property
    def trouble(self) -> AirstoreError | None:
        """Why no pod is reached now; None where one is."""
        return self._tunnel.trouble


@contextmanager
def forward(
    connection: Connection, namespace: str, choose: Callable[[], str], port: int
) -> Iterator[Forwarding]:
    """Listen on a free port of 127.0.0.1 for the length of the block.

    Args:
        connection: the API server.
        namespace: of the pods.
        choose: names a pod, or raises `NotFoundError`; asked whenever the last one is lost, too.
        port: the pods'.

    Raises:
        NotFoundError: there is no pod now.
        TransferError: the API server refuses to forward to it.
    """
    tunnel = _Tunnel(connection, namespace, choose, port)
    tunnel.open().close()  # to be refused here, with a message, and not in a thread
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=tunnel.serve, args=(listener,), name="airstore-forward", daemon=True).start()
        try:
            yield Forwarding(listener.getsockname()[1], tunnel)
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            tunnel.close()


class _Tunnel:
    def __init__(self, connection: Connection, namespace: str, choose: Callable[[], str], port: int) -> None:
        self._connection = connection
        self._namespace = namespace
        self._choose = choose
        self._port = port
        self._pod = ""  # all connections go to one: requests of one upload should not meet two servers
        self._lost = 0.0  # when the last pod was lost
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._open: set[socket.socket] = set()
        self.trouble: AirstoreError | None = None

    def open(self) -> WebSocket:
        """A new websocket to the pod, or to another one where that is gone.

        Raises:
            NotFoundError: there is no pod.
            TransferError: refused or unreachable.
        """
        with self._lock:
            self._pod = self._pod or self._choose()
            pod = self._pod
        path = path_of("api", "v1", "namespaces", self._namespace, "pods", pod, "portforward")
        what = f"port {self._port} of pod {self._namespace}/{pod}"
        query = urlencode({"ports": self._port})
        return open_websocket(self._connection, f"{path}?{query}", what, "pods/portforward")

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
        self._closed.set()
        for local in list(self._open):
            with suppress(OSError):
                local.shutdown(socket.SHUT_RDWR)

    def _carry(self, local: socket.socket) -> None:
        # Whatever goes wrong ends this connection; who uses it sees that, and tries again.
        with suppress(AirstoreError, WebSocketException, OSError), local:
            remote = self._reopen()
            try:
                _pump(local, remote)
            except TransferError as fault:
                self._lose(fault)
                raise
            finally:
                with suppress(WebSocketException, OSError):
                    remote.close(timeout=1)
        self._open.discard(local)

    def _reopen(self) -> WebSocket:
        """`open`, again and again while a pod restarts."""
        while True:
            try:
                made = self.open()
            except (TransferError, NotFoundError) as fault:
                if self._lose(fault) > _TIMEOUT or self._closed.wait(_PAUSE):
                    raise
            else:
                self.trouble = None
                return made

    def _lose(self, fault: AirstoreError) -> float:
        """Seconds since there was a pod."""
        now = time.monotonic()
        with self._lock:
            self._lost = self._lost if self.trouble else now
            self._pod, self.trouble = "", fault
            return now - self._lost


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
        raise TransferError(" ".join(data.decode("utf-8", "replace").split())[:_SAID])
    local.sendall(data)
    return True
