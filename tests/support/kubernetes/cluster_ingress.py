"""The part of an ingress controller that a test needs: TLS from the Ingress's Secret, pods of its Service.

It reads the Ingress, the Secret and the EndpointSlices of one namespace with kubectl, and forwards each
connection to a ready pod of the backend that the server name (SNI) asks for.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Kubectl = Callable[..., str]
_PIECE = 64 << 10


@contextmanager
def ingress_controller(
    kubectl: Kubectl, namespace: str, name: str, port: int, directory: Path
) -> Iterator[None]:
    """Serve one Ingress on a local port for the length of the block; the objects may come later."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        controller = _Controller(kubectl, namespace, name, directory)
        threading.Thread(target=controller.serve, args=(listener,), daemon=True).start()
        try:
            yield
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


class _Controller:
    def __init__(self, kubectl: Kubectl, namespace: str, name: str, directory: Path) -> None:
        self._kubectl = kubectl
        self._namespace = namespace
        self._name = name
        self._directory = directory

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, plain: socket.socket) -> None:
        with suppress(OSError, AssertionError, StopIteration), plain:
            ingress = self._get("ingress", self._name)
            context = self._tls(ingress)
            asked: list[str | None] = []
            context.sni_callback = lambda _socket, server, _context: asked.append(server)
            with context.wrap_socket(plain, server_side=True) as near:
                address = self._endpoint(ingress, (asked or [None])[0])
                with socket.create_connection(address, timeout=10) as far:
                    far.settimeout(None)
                    _both_ways(near, far)

    def _tls(self, ingress: Any) -> ssl.SSLContext:
        secret = self._get("secret", ingress["spec"]["tls"][0]["secretName"])
        file = self._directory / "ingress.pem"
        parts = [base64.b64decode(secret["data"][key]) for key in ("tls.crt", "tls.key")]
        file.write_bytes(b"".join(parts))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _endpoint(self, ingress: Any, server: str | None) -> tuple[str, int]:
        rules = ingress["spec"]["rules"]
        rule = next((rule for rule in rules if rule["host"] == server), rules[0])
        wanted = rule["http"]["paths"][0]["backend"]["service"]
        labels = f"kubernetes.io/service-name={wanted['name']}"
        slices = self._get("endpointslices", "-l", labels)["items"]
        for entry in slices:
            port = next(p["port"] for p in entry["ports"] or () if p["name"] == wanted["port"]["name"])
            for endpoint in entry["endpoints"] or ():
                if endpoint["conditions"].get("ready"):
                    return endpoint["addresses"][0], port
        raise ConnectionRefusedError

    def _get(self, *words: str) -> Any:
        return json.loads(self._kubectl("get", *words, "-n", self._namespace, "-o", "json"))


def _both_ways(near: ssl.SSLSocket, far: socket.socket) -> None:
    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    up = threading.Thread(target=copy, args=(near, far), daemon=True)
    up.start()
    copy(far, near)
    up.join()
