"""References written in parts: ``registry``, ``repository``, ``tag``, ``digest`` next to each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airstore.charts.images.candidate import is_bare, named, says_image
from airstore.charts.images.finding import Confidence, is_tagged
from airstore.core.frozen import frozen
from airstore.core.image.reference import Reference

_KEY = re.compile(
    r"(?P<prefix>.*?)[._-]?(?P<role>registry|hub|repository|repo|image|tag|version|digest|sha256|sha|name)",
    re.IGNORECASE,
)
_ROLES = {"repo": "repository", "sha": "digest", "sha256": "digest", "hub": "registry"}
_VERSION_KEY = re.compile(r".*version", re.IGNORECASE)
_VERSION = re.compile(r"v?\d+\.[\w.+-]+|[a-z]+-v?\d[\w.+-]*")
_PINS = frozenset({"tag", "version", "digest"})


@frozen
class Split:
    """One reference put together.

    Attributes:
        keys: the keys it was made of; they mean nothing else.
        path_key: the key that best says where it stands.
        suffix: the last part of the path, where a key of its own has it; ``path_key`` has what is before.
        text: the reference as it would be written in one piece.
    """

    reference: Reference
    confidence: Confidence
    keys: frozenset[str]
    path_key: str
    suffix: str = ""
    text: str = ""


@frozen
class Scope:
    """What the mappings above say of all images below.

    Attributes:
        hub: what comes before their names; only together with ``tag``.
        version: the only version that is said there.
    """

    hub: str = ""
    tag: str = ""
    version: str = ""

    def within(self, node: Mapping[str, Any]) -> Scope:
        """The scope of what is below a mapping."""
        hub, tag = _hub_and_tag(node)
        known = isinstance(hub, str) and isinstance(tag, str | int | float) and bool(hub and tag)
        versions = {
            value
            for key, value in node.items()
            if isinstance(value, str) and _VERSION_KEY.fullmatch(str(key)) and _VERSION.fullmatch(value)
        }
        return Scope(
            str(hub).rstrip("/") if known else self.hub,
            str(tag) if known else self.tag,
            next(iter(versions)) if len(versions) == 1 else self.version,
        )

    def complete(self, image: object) -> str | None:
        """A bare name with the hub and tag from above; None where it is none or there are none."""
        bare = isinstance(image, str) and bool(image) and is_bare(image)
        return f"{self.hub}/{image}:{self.tag}" if bare and self.hub else None


def _hub_and_tag(node: Mapping[str, Any]) -> tuple[Any, Any]:
    """A mapping's own, or those that its ``global`` gives all charts."""
    shared = node.get("global")
    places = (node, shared if isinstance(shared, Mapping) else {})
    return next(
        ((place["hub"], place["tag"]) for place in places if place.get("hub") and place.get("tag")),
        (None, None),
    )


_NOWHERE = Scope()


@dataclass
class _Fields:
    in_image: bool = False
    values: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)


def split_references(node: Mapping[str, Any], parent: str, scope: Scope = _NOWHERE) -> Iterator[Split]:
    """The references that a mapping holds in parts.

    Args:
        node: any mapping.
        parent: the key it stands under, which may say that all of it is an image.
        scope: what is said above; a version or tag that is empty here may be there.
    """
    for parts in _group(node).values():
        parts.in_image |= says_image(parent)
        split = _combine(parts, scope)
        if split:
            yield split


def _group(node: Mapping[str, Any]) -> dict[str, _Fields]:
    groups: dict[str, _Fields] = {}
    for key, value in node.items():
        match = _KEY.fullmatch(key)
        if not match or isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        role = match["role"].lower()
        prefix = whole = match["prefix"].lower().rstrip("._-")
        if role != "image":
            prefix = prefix.removesuffix("image").rstrip("._-")
        parts = groups.setdefault(prefix, _Fields())
        parts.in_image |= prefix != whole
        role = _ROLES.get(role, role)
        parts.values.setdefault(role, str(value).strip())
        parts.keys.setdefault(role, key)
    return groups


def _combine(parts: _Fields, scope: Scope) -> Split | None:
    base = _base(parts)
    if base is None:
        return None
    values, suffix = parts.values, _suffix(parts, base)
    digest, tag = values.get("digest", ""), values.get("tag", "").lstrip(":")
    if tag.startswith("sha256:"):
        digest, tag = tag, ""
    said_version = not tag and not digest and bool(values.get("version"))
    tag = tag or (values.get("version", "") if not digest else "")
    if not (tag or digest) and "version" in values:  # an empty one means that another field has it
        tag = scope.version
    if not (tag or digest) and (base == "image" or not (parts.in_image or values.get("registry"))):
        return None
    name = _join(values.get("registry", ""), values[base]) + (f"/{suffix}" if suffix else "")
    text = name + (f":{tag}" if tag else "") + (f"@{_digest(digest)}" if digest else "")
    reference = named(text)
    if reference is None:
        return None
    sure = (tag or digest) and (not said_version or parts.in_image or base == "image" or suffix)
    roles = {"registry", base, "tag", "digest"} | (
        {"version"} if "version" in values and not values.get("tag") else set()
    )
    roles |= {"image"} if suffix else set()
    keys = frozenset(parts.keys[role] for role in roles & parts.keys.keys())
    return Split(reference, "likely" if sure else "possible", keys, parts.keys[base], suffix, text)


def _base(parts: _Fields) -> str | None:
    """Which part names the repository."""
    values = parts.values
    if values.get("repository"):
        return "repository"
    image = values.get("image", "")
    if image and not is_tagged(image) and (values.keys() & {"registry", *_PINS}):
        return "image"
    pinned = values.get("tag") or values.get("digest") or (parts.in_image and values.keys() & _PINS)
    if values.get("name") and pinned and (parts.in_image or values.get("registry")):
        return "name"
    return None


def _suffix(parts: _Fields, base: str) -> str:
    """The name that comes after a repository which is but the place of several images."""
    image = parts.values.get("image", "")
    if base != "repository" or not image or is_tagged(image) or not is_bare(image):
        return ""
    return "" if parts.values["repository"].rpartition("/")[2] == image else image


def _join(registry: str, repository: str) -> str:
    registry = registry.removeprefix("https://").rstrip("/")
    if not registry or repository.startswith(f"{registry}/"):
        return repository
    return f"{registry}/{repository}"


def _digest(text: str) -> str:
    return text if text.startswith("sha256:") else f"sha256:{text}"
