"""The listening socket and its TLS: made before the server runs, so that faults of them are its caller's."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from pathlib import Path

from airstore.core.errors import NotFoundError, TransferError, UsageError
from airstore.core.frozen import frozen

_QUEUE = 1024  # connections the kernel keeps waiting


@frozen
class Tls:
    """Files in PEM format: the certificate with its chain, and its key without a passphrase."""

    certificate: Path
    key: Path


@frozen
class Listen:
    """Where a server is to listen, and how it speaks there.

    Attributes:
        port: 0 takes any free one.
        tls: without it, plain HTTP.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls: Tls | None = None


@frozen
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


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address, or any address of a name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:  # `listen` names the fault
        return False
    return all(ipaddress.ip_address(str(each[4][0]).partition("%")[0]).is_loopback for each in found)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens, without blocking.

    Args:
        host: an address, or a name, of which the first address counts.
        port: 0 takes any free one.

    Raises:
        TransferError: the address cannot be listened on.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return _listening(socket.socket(family, kind, number), address)
    except OSError as fault:
        where = RunningServer(host, port, "").address
        hint = "name another address with --listen HOST:PORT; port 0 takes a free one"
        raise TransferError(f"cannot listen on {where}: {fault.strerror or fault}", hint=hint) from fault


def _listening(opened: socket.socket, address: tuple[str | int, ...] | tuple[int, bytes]) -> socket.socket:
    try:
        if os.name == "posix":  # a server that was ended may be started again at once
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if opened.family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        opened.bind(address)
        opened.listen(_QUEUE)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


def tls_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or later with a certificate.

    Raises:
        NotFoundError: the certificate or key cannot be read.
        UsageError: they are no certificate with its key.
    """
    for path in (tls.certificate, tls.key):
        try:
            path.open("rb").close()
        except OSError as fault:
            raise NotFoundError(f"cannot read {path}: {fault.strerror}") from fault
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key, password="")
    except OSError as fault:  # what ssl raises is one, too
        raise UsageError(
            f"cannot use certificate {tls.certificate} with key {tls.key}: {fault}",
            hint="both must be PEM, the key without a passphrase and the one the certificate is for",
        ) from fault
    return context
