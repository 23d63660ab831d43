"""Passwords as Apache's htpasswd keeps them: one line a user, bcrypt (htpasswd(1), option ``-B``)."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping

import bcrypt

from airstore.core.errors import DamagedError, UsageError

# Two to this power rounds, with every request to a registry. Slow hashing is for passwords one can guess;
# 192 random bits cannot, however fast it goes. With cost 10 a push mostly waited for bcrypt.
_GUESSABLE, _RANDOM_COST = 10, 4
_RANDOM_LENGTH = 32  # characters of a generated password
_LONGEST = 72  # bytes of a password that bcrypt looks at
_RANDOM = 24  # bytes of a generated password
_LINE = re.compile(r"([^:\s]{1,255}):(\$2[aby]\$\d\d\$[./A-Za-z0-9]{53})")


def generate_password() -> str:
    """A new random password of 32 letters, digits, ``-`` and ``_`` (192 bits)."""
    return secrets.token_urlsafe(_RANDOM)


def htpasswd(users: Mapping[str, str]) -> str:
    """The file's text for user names and their passwords; another salt, so another text, every time.

    Passwords shorter than generated ones are taken for a person's and hashed slowly.

    Raises:
        UsageError: a name has a colon or white space; a password is empty, has more than 72 bytes or a NUL.
    """
    return "".join(f"{_name(user)}:{_hashed(user, word)}\n" for user, word in users.items())


def matches(text: str, users: Mapping[str, str]) -> bool:
    """Whether a file's text is for exactly these users and passwords.

    Raises:
        DamagedError: not such a file, or not with bcrypt.
    """
    known = _parse(text)
    return known.keys() == users.keys() and all(
        bcrypt.checkpw(users[name].encode(), known[name].encode()) for name in users
    )


class Passwords:
    """The users of an htpasswd file, asked for with every request; threads may share it.

    Raises:
        DamagedError: not such a file, or not with bcrypt; or it has no users.
    """

    def __init__(self, text: str) -> None:
        self._known = _parse(text)
        if not self._known:
            raise DamagedError("the htpasswd file has no users")
        self._key = secrets.token_bytes(_RANDOM)
        self._accepted: dict[str, bytes] = {}

    def recalls(self, user: str, password: str) -> bool:
        """Whether this password has been accepted before; at once, for clients send it with each request."""
        mark = self._accepted.get(user)
        return mark is not None and hmac.compare_digest(mark, self._mark(password))

    def accepts(self, user: str, password: str) -> bool:
        """Whether it is the user's password; as slow as its bcrypt, also for users who are not there."""
        data = password.encode("utf-8", "surrogateescape")
        if not data or b"\0" in data or len(data) > _LONGEST:
            return False
        hashed = self._known.get(user) or next(iter(self._known.values()))
        if not bcrypt.checkpw(data, hashed.encode()) or user not in self._known:
            return False
        self._accepted[user] = self._mark(password)
        return True

    def _mark(self, password: str) -> bytes:
        return hmac.digest(self._key, password.encode("utf-8", "surrogateescape"), "sha256")


def _parse(text: str) -> dict[str, str]:
    entries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.fullmatch(line)
        if not found:
            raise DamagedError(f"line {number} of the htpasswd file is not a user with a bcrypt password")
        entries[found[1]] = found[2]
    return entries


def _name(user: str) -> str:
    if not user or len(user) > 255 or ":" in user or any(c.isspace() or not c.isprintable() for c in user):
        raise UsageError(f"not a user name for a registry: {user[:100]!r}")
    return user


def _hashed(user: str, password: str) -> str:
    data = password.encode()
    if not data or b"\0" in data or len(data) > _LONGEST:
        raise UsageError(
            f"the password of {user!r} must have 1 to {_LONGEST} bytes and no NUL",
            hint="bcrypt looks at no more than 72 bytes",
        )
    cost = _GUESSABLE if len(password) < _RANDOM_LENGTH else _RANDOM_COST
    return bcrypt.hashpw(data, bcrypt.gensalt(cost)).decode()
