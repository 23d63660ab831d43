"""Who we are to a registry: answers to Bearer and Basic challenges; a refused token is never used again.

Sources: distribution spec (token and OAuth2 authentication), RFC 9110 section 11.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urljoin

from airstore.core.errors import DamagedError, TransferError
from airstore.core.limits import MIB
from airstore.core.parsing import strictjson
from airstore.registry.answer import HttpAnswer
from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.http.connections import Connections
from airstore.registry.client.login.challenges import Challenge, first_of_each, parse_challenges
from airstore.registry.client.login.credentials import Credentials
from airstore.registry.faults import network_errors, refusal

_CLIENT_ID = "airstore"
_TOKEN_ANSWER = 1 * MIB  # bytes
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class CredentialsRefusedError(Exception):
    """A refusal that no credentials of ours can change; `transport` says what was asked for."""

    def __init__(self, response: HttpAnswer) -> None:
        super().__init__()
        self.response = response


class RegistryAuth:
    """Authentication for one repository.

    ``find`` is called at the first challenge, so that no helper is asked where nobody is needed.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        repository: str,
        find: Callable[[], Credentials | None],
        connections: Connections,
    ) -> None:
        self._connections = connections
        self._endpoint = endpoint
        self._what = f"{endpoint.host}/{repository}" if repository else endpoint.host
        self._repository = repository
        self._introduced = False
        self._find = find
        self._scheme = "Bearer"
        self._current: str | None = None
        self._lock = threading.Lock()

    def header(self) -> dict[str, str]:
        """The header for a request, or nothing yet."""
        token = self._current
        return {"Authorization": f"{self._scheme} {token}"} if token else {}

    def forget(self, refused: str | None) -> None:
        """Drop the token if it is still the one that was ``refused`` (a whole header value)."""
        with self._lock:
            if refused and refused == self.header().get("Authorization"):
                self._current = None

    def answer(self, refused: HttpAnswer) -> None:
        """Get another token after a 401 or 403, unless another thread has one by now.

        Raises:
            CredentialsRefusedError: there is nothing (more) to answer with.
            TransferError: the token server refused or cannot be reached.
        """
        offered = first_of_each(parse_challenges(refused.headers.get("Www-Authenticate", "")))
        sent = refused.authorization
        with self._lock:
            if not self._current or sent == self.header().get("Authorization"):
                try:
                    self._current = self._answer(refused, offered or self._ping(refused, sent), sent)
                except TransferError:
                    refused.close()
                    raise
        refused.close()

    def introduce(self, original: HttpAnswer) -> bool:
        """Authenticate though nobody asked: some registries hide from strangers what they have.

        Once for each repository, and only with credentials. Returns whether there is a token now.
        """
        with self._lock:
            if self._introduced or self._current or self._find() is None:
                return False
            self._introduced = True
            try:
                self._current = self._answer(original, self._ping(original, None), None)
            except (CredentialsRefusedError, TransferError):
                return False
            return True

    def _answer(self, original: HttpAnswer, offered: Mapping[str, Challenge], sent: str | None) -> str:
        """What to send; a token where one can be had, else the password itself where that is asked for."""
        credentials = self._find()
        refused_before = (sent or "").startswith("Basic ")
        basic = "basic" in offered and credentials and credentials.username and not refused_before
        if "bearer" in offered:
            try:
                token = self._token(offered["bearer"].parameters, credentials)
            except TransferError:
                if not basic:
                    raise
            else:
                self._scheme = "Bearer"
                return token
        if not basic or credentials is None:
            raise CredentialsRefusedError(original)
        self._scheme = "Basic"
        return _basic(credentials)

    def _ping(self, original: HttpAnswer, sent: str | None) -> Mapping[str, Challenge]:
        """What the registry as a whole asks for, where an answer says no but not what for."""
        if sent or self._find() is None:
            return {}
        url = urljoin(original.url, "/v2/")
        with network_errors(f"{self._what}: /v2/", self._endpoint.stall):
            response = self._connections.request("GET", url, {}, follow=False)
            response.close()
        return first_of_each(parse_challenges(response.headers.get("Www-Authenticate", "")))

    def _token(self, challenge: Mapping[str, str], credentials: Credentials | None) -> str:
        realm = self._realm(challenge.get("realm", ""))
        scope = challenge.get("scope") or (f"repository:{self._repository}:pull" if self._repository else "")
        fields: dict[str, Any] = {"service": challenge.get("service"), "scope": scope.split()}
        fields = {key: value for key, value in fields.items() if value}
        with network_errors(f"{self._what}: token server", self._endpoint.stall):
            response = self._ask(realm, fields, credentials)
        if response.status_code != 200:
            raise refusal(response, f"{self._what}: token server")
        return self._read(response)

    def _ask(self, realm: str, fields: dict[str, Any], credentials: Credentials | None) -> HttpAnswer:
        if credentials and credentials.identity_token:
            grant = {"grant_type": "refresh_token", "refresh_token": credentials.identity_token}
            scope = " ".join(fields.pop("scope", []))
            data = urlencode(fields | grant | {"client_id": _CLIENT_ID, "scope": scope}).encode()
            # A redirect would carry the refresh token on to another host.
            return self._connections.request("POST", realm, _FORM, data, follow=False)
        query = urlencode(fields, doseq=True)
        url = f"{realm}{'&' if '?' in realm else '?'}{query}" if query else realm
        headers = {"Authorization": f"Basic {_basic(credentials)}"} if credentials else {}
        return self._connections.request("GET", url, headers)

    def _realm(self, realm: str) -> str:
        if not realm.startswith(("https://", "http://")):
            raise TransferError(f"{self._what}: the registry names no token server")
        if not self._endpoint.plain_http and realm.startswith("http://"):
            raise TransferError(
                f"{self._what}: the registry wants the password sent unencrypted to its token server",
                hint="configure an https realm at the registry",
            )
        return realm

    def _read(self, response: HttpAnswer) -> str:
        what = f"{self._what}: token server's answer"
        with network_errors(what, self._endpoint.stall):
            body = response.raw.read(_TOKEN_ANSWER, decode_content=True)
            response.close()
        try:
            document = strictjson.load_object(body, what)
        except DamagedError:
            raise TransferError(f"{what} is not JSON") from None  # the cause may carry the token
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise TransferError(f"{what} has no token")
        return token


def _basic(credentials: Credentials) -> str:
    return base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()
