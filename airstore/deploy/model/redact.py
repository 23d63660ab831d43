"""Secrets do not belong into plans, ledgers or terminals: their values become digests."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from airstore.core.frozen import frozen

SECRET = re.compile(
    r"pass(word|wd|phrase)?$|pwd$|secret|token|credential|(api|private|access|encryption|signing)[_-]?key",
    re.IGNORECASE,
)
_SHORTEST = 4  # characters; anything shorter is in every second word
HIDDEN = "(redacted)"
_PAGES = secrets.token_bytes(32)
UNKEYED = "(redacted, sha256 "  # how ledgers of before had it: whoever reads one can try every PIN

Hide = Callable[[str, str, Any], str]
"""From a Secret's name, key and value to what stands in its place."""


@frozen
class Redactor:
    """Takes known secrets out of text that others wrote: output of hooks, errors of Helm."""

    secrets: frozenset[str]

    def text(self, text: str) -> str:
        """The same text; every secret, plain or in base64, replaced."""
        for each in sorted(self.secrets, key=len, reverse=True):
            for form in (each, base64.b64encode(each.encode()).decode()):
                text = text.replace(form, HIDDEN)
        return text

    @classmethod
    def of(cls, values: Iterable[object]) -> Redactor:
        """Knows every text in values, at any depth, whose key sounds like a secret."""
        found = (text for value in values for text in _secrets(value, secret=False))
        return cls(frozenset(text for text in found if len(text) >= _SHORTEST))


def _secrets(value: object, *, secret: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        named = bool(SECRET.search(str(value.get("name"))))  # an environment variable
        for key, inner in value.items():
            hides = bool(SECRET.search(str(key))) or (named and key == "value")
            yield from _secrets(inner, secret=secret or hides)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _secrets(inner, secret=secret)
    elif secret and isinstance(value, str):
        yield value


def redact(document: Any, hide: Hide) -> Any:
    """The same manifest; every value of a Secret, in lists too, replaced by a digest of it.

    A digest still shows that a value changed. It is salted with the Secret's name and key so that equal
    passwords do not show as equal.
    """
    if not isinstance(document, dict):
        return document
    if isinstance(items := document.get("items"), list):
        return {**document, "items": [redact(item, hide) for item in items]}
    if document.get("kind") != "Secret":
        return document
    metadata = document.get("metadata")
    name = str(metadata.get("name") if isinstance(metadata, dict) else None)
    return {
        key: _hide(name, value, hide) if key in {"data", "stringData"} else value
        for key, value in document.items()
    }


def redact_text(text: str, hide: Hide) -> str:
    """A document that this reader does not understand, as a comment: it may be a Secret."""
    return f"# a document that only Helm can read: {hide('', '', text)}\n"


def _hide(name: str, value: Any, hide: Hide) -> Any:
    if isinstance(value, dict):
        return {key: hide(name, str(key), inner) for key, inner in value.items()}
    return value if value is None else hide(name, "", value)


def page_mark(name: str, key: str, value: Any) -> str:
    """What stands in place of a secret on a page: the same for the same secret in the same place.

    Its key ends with this process, so that nobody who has the page can try what it was made of.
    """
    digest = hmac.digest(_PAGES, f"{name}\0{key}\0{value}".encode(), "sha256").hex()
    return f"(redacted, mark {digest[:12]})"


def unkeyed_digest(name: str, key: str, value: Any) -> str:
    """What stood in place of a secret in old ledgers; to compare with those alone."""
    short = hashlib.sha256(f"{name}\0{key}\0{value}".encode()).hexdigest()[:12]
    return f"{UNKEYED}{short})"


def keyed(key: bytes) -> Hide:
    """What stands in place of a secret where it lasts: without the key nobody can try what it was made of."""

    def hide(name: str, at: str, value: Any) -> str:
        digest = hmac.digest(key, f"{name}\0{at}\0{value}".encode(), "sha256").hex()
        return f"(redacted,hmac-sha256:{digest})"  # one word: YAML would break the line between two

    return hide


def secret_values(documents: Iterable[Any]) -> frozenset[str]:
    """What the values of rendered Secrets are, long enough not to be part of ordinary words."""
    return frozenset(text for each in documents if isinstance(each, dict) for text in _data_of(each))


def _data_of(document: dict[str, Any]) -> Iterator[str]:
    if document.get("kind") != "Secret":
        return
    for text in (document.get("stringData") or {}).values():
        yield from _long(str(text))
    for text in (document.get("data") or {}).values():
        try:
            yield from _long(base64.b64decode(str(text), validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            yield from _long(str(text))


def _long(text: str) -> Iterator[str]:
    if len(text) >= _SHORTEST:
        yield text
