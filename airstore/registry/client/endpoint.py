"""How a registry is reached: its address, and the connections to it, with what certificates they trust."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from airstore.core.errors import NotFoundError, UsageError
from airstore.registry.client.noproxy import NO_PROXY, bypasses
from airstore.registry.client.retry import Retry

_HUB = "registry-1.docker.io"  # where docker.io's API is
_CONNECTIONS = 16  # kept open; more are opened when needed


@dataclass(frozen=True)
class Endpoint:
    """How to reach a registry.

    Attributes:
        host: with optional port; ``docker.io`` for Docker Hub.
        plain_http: speak HTTP without TLS.
        ca: certificates (PEM) to trust besides the system's.
        insecure: accept any certificate.
        stall: seconds without a byte moving before a connection is given up.
        retry: what to do after passing faults.
        proxies: URL scheme to proxy URL; ``no_proxy`` to hosts that are reached without one.
    """

    host: str
    plain_http: bool = False
    ca: Path | None = None
    insecure: bool = False
    stall: float = 60.0
    retry: Retry = field(default_factory=Retry)
    proxies: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def base(self) -> str:
        """The root of its API."""
        host = _HUB if self.host == "docker.io" else self.host
        return f"{'http' if self.plain_http else 'https'}://{host}/v2/"


class EndpointAdapter(HTTPAdapter):
    """Gives every request the stall timeout, for connecting, sending and receiving."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._stall = endpoint.stall
        self._no_proxy = endpoint.proxies.get(NO_PROXY, "")
        self._context = None if endpoint.insecure or endpoint.plain_http else _tls_context(endpoint.ca)
        super().__init__(pool_maxsize=_CONNECTIONS)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """See `HTTPAdapter`; hands over the certificates to trust."""
        if self._context:
            options["ssl_context"] = self._context
        super().init_poolmanager(*args, **options)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """See `HTTPAdapter`."""
        # urllib3 sends under the connect timeout and receives under the read timeout.
        options["timeout"] = (self._stall, self._stall)
        if bypasses(urlsplit(request.url or "").netloc, self._no_proxy):
            options["proxies"] = {}
        return super().send(request, *args, **options)


def _tls_context(ca: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca:
        try:
            context.load_verify_locations(ca)
        except ssl.SSLError as fault:
            raise UsageError(f"{ca} has no certificates in PEM form") from fault
        except OSError as fault:
            raise NotFoundError(f"cannot read the CA certificates {ca}: {fault.strerror}") from fault
    return context
