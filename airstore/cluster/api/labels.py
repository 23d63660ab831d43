"""Annotations that airstore writes on objects, and what older versions called them.

Keys need a domain that is nobody else's. ``.internal`` is reserved for private use and never delegated in the
public DNS, so nobody can own ``airstore.internal``; ``airstore.example``, which versions before wrote, is for
examples only. Those are read as well, and go when their object is written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airstore.core.kube.documents import Document

_DOMAIN, _BEFORE = "airstore.internal", "airstore.example"

PRODUCT = f"{_DOMAIN}/product"  # whose it is
PRODUCTS = f"{_DOMAIN}/products"  # JSON, host to the products that pull from it
PASSWORDS = f"{_DOMAIN}/passwords"  # a mark of those that its pods have
REMEMBERED = f"{_DOMAIN}/remembered"  # replicas, or whether a CronJob was suspended


def annotation(document: Document, key: str) -> str | None:
    """An annotation, of this version or as an older one called it; None where there is none."""
    found: Mapping[str, Any] = (document.get("metadata") or {}).get("annotations") or {}
    value = found.get(key) or found.get(_old(key))
    return str(value) if value else None


def changed(key: str, value: str | None) -> dict[str, str | None]:
    """What a merge patch has for one: its value, None to drop it; the older name is dropped."""
    return {key: value, _old(key): None}


def _old(key: str) -> str:
    domain, slash, name = key.partition("/")
    return f"{_BEFORE}{slash}{name}" if domain == _DOMAIN else key
