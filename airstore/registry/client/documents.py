"""Documents that charts refer to by URL: fetched as anybody, bounded in size and time.

The URL is written by whoever wrote the chart, so it must not lead to what only this machine may ask: the
addresses at which clouds tell a machine its own secrets are left alone, and nobody's password is sent.
"""

from __future__ import annotations

import socket
import time
from ipaddress import ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

from airstore.core.errors import TransferError
from airstore.core.limits import KIB
from airstore.core.work import at_work
from airstore.registry.answer import HttpAnswer
from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.http.connections import Connections
from airstore.registry.client.http.noproxy import NO_PROXY, bypasses
from airstore.registry.faults import network_errors, redact

_OK = 200
_REDIRECTS = 5
_STEP = 64 * KIB
_WHOLE = 60.0  # seconds for one document
_PORTS = {"http": 80, "https": 443}
_OF_CLOUDS = frozenset(map(ip_address, ("100.100.100.200", "fd00:ec2::254", "168.63.129.16")))


class DocumentSource:
    """Connections to wherever documents are; a host that does not answer is not asked again."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Take certificates, proxies and patience from an endpoint; its host is nobody's here."""
        self._endpoint = endpoint
        self._connections = Connections(endpoint)
        self._silent: dict[str, str] = {}

    def fetch(self, url: str, limit: int) -> bytes:
        """A document of at most ``limit`` bytes.

        Raises:
            TransferError: it cannot be had, is longer, or is at an address that is not asked.
        """
        for _ in range(_REDIRECTS + 1):
            response, what = self._get(url), redact(url)
            with network_errors(what, self._endpoint.stall):
                location = response.location
            if location is None:
                return self._body(response, what, limit)
            response.close()
            url = followed(url, location, what)
        raise TransferError(f"{what} redirects more than {_REDIRECTS} times")

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()

    def _get(self, url: str) -> HttpAnswer:
        parts, what = _split(url), redact(url)
        if parts.netloc in self._silent:
            raise TransferError(self._silent[parts.netloc])
        try:
            with network_errors(what, self._endpoint.stall), at_work("GET %s", what):
                self._check_address(parts, what)
                return self._connections.request("GET", url, {}, follow=False)
        except TransferError as fault:
            self._silent[parts.netloc] = str(fault)
            raise

    def _body(self, response: HttpAnswer, what: str, limit: int) -> bytes:
        if response.status_code != _OK:
            response.close()
            raise TransferError(f"{what}: answered {response.status_code} {response.reason or ''}".rstrip())
        body, until = bytearray(), time.monotonic() + _WHOLE
        with network_errors(what, self._endpoint.stall), at_work("GET %s", what):
            # What has arrived, and not when a whole piece has: who sends a byte now and then takes for ever.
            while len(body) <= limit and (piece := response.raw.read1(_STEP, decode_content=True)):
                body += piece
                if time.monotonic() > until:
                    raise TransferError(f"{what}: took longer than {_WHOLE:g} seconds")
        response.close()
        if len(body) > limit:
            raise TransferError(f"{what} is larger than {limit} bytes")
        return bytes(body)

    def _check_address(self, parts: SplitResult, what: str) -> None:
        """Refuse what clouds and links keep for a machine itself; behind a proxy, the proxy knows better."""
        proxies = self._endpoint.proxies
        if parts.scheme in proxies and not bypasses(parts.netloc, proxies.get(NO_PROXY, "")):
            return
        for *_, address in socket.getaddrinfo(parts.hostname, parts.port or _PORTS[parts.scheme]):
            found = ip_address(str(address[0]).partition("%")[0])
            found = getattr(found, "ipv4_mapped", None) or found
            if found.is_link_local or found in _OF_CLOUDS:
                raise TransferError(f"{what}: {found} is not asked: it is this machine's own surroundings")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise TransferError(f"{redact(url)} is no address of a document")
    return parts


def followed(url: str, location: str, what: str) -> str:
    """Where a redirect leads.

    Raises:
        TransferError: from https to what is less.
    """
    found = urljoin(url, location)
    if url.startswith("https://") and not found.startswith("https://"):
        raise TransferError(f"{what} redirects to what is not https")
    return found
