"""Secrets do not belong into plans, ledgers or terminals: their values become digests."""

from __future__ import annotations

import hashlib
from typing import Any


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
    name = str((document.get("metadata") or {}).get("name"))
    return {
        key: {k: _digest(name, k, v) for k, v in value.items()}
        if key in {"data", "stringData"} and isinstance(value, dict)
        else value
        for key, value in document.items()
    }


def _digest(name: str, key: str, value: Any) -> str:
    short = hashlib.sha256(f"{name}\0{key}\0{value}".encode()).hexdigest()[:12]
    return f"(redacted, sha256 {short})"
