"""Connections to an endpoint and wherever it sends us: certificates, proxies, redirects.

By urllib3 alone: what requests has on top of it (cookies, .netrc, the environment, guesses at characters) is
not wanted here, and took a twentieth of a short command to load.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import urllib3

from airstore.core.errors import NotFoundError, TransferError, UsageError
from airstore.core.limits import KIB
from airstore.registry.answer import HttpAnswer
from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.http.noproxy import NO_PROXY, bypasses
from airstore.registry.faults import redact

_CONNECTIONS = 16  # kept open to a host; more are opened when needed
_REDIRECTS = 30
_IGNORED = 64 * KIB  # bytes of an answer that says nothing
_OF_A_BODY = frozenset({"content-length", "content-type", "transfer-encoding"})
_PORTS = {"http": 80, "https": 443}


class SizedChunks(Protocol):
    """A body that is made while it is sent; ``len`` is its length in bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """The bytes."""

    def __len__(self) -> int:
        """How many they are."""


Body = bytes | SizedChunks


class Connections:
    """Connections that threads share; every step of a request has the endpoint's stall timeout."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Take certificates, proxies and patience from an endpoint.

        Raises:
            NotFoundError: its certificates cannot be read.
            UsageError: they are none, or its proxy is none.
        """
        self._endpoint = endpoint
        self._proxies = dict(endpoint.proxies)
        self._no_proxy = self._proxies.pop(NO_PROXY, "")
        self._pools: dict[tuple[bool, str], urllib3.PoolManager] = {}
        if endpoint.insecure:
            urllib3.disable_warnings()  # it was asked for
        if not endpoint.plain_http:
            self._pool(endpoint.base)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None = None,
        *,
        follow: bool = True,
    ) -> HttpAnswer:
        """Make a request, and those that its answers redirect to; the length of a body is announced.

        Raises:
            TransferError: too many redirects.
            UsageError: no proxy that can be used.
            urllib3.exceptions.HTTPError, OSError: what went wrong, for `network_errors`.
        """
        sent, moved = {"Accept": "*/*", **headers}, False
        for _ in range(_REDIRECTS + 1):
            answer = self._once(method, url, sent, body, moved=moved)
            target = answer.location if follow else None
            if target is None:
                return answer
            answer.raw.read(_IGNORED, decode_content=False)  # or the connection is not used again
            answer.close()
            sent = _fit_to_send(sent, url, target)
            url, moved = target, True
            method = _next_method(method, answer.status_code)
            if answer.status_code not in {307, 308}:
                body, sent = None, {name: sent[name] for name in sent if name.lower() not in _OF_A_BODY}
        raise TransferError(f"{redact(url)}: more than {_REDIRECTS} redirects")

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.clear()

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None,
        *,
        moved: bool,
    ) -> HttpAnswer:
        length = {"Content-Length": str(len(body))} if body is not None else {}
        raw = self._pool(url).urlopen(
            method,
            url.partition("#")[0],
            body=body,
            headers={**headers, **length},
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        return HttpAnswer(raw, method, url, headers.get("Authorization"), moved=moved)

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme, "")
        if bypasses(parts.netloc, self._no_proxy):
            proxy = ""
        key = parts.scheme == "https", proxy
        return self._pools.get(key) or self._pools.setdefault(key, self._new_pool(*key))

    def _new_pool(self, secure: bool, proxy: str) -> urllib3.PoolManager:
        stall, tls = self._endpoint.stall, self._tls() if secure or proxy.startswith("https:") else {}
        options: dict[str, Any] = {
            "maxsize": _CONNECTIONS,
            # Connecting and sending are under the first of the two, receiving under the other.
            "timeout": urllib3.Timeout(connect=stall, read=stall),
            **(tls if secure else {}),
        }
        if not proxy:
            return urllib3.PoolManager(**options)
        try:
            return _proxied(proxy, {"proxy_ssl_context": tls.get("ssl_context"), **options})
        except ValueError as fault:  # those of urllib3 among them
            hint = "set http_proxy and https_proxy to http://HOST:PORT or https://HOST:PORT"
            raise UsageError(f"{redact(proxy)} is no proxy that can be used", hint=hint) from fault

    def _tls(self) -> dict[str, Any]:
        if self._endpoint.insecure:
            return {"cert_reqs": ssl.CERT_NONE}
        return {"ssl_context": _tls_context(self._endpoint.ca)}


def _proxied(proxy: str, options: Mapping[str, Any]) -> urllib3.ProxyManager:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    headers = urllib3.make_headers(proxy_basic_auth=login) if parts.username else None
    return urllib3.ProxyManager(parts.geturl(), proxy_headers=headers, **options)


def _next_method(method: str, status: int) -> str:
    """What browsers make of a method where they are sent elsewhere."""
    turns = {301: method == "POST", 302: method != "HEAD", 303: method != "HEAD"}
    return "GET" if turns.get(status) else method


def _fit_to_send(headers: Mapping[str, str], before: str, after: str) -> dict[str, str]:
    """The headers without what only the first host may see, unless that host goes over to TLS."""
    if _origin(before) == _origin(after) or _to_tls(before, after):
        return dict(headers)
    return {name: value for name, value in headers.items() if name.lower() != "authorization"}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _to_tls(before: str, after: str) -> bool:
    (scheme, host, port), (wanted, new, other) = _origin(before), _origin(after)
    return host == new and (scheme, port, wanted, other) == ("http", 80, "https", 443)


def _tls_context(ca: Path | None) -> ssl.SSLContext:
    """Trust in what the system trusts, in Mozilla's list (some systems have none), and in ``ca``."""
    import certifi  # noqa: PLC0415 - over plain HTTP nobody asks

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if ca:
        try:
            context.load_verify_locations(ca)
        except ssl.SSLError as fault:
            raise UsageError(f"{ca} has no certificates in PEM form") from fault
        except OSError as fault:
            raise NotFoundError(f"cannot read the CA certificates {ca}: {fault.strerror}") from fault
    return context
