"""Who we are at a registry: given outright, or from docker's ``config.json`` or containers' ``auth.json``.

Sources: docker/cli config file (``auths``, ``credHelpers``, ``credsStore``), docker-credential-helpers
protocol, containers-auth.json(5) for keys that carry a path.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol

from airstore.core.errors import AirstoreError, DamagedError, NotFoundError, TransferError, UsageError
from airstore.core.frozen import frozen
from airstore.core.parsing import strictjson

_HUB_KEYS = ("https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io")
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HELPER_TIMEOUT = 60  # seconds
_NOT_FOUND = "credentials not found"
_TOKEN_USER = "<token>"  # noqa: S105 - what helpers give as user name with an identity token


@frozen
class Credentials:
    """A user name and password, or an identity token (a refresh token of the token server)."""

    username: str
    password: str = field(repr=False)
    identity_token: str = field(default="", repr=False)

    def find(self, host: str, repository: str) -> Credentials | None:  # noqa: ARG002 - the same everywhere
        """See `CredentialSource`."""
        return self


class CredentialSource(Protocol):
    """Something that knows credentials."""

    def find(self, host: str, repository: str) -> Credentials | None:
        """Credentials for a repository of a registry; None means to ask as nobody.

        Raises:
            UsageError: the configuration is wrong.
            TransferError: a credential helper failed.
        """


class DockerConfig:
    """A docker ``config.json`` or containers ``auth.json``; read once.

    Raises:
        NotFoundError: no such file.
        UsageError: not such a file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            document = strictjson.load_object(path.read_bytes(), str(path))
        except OSError as fault:
            raise NotFoundError(f"cannot read {path}: {fault.strerror}") from fault
        except DamagedError as fault:
            raise UsageError(str(fault)) from fault
        self._auths = self._section(document, "auths")
        self._helpers = self._section(document, "credHelpers")
        self._store = document.get("credsStore")

    def find(self, host: str, repository: str) -> Credentials | None:
        """See `CredentialSource`; the most specific key wins, helpers come before stored entries."""
        for key in _host_keys(host):
            if key in self._helpers:
                return self._ask(str(self._helpers[key]), key)
        entry = self._entry(host, repository)
        if entry:
            return entry
        return self._ask(str(self._store), _host_keys(host)[0]) if self._store else None

    def _entry(self, host: str, repository: str) -> Credentials | None:
        by_key = {_plain(key): entry for key, entry in self._auths.items()}
        for key in _search_keys(host, repository):
            entry = self._auths.get(key) or by_key.get(_plain(key))
            if isinstance(entry, dict) and (entry.get("auth") or entry.get("identitytoken")):
                return self._decode(entry, key)
        return None

    def _decode(self, entry: Mapping[str, Any], key: str) -> Credentials:
        try:
            text = base64.b64decode(str(entry.get("auth", "")), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            # The cause would show the secret in a traceback.
            raise UsageError(f"{self._path}: auths: {key}: auth is not base64 text") from None
        username, _, password = text.rstrip("\0").partition(":")
        return Credentials(username, password, str(entry.get("identitytoken") or ""))

    def _ask(self, helper: str, key: str) -> Credentials | None:
        if not _HELPER_NAME.fullmatch(helper):
            raise UsageError(f"{self._path}: not the name of a credential helper: {helper!r}")
        program = f"docker-credential-{helper}"
        try:
            done = subprocess.run(
                [program, "get"],
                input=key.encode(),
                capture_output=True,
                timeout=_HELPER_TIMEOUT,
                check=False,
            )
        except FileNotFoundError as fault:
            hint = f"install it, or remove {helper!r} from {self._path}"
            raise TransferError(f"the credential helper {program} is not installed", hint=hint) from fault
        except (OSError, subprocess.TimeoutExpired):
            raise TransferError(f"the credential helper {program} did not answer for {key}") from None
        if done.returncode:
            _check_absent(program, key, done.stdout + done.stderr)
            return None
        return _answer(program, key, done.stdout)

    def _section(self, document: Mapping[str, Any], name: str) -> dict[str, Any]:
        section = document.get(name) or {}
        if not isinstance(section, dict):
            raise UsageError(f"{self._path}: {name} must be an object")
        return section


def _check_absent(program: str, key: str, said: bytes) -> None:
    text = said.decode("utf-8", "replace")
    if _NOT_FOUND not in text:
        raise TransferError(
            f"the credential helper {program} failed for {key}: {' '.join(text.split())[:200]}"
        )


def _answer(program: str, key: str, output: bytes) -> Credentials:
    fault: AirstoreError = TransferError(f"the credential helper {program} gave no answer for {key}")
    try:
        document = json.loads(output)
    except ValueError:
        raise fault from None  # the cause would carry the helper's output, that is the secret
    if not isinstance(document, dict) or not isinstance(document.get("Secret"), str):
        raise fault
    username, secret = str(document.get("Username") or ""), document["Secret"]
    return Credentials("", "", secret) if username == _TOKEN_USER else Credentials(username, secret)


def _host_keys(host: str) -> tuple[str, ...]:
    return _HUB_KEYS if host == "docker.io" else (host,)


def _search_keys(host: str, repository: str) -> Iterator[str]:
    parts = repository.split("/") if repository else []
    for length in range(len(parts), 0, -1):
        yield "/".join([host, *parts[:length]])
    yield from _host_keys(host)


def _plain(key: str) -> str:
    """A key without scheme and API version, as older docker versions wrote them."""
    name = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    return re.sub(r"/v[12]$", "", name)
