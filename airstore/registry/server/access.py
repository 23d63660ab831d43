"""Who may pull from the embedded registry: everybody, or the users of an htpasswd file."""

from __future__ import annotations

import base64
import binascii
import threading
from http import HTTPStatus

from airstore.registry.server.responses import Response, error
from airstore.tls.htpasswd import Passwords

_CHECKS = 4  # passwords compared at once; bcrypt is slow on purpose, and the threads serve pulls, too
_CHALLENGE = ("WWW-Authenticate", 'Basic realm="airstore", charset="UTF-8"')


def everybody(_authorization: str) -> Response | None:
    """The guard of a registry without passwords."""
    return None


class Guard:
    """Lets those in who send a user and a password (RFC 7617)."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords
        self._checks = threading.BoundedSemaphore(_CHECKS)

    def __call__(self, authorization: str) -> Response | None:
        """Why a request with this Authorization header is refused; None where it is not."""
        credentials = _credentials(authorization)
        if credentials is None:
            return _refusal("this registry asks for a user and a password")
        if self._passwords.recalls(*credentials):
            return None
        if not self._checks.acquire(blocking=False):
            message = "too many passwords are being checked; try again"
            return error(HTTPStatus.TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message, ("Retry-After", "1"))
        try:
            accepted = self._passwords.accepts(*credentials)
        finally:
            self._checks.release()
        return None if accepted else _refusal("no such user with this password")


def _refusal(message: str) -> Response:
    return error(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED", message, _CHALLENGE)


def _credentials(authorization: str) -> tuple[str, str] | None:
    """User and password; None where the header names no user in a form that is understood."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):  # the client's mistake, which becomes a 401
        return None
    user, _, password = decoded.partition(":")
    return (user, password) if user else None
