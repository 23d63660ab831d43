"""Requests to one registry, with timeouts, retries, one token per repository, and clear errors."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import field
from urllib.parse import urljoin, urlsplit

from airstore.core.errors import TransferError
from airstore.core.frozen import frozen
from airstore.core.limits import KIB
from airstore.core.work import at_work
from airstore.registry.answer import HttpAnswer
from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.http.connections import Connections, SizedChunks
from airstore.registry.client.login.auth import CredentialsRefusedError, RegistryAuth
from airstore.registry.client.login.challenges import first_of_each, parse_challenges
from airstore.registry.client.login.credentials import CredentialSource
from airstore.registry.faults import TransientError, network_errors, refusal

_IGNORED = 64 * KIB  # bytes of an answer that says nothing
_TOKENS = 3  # attempts: without or with an old token, with a new one, with one for a right that was denied
_IDENTITY = {"Accept-Encoding": "identity"}  # a decoded body would not have the blob's digest


@frozen
class RegistryRequest:
    """One request for a repository.

    Attributes:
        path: below the repository (``blobs/sha256:...``), or a whole URL.
        expect: statuses that are an answer; any other is a fault.
        about: what messages call it, where the path does not tell.
    """

    method: str
    repository: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    body: bytes | None = None
    expect: Collection[int] = (200,)
    about: str = ""


class Transport:
    """Connections to one registry, shared by threads."""

    def __init__(self, endpoint: Endpoint, credentials: CredentialSource | None) -> None:
        self.endpoint = endpoint
        self._credentials = credentials
        self._connections = Connections(endpoint)
        self._auths: dict[str, RegistryAuth] = {}
        self._lock = threading.Lock()

    def send(self, request: RegistryRequest) -> HttpAnswer:
        """Make a request, again after passing faults; the body of a GET's answer is still to be read.

        Raises:
            TransferError: no answer, or not one of those expected.
        """
        return self.endpoint.retry.run(lambda: self.once(request))

    def fetch(self, request: RegistryRequest, limit: int) -> tuple[HttpAnswer, bytes]:
        """`send`, and read the whole body of at most ``limit`` bytes.

        Raises:
            TransferError: as `send`, or the body is longer.
        """
        return self.endpoint.retry.run(lambda: self._fetch_once(request, limit))

    def once(self, request: RegistryRequest) -> HttpAnswer:
        """One attempt of `send`."""
        what = self.describe(request)
        url = self.url(request.repository, request.path)
        with network_errors(what, self.endpoint.stall), at_work("%s %s", request.method, what):
            try:
                response = self._call(request, url)
            except CredentialsRefusedError as fault:
                response = fault.response
            _reuse_connection(response)
        _check_method(response, request.method, what)
        _check_schemes(response, what)
        return _expected(response, request.expect, what)

    def stream(self, request: RegistryRequest, body: SizedChunks) -> HttpAnswer:
        """One attempt at a request whose body cannot be replayed; ``len(body)`` is its length in bytes.

        Raises:
            TransientError: also when the token was refused; the next request gets a fresh one.
            TransferError: no answer, or not one of those expected.
        """
        what = self.describe(request)
        auth = self._auth(request.repository)
        url = self.url(request.repository, request.path)
        header = auth.header() if self._is_ours(url) else {}
        with network_errors(what, self.endpoint.stall), at_work("%s %s", request.method, what):
            headers = {**_IDENTITY, **request.headers, **header}
            response = self._connections.request(request.method, url, headers, body, follow=False)
            _reuse_connection(response)
            location = response.location
        if location is not None:
            response.close()
            raise _redirected(what, location)
        if response.status_code == 401 and header:
            auth.forget(header["Authorization"])
            raise TransientError(str(refusal(response, what)), hint="check the credentials")
        return _expected(response, request.expect, what)

    def url(self, repository: str, path: str) -> str:
        """The whole URL; a path that is one already stays, but never loses TLS."""
        url = urljoin(f"{self.endpoint.base}{repository}/", path) if "://" not in path else path
        if not self.endpoint.plain_http and url.startswith("http://"):
            # Registries behind a TLS proxy that does not say so send such locations.
            url = "https://" + url.removeprefix("http://")
        return url

    def describe(self, request: RegistryRequest) -> str:
        """For messages: host, repository and what is asked for, without queries."""
        about = request.about or "/".join(urlsplit(request.path).path.rstrip("/").split("/")[-2:])
        return f"{self.endpoint.host}/{request.repository}: {about}"

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()

    def _fetch_once(self, request: RegistryRequest, limit: int) -> tuple[HttpAnswer, bytes]:
        response = self.once(request)
        what = self.describe(request)
        with network_errors(what, self.endpoint.stall):
            body: bytes = response.raw.read(limit + 1, decode_content=False)
        response.close()
        announced = response.headers.get("Content-Length", "")
        if len(body) <= limit and announced.isdecimal() and len(body) < int(announced):
            raise TransientError(f"{what} ended after {len(body)} of {announced} bytes")
        if len(body) > limit:
            raise TransferError(f"{what} is larger than {limit} bytes")
        if "identity" not in response.headers.get("Content-Encoding", "identity"):
            raise TransferError(f"{what}: the registry or a proxy before it compresses its answers")
        return response, body

    def _call(self, request: RegistryRequest, url: str) -> HttpAnswer:
        auth = self._auth(request.repository)
        headers = _IDENTITY | dict(request.headers)
        if not self._is_ours(url):  # an upload may be sent elsewhere; the token may not
            return self._connections.request(request.method, url, headers, request.body)

        response = self._ask(auth, request, url, headers)
        if response.status_code == 404 and auth.introduce(response):
            response.close()
            response = self._ask(auth, request, url, headers)
        return response

    def _is_ours(self, url: str) -> bool:
        return _origin(url) == _origin(self.endpoint.base)

    def _auth(self, repository: str) -> RegistryAuth:
        with self._lock:
            if repository not in self._auths:
                source, host = self._credentials, self.endpoint.host
                find = lambda: source.find(host, repository) if source else None  # noqa: E731
                self._auths[repository] = RegistryAuth(self.endpoint, repository, find, self._connections)
            return self._auths[repository]

    def _ask(
        self, auth: RegistryAuth, request: RegistryRequest, url: str, headers: Mapping[str, str]
    ) -> HttpAnswer:
        """With the token that there is; one that is refused is replaced, a second refusal stands."""
        for attempt in range(_TOKENS):
            sent = {**headers, **auth.header()}
            response = self._connections.request(request.method, url, sent, request.body)
            refused = response.status_code in ({401, 403} if not attempt else {403})
            if not refused or attempt + 1 == _TOKENS:
                break
            auth.answer(response)
        return response


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443}.get(parts.scheme, 80)


def _reuse_connection(response: HttpAnswer) -> None:
    # A connection whose answer was not read to the end is closed instead of kept.
    method = response.method
    if method == "HEAD" or (method != "GET" and response.ok):
        response.raw.read(_IGNORED)


def _check_schemes(response: HttpAnswer, what: str) -> None:
    """No password helps where only ways of authenticating are offered that airstore does not have."""
    offered = first_of_each(parse_challenges(response.headers.get("Www-Authenticate", "")))
    if response.status_code == 401 and offered and not offered.keys() & {"basic", "bearer"}:
        fault = refusal(response, what)
        fault.hint = (
            f"the registry offers only {', '.join(offered)}; airstore sends passwords and tokens (basic,"
            " bearer): ask for an account of that kind"
        )
        raise fault


def _check_method(response: HttpAnswer, method: str, what: str) -> None:
    """A redirect turns anything but GET and HEAD into a GET, as browsers do; what was meant is lost."""
    if response.moved and response.method != method:
        response.close()
        raise _redirected(what, response.url)


def _redirected(what: str, url: str) -> TransferError:
    parts = urlsplit(url)
    return TransferError(
        f"{what}: the registry sends writes elsewhere: to {parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        hint="name that registry itself; where only the scheme differs, leave out --plain-http or http://",
    )


def _expected(response: HttpAnswer, expect: Collection[int], what: str) -> HttpAnswer:
    if response.status_code not in expect:
        raise refusal(response, what)
    return response
