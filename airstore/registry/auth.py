"""oras's token authentication, answering Basic challenges too and never reusing a refused token.

Sources: distribution spec (token and OAuth2 authentication), RFC 9110 section 11. What oras 0.2 does
otherwise: repeats an expired token, sends several scopes as one, forgets what the token server said, and
needs to be told in advance whether a registry uses Basic or Bearer.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import Any

import oras.auth.utils
import requests
from oras.auth.token import TokenAuth

from airstore.core import strictjson
from airstore.core.errors import DamagedError, TransferError
from airstore.core.limits import MIB
from airstore.registry.credentials import Credentials
from airstore.registry.faults import network_errors, refusal

_CLIENT_ID = "airstore"
_TOKEN_ANSWER = 1 * MIB  # bytes


class UnansweredError(Exception):
    """A refusal that no credentials of ours can change; `transport` says what was asked for."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__()
        self.response = response


class RegistryAuth(TokenAuth):  # type: ignore[misc]  # oras has no types
    """Authentication for one repository; used by oras's ``Registry.do_request``.

    ``find`` is called at the first challenge, so that no helper is asked where nobody is needed.
    """

    token: str | None
    session: requests.Session

    def __init__(self, what: str, find: Callable[[], Credentials | None], stall: float) -> None:
        super().__init__()
        self._what = what
        self._find = find
        self._stall = stall
        self._scheme = "Bearer"
        self._lock = threading.Lock()

    def get_auth_header(self) -> dict[str, str]:
        """The header for a request, or nothing yet."""
        token = self.token
        return {"Authorization": f"{self._scheme} {token}"} if token else {}

    def forget(self, refused: str | None) -> None:
        """Drop the token if it is still the one that was ``refused`` (a whole header value)."""
        with self._lock:
            if refused and refused == self.get_auth_header().get("Authorization"):
                self.token = None

    def authenticate_request(
        self, original: requests.Response, headers: dict[str, str] | None, refresh: bool = False
    ) -> tuple[dict[str, str], bool]:
        """Answer a 401 or 403; called by oras.

        Raises:
            UnansweredError: there is nothing (more) to answer with.
            TransferError: the token server refused or cannot be reached.
        """
        del refresh  # what was refused is always replaced
        challenge = original.headers.get("Www-Authenticate", "")
        sent = original.request.headers.get("Authorization")
        if not challenge:
            raise UnansweredError(original)
        with self._lock:
            if not self.token or sent == self.get_auth_header().get("Authorization"):
                self.token = self._answer(original, challenge, sent)
            result = dict(headers or {}) | self.get_auth_header()
        original.close()
        return result, True

    def _answer(self, original: requests.Response, challenge: str, sent: str | None) -> str:
        scheme = challenge.partition(" ")[0].lower()
        credentials = self._find()
        if scheme == "bearer":
            self._scheme = "Bearer"
            return self._token(oras.auth.utils.parse_auth_header(challenge), credentials)
        if scheme != "basic" or credentials is None or sent:
            raise UnansweredError(original)
        self._scheme = "Basic"
        return _basic(credentials)

    def _token(self, challenge: Any, credentials: Credentials | None) -> str:
        realm = self._realm(challenge)
        fields = {"service": challenge.service, "scope": (challenge.scope or "").split()}
        fields = {key: value for key, value in fields.items() if value}
        with network_errors(f"{self._what}: token server", self._stall):
            response = self._ask(realm, fields, credentials)
        if response.status_code != 200:
            raise refusal(response, f"{self._what}: token server")
        return self._read(response)

    def _ask(self, realm: str, fields: dict[str, Any], credentials: Credentials | None) -> requests.Response:
        options: dict[str, Any] = {"verify": self._tls_verify, "stream": True, "headers": {}}
        if credentials and credentials.identity_token:
            grant = {"grant_type": "refresh_token", "refresh_token": credentials.identity_token}
            scope = " ".join(fields.pop("scope", []))
            data = fields | grant | {"client_id": _CLIENT_ID, "scope": scope}
            # A redirect would carry the refresh token on to another host.
            return self.session.post(realm, data=data, allow_redirects=False, **options)
        if credentials:
            options["headers"]["Authorization"] = f"Basic {_basic(credentials)}"
        return self.session.get(realm, params=fields, **options)

    def _realm(self, challenge: Any) -> str:
        realm = str(challenge.realm or "")
        if not realm.startswith(("https://", "http://")):
            raise TransferError(f"{self._what}: the registry names no token server")
        if self.prefix == "https" and realm.startswith("http://"):
            raise TransferError(
                f"{self._what}: the registry wants the password sent unencrypted to its token server",
                hint="configure an https realm at the registry",
            )
        return realm

    def _read(self, response: requests.Response) -> str:
        what = f"{self._what}: token server's answer"
        with network_errors(what, self._stall):
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
