"""How a registry is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from airstore.core.frozen import frozen
from airstore.registry.client.retry import Retry

_HUB = "registry-1.docker.io"  # where docker.io's API is


@frozen
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
