"""Secrets do not belong into plans, ledgers or terminals: their values become digests."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_SECRET = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|(api|private|access)_?key", re.IGNORECASE
)
_SHORTEST = 4  # characters; anything shorter is in every second word
_HIDDEN = "(redacted)"


@dataclass(frozen=True)
class Redactor:
    """Takes known secrets out of text that others wrote: output of hooks, errors of Helm."""

    secrets: frozenset[str]

    def text(self, text: str) -> str:
        """The same text; every secret, plain or in base64, replaced."""
        for each in sorted(self.secrets, key=len, reverse=True):
            for form in (each, base64.b64encode(each.encode()).decode()):
                text = text.replace(form, _HIDDEN)
        return text

    @classmethod
    def of(cls, values: Iterable[object]) -> Redactor:
        """Knows every text in values, at any depth, whose key sounds like a secret."""
        found = (text for value in values for text in _secrets(value, secret=False))
        return cls(frozenset(text for text in found if len(text) >= _SHORTEST))


def _secrets(value: object, *, secret: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secrets(inner, secret=secret or bool(_SECRET.search(str(key))))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _secrets(inner, secret=secret)
    elif secret and isinstance(value, str):
        yield value


def redact(document: Any) -> Any:
    """The same manifest; every value of a Secret, in lists too, replaced by a short digest of it.

    A digest still shows that a value changed. It is salted with the Secret's name and key so that equal
    passwords do not show as equal.
    """
    if not isinstance(document, dict):
        return document
    if isinstance(items := document.get("items"), list):
        return {**document, "items": [redact(item) for item in items]}
    if document.get("kind") != "Secret":
        return document
    metadata = document.get("metadata")
    name = str(metadata.get("name") if isinstance(metadata, dict) else None)
    return {
        key: _hide(name, value) if key in {"data", "stringData"} else value for key, value in document.items()
    }


def redact_text(text: str) -> str:
    """A document that this reader does not understand, as a comment: it may be a Secret."""
    return f"# a document that only Helm can read: {_digest('', '', text)}\n"


def _hide(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _digest(name, str(key), inner) for key, inner in value.items()}
    return value if value is None else _digest(name, "", value)


def _digest(name: str, key: str, value: Any) -> str:
    short = hashlib.sha256(f"{name}\0{key}\0{value}".encode()).hexdigest()[:12]
    return f"(redacted, sha256 {short})"
