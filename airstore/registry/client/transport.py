"""Requests to one registry, with timeouts, retries, one token per repository, and clear errors."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from airstore.core.errors import TransferError
from airstore.core.limits import KIB
from airstore.core.work import at_work
from airstore.registry.client.endpoint import Endpoint, EndpointAdapter
from airstore.registry.client.login.auth import CredentialsRefusedError, RegistryAuth
from airstore.registry.client.login.challenges import first_of_each, parse_challenges
from airstore.registry.client.login.credentials import CredentialSource
from airstore.registry.client.noproxy import NO_PROXY
from airstore.registry.faults import TransientError, network_errors, refusal

_IGNORED = 64 * KIB  # bytes of an answer that says nothing
_TOKENS = 3  # attempts: without or with an old token, with a new one, with one for a right that was denied
_IDENTITY = {"Accept-Encoding": "identity"}  # a decoded body would not have the blob's digest


@dataclass(frozen=True)
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
        self._adapter = EndpointAdapter(endpoint)
        self._auths: dict[str, RegistryAuth] = {}
        self._lock = threading.Lock()

    def send(self, request: RegistryRequest) -> requests.Response:
        """Make a request, again after passing faults; the body of a GET's answer is still to be read.

        Raises:
            TransferError: no answer, or not one of those expected.
        """
        return self.endpoint.retry.run(lambda: self.once(request))

    def fetch(self, request: RegistryRequest, limit: int) -> tuple[requests.Response, bytes]:
        """`send`, and read the whole body of at most ``limit`` bytes.

        Raises:
            TransferError: as `send`, or the body is longer.
        """
        return self.endpoint.retry.run(lambda: self._fetch_once(request, limit))

    def once(self, request: RegistryRequest) -> requests.Response:
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

    def stream(self, request: RegistryRequest, body: Iterable[bytes]) -> requests.Response:
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
            response = auth.session.request(
                request.method,
                url,
                data=body,
                headers={**_IDENTITY, **request.headers, **header},
                stream=True,
                allow_redirects=False,
            )
            _reuse_connection(response)
        if response.is_redirect:
            raise _redirected(what, urljoin(url, response.headers["Location"]))
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
        self._adapter.close()

    def _fetch_once(self, request: RegistryRequest, limit: int) -> tuple[requests.Response, bytes]:
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

    def _call(self, request: RegistryRequest, url: str) -> requests.Response:
        auth = self._auth(request.repository)
        headers = _IDENTITY | dict(request.headers)
        if not self._is_ours(url):  # an upload may be sent elsewhere; the token may not
            return auth.session.request(request.method, url, data=request.body, headers=headers, stream=True)

        response = _ask(auth, request, url, headers)
        if response.status_code == 404 and auth.introduce(response):
            response.close()
            response = _ask(auth, request, url, headers)
        return response

    def _is_ours(self, url: str) -> bool:
        return _origin(url) == _origin(self.endpoint.base)

    def _auth(self, repository: str) -> RegistryAuth:
        with self._lock:
            if repository not in self._auths:
                source, host = self._credentials, self.endpoint.host
                find = lambda: source.find(host, repository) if source else None  # noqa: E731
                self._auths[repository] = RegistryAuth(self.endpoint, repository, find, self._session())
            return self._auths[repository]

    def _session(self) -> requests.Session:
        endpoint, session = self.endpoint, requests.Session()
        session.verify = not endpoint.insecure
        if endpoint.insecure:
            urllib3.disable_warnings()  # it was asked for
        # Registries that are web sites, too, take whoever sends cookies for a browser and want a CSRF token.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # The environment is the command line's to read; .netrc would replace the tokens.
        session.trust_env = False
        session.proxies.update({k: v for k, v in endpoint.proxies.items() if k != NO_PROXY})
        for scheme in ("https://", "http://"):
            session.mount(scheme, self._adapter)
        return session


def _ask(
    auth: RegistryAuth, request: RegistryRequest, url: str, headers: Mapping[str, str]
) -> requests.Response:
    """A request with the token that there is; one that is refused is replaced, a second refusal stands."""
    for attempt in range(_TOKENS):
        sent = {**headers, **auth.header()}
        response = auth.session.request(request.method, url, data=request.body, headers=sent, stream=True)
        refused = response.status_code in ({401, 403} if not attempt else {403})
        if not refused or attempt + 1 == _TOKENS:
            break
        auth.answer(response)
    return response


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443}.get(parts.scheme, 80)


def _reuse_connection(response: requests.Response) -> None:
    # A connection whose answer was not read to the end is closed instead of kept.
    method = response.request.method
    if method == "HEAD" or (method != "GET" and response.ok):
        response.raw.read(_IGNORED)


def _check_schemes(response: requests.Response, what: str) -> None:
    """No password helps where only ways of authenticating are offered that airstore does not have."""
    offered = first_of_each(parse_challenges(response.headers.get("Www-Authenticate", "")))
    if response.status_code == 401 and offered and not offered.keys() & {"basic", "bearer"}:
        fault = refusal(response, what)
        fault.hint = (
            f"the registry offers only {', '.join(offered)}; airstore sends passwords and tokens (basic,"
            " bearer): ask for an account of that kind"
        )
        raise fault


def _check_method(response: requests.Response, method: str, what: str) -> None:
    """A redirect turns anything but GET and HEAD into a GET, as browsers do; what was meant is lost."""
    if response.history and response.request.method != method:
        response.close()
        raise _redirected(what, response.url)


def _redirected(what: str, url: str) -> TransferError:
    parts = urlsplit(url)
    return TransferError(
        f"{what}: the registry sends writes elsewhere: to {parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        hint="name that registry itself; where only the scheme differs, leave out --plain-http or http://",
    )


def _expected(response: requests.Response, expect: Collection[int], what: str) -> requests.Response:
    if response.status_code not in expect:
        raise refusal(response, what)
    return response
