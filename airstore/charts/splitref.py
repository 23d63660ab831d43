"""References written in parts: ``registry``, ``repository``, ``tag``, ``digest`` next to each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airstore.charts.candidate import named, says_image
from airstore.charts.finding import Confidence
from airstore.core.reference import Reference

_KEY = re.compile(
    r"(?P<prefix>.*?)[._-]?(?P<role>registry|repository|repo|image|tag|version|digest|sha256|sha|name)",
    re.IGNORECASE,
)
_ROLES = {"repo": "repository", "sha": "digest", "sha256": "digest"}


@dataclass(frozen=True)
class Split:
    """One reference put together.

    Attributes:
        keys: the keys it was made of; they mean nothing else.
        path_key: the key that best says where it stands.
    """

    reference: Reference
    confidence: Confidence
    keys: frozenset[str]
    path_key: str


@dataclass
class _Parts:
    values: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)


def split_references(node: Mapping[str, Any], parent: str) -> Iterator[Split]:
    """The references that a mapping holds in parts.

    Args:
        node: any mapping.
        parent: the key it stands under, which may say that all of it is an image.
    """
    for parts in _group(node).values():
        split = _combine(parts, in_image=says_image(parent))
        if split:
            yield split


def _group(node: Mapping[str, Any]) -> dict[str, _Parts]:
    groups: dict[str, _Parts] = {}
    for key, value in node.items():
        match = _KEY.fullmatch(key)
        if not match or isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        role = match["role"].lower()
        prefix = match["prefix"].lower().rstrip("._-")
        if role != "image":
            prefix = prefix.removesuffix("image").rstrip("._-")
        parts = groups.setdefault(prefix, _Parts())
        role = _ROLES.get(role, role)
        parts.values.setdefault(role, str(value).strip())
        parts.keys.setdefault(role, key)
    return groups


def _combine(parts: _Parts, *, in_image: bool) -> Split | None:
    base = _base(parts, in_image=in_image)
    if base is None:
        return None
    values = parts.values
    digest, tag = values.get("digest", ""), values.get("tag", "").lstrip(":")
    if tag.startswith("sha256:"):
        digest, tag = tag, ""
    said_version = not tag and not digest and values.get("version")
    tag = tag or (values.get("version", "") if not digest else "")
    if not (tag or digest) and (base == "image" or not (in_image or values.get("registry"))):
        return None
    name = _join(values.get("registry", ""), values[base])
    reference = named(name + (f":{tag}" if tag else "") + (f"@{_digest(digest)}" if digest else ""))
    if reference is None:
        return None
    sure = (tag or digest) and (not said_version or in_image or base == "image")
    roles = {"registry", base, "tag", "digest"} | ({"version"} if said_version else set())
    keys = frozenset(parts.keys[role] for role in roles & parts.keys.keys())
    return Split(reference, "likely" if sure else "possible", keys, parts.keys[base])


def _base(parts: _Parts, *, in_image: bool) -> str | None:
    """Which part names the repository."""
    values = parts.values
    if values.get("repository"):
        return "repository"
    image = values.get("image", "")
    if image and not _is_pinned(image) and (values.keys() & {"registry", "tag", "version", "digest"}):
        return "image"
    pinned = values.get("tag") or values.get("digest")
    if values.get("name") and pinned and (in_image or values.get("registry")):
        return "name"
    return None


def _is_pinned(image: str) -> bool:
    return "@" in image or ":" in image.rpartition("/")[2]


def _join(registry: str, repository: str) -> str:
    registry = registry.removeprefix("https://").rstrip("/")
    if not registry or repository.startswith(f"{registry}/"):
        return repository
    return f"{registry}/{repository}"


def _digest(text: str) -> str:
    return text if text.startswith("sha256:") else f"sha256:{text}"
