"""Images in one rendered document of any kind: pods, custom resources, configuration."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from airstore.charts.candidate import named, says_image
from airstore.charts.finding import Hit, Path
from airstore.charts.splitref import split_references
from airstore.charts.text import scan, scan_words
from airstore.core import strictjson, yamlfile
from airstore.core.errors import DamagedError, UsageError
from airstore.core.reference import Reference

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
# Values that only look like images: labels are names, selectors repeat them.
_SKIPPED = frozenset({"labels", "matchLabels", "podLabels", "selector", "nodeSelector", "ownerReferences"})
_PROSE = frozenset({"description", "documentation", "summary"})
_DEPTH = 5  # documents within strings within documents
_LONGEST = 100  # keys and indexes to a string that is still looked into; keeps the recursion bounded


def find_images(body: Any) -> Iterator[Hit]:
    """Every image that a document names.

    Args:
        body: a parsed document, or its text where it could not be parsed.
    """
    kind = body.get("kind") if isinstance(body, dict) else ""
    if kind == "CustomResourceDefinition":
        yield from _defaults(body, (), "")
        return
    if kind == "Secret" and isinstance(body.get("data"), dict):
        body = {**body, "data": {key: _decoded(value) for key, value in body["data"].items()}}
    yield from _walk(body, (), "", _DEPTH)


def _walk(node: Any, path: Path, key: str, depth: int) -> Iterator[Hit]:
    if isinstance(node, dict):
        yield from _mapping(node, path, key, depth)
    elif isinstance(node, list):
        yield from _sequence(node, path, key, depth)
    elif isinstance(node, str):
        yield from _string(node, path, key, depth)


def _mapping(node: Mapping[str, Any], path: Path, key: str, depth: int) -> Iterator[Hit]:
    done = set(_SKIPPED)
    for split in split_references(node, key):
        done |= split.keys
        yield Hit(split.reference, split.confidence, (*path, split.path_key))
    for hit, claimed in _pod_parts(node, path):
        yield hit
        done.add(claimed)
    variable = _variable(node)
    for name, value in node.items():
        below = (*path, name)
        if name in done:
            continue
        if name in _CONTAINERS and isinstance(value, list):
            yield from _containers(value, below, depth)
        elif name == "value" and variable:
            yield from _walk(value, below, variable, depth)
        elif name in _PROSE:
            yield from (replace(hit, confidence="possible") for hit in _walk(value, below, name, depth))
        else:
            yield from _walk(value, below, _says(path, name, value), depth)


def _containers(items: list[Any], path: Path, depth: int) -> Iterator[Hit]:
    """Containers as a pod has them, wherever they stand: a custom resource's pod template counts too."""
    for index, item in enumerate(items):
        below = (*path, index)
        image = _certain(item.get("image")) if isinstance(item, dict) else None
        if image:
            yield Hit(image, "certain", (*below, "image"))
            item = {key: value for key, value in item.items() if key != "image"}  # noqa: PLW2901
        yield from _walk(item, below, "", depth)


def _pod_parts(node: Mapping[str, Any], path: Path) -> Iterator[tuple[Hit, str]]:
    """Image volumes (``volumes[].image.reference``) and OCI repositories (``url: oci://``, ``ref.tag``)."""
    image = node.get("image")
    if isinstance(image, dict) and isinstance(image.get("reference"), str) and "volumes" in path[-2:]:
        reference = _certain(image["reference"])
        if reference:
            yield Hit(reference, "certain", (*path, "image", "reference")), "image"
    url, ref = node.get("url"), node.get("ref")
    if isinstance(url, str) and url.startswith("oci://") and isinstance(ref, dict):
        name, tag, digest = url.removeprefix("oci://"), ref.get("tag"), ref.get("digest")
        pinned = name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
        reference = named(pinned) if tag or digest else None
        if reference:
            yield Hit(reference, "likely", (*path, "url")), "url"


def _sequence(node: list[Any], path: Path, key: str, depth: int) -> Iterator[Hit]:
    if says_image(key) or not all(isinstance(item, str) for item in node):
        for index, item in enumerate(node):
            yield from _walk(item, (*path, index), key, depth)
        return
    for index, (reference, confidence) in scan_words(node):
        yield Hit(reference, confidence, (*path, index))


def _string(text: str, path: Path, key: str, depth: int) -> Iterator[Hit]:
    inner = _embedded(text) if depth and len(path) < _LONGEST else None
    if inner is not None:
        yield from _walk(inner, path, "", depth - 1)
        return
    if says_image(key):
        references = [named(piece) for piece in text.replace(",", " ").split()]
        if references and all(references):
            yield from (Hit(reference, "likely", path) for reference in references if reference)
            return
    yield from (Hit(reference, confidence, path) for reference, confidence in scan(text))


def _embedded(text: str) -> Any:
    """The documents that a string holds, or None where it holds plain text."""
    stripped = text.strip()
    if stripped[:1] in {"{", "["}:
        try:
            return strictjson.loads(stripped.encode(), "embedded document")
        except (DamagedError, UnicodeEncodeError):
            pass  # not JSON; perhaps YAML in flow style
    elif "\n" not in stripped:
        return None
    try:
        documents = yamlfile.load_manifests(text, "embedded document")
    except UsageError:
        return None
    structured = [document for document in documents if isinstance(document, dict | list)]
    if not structured or len(structured) != len([d for d in documents if d is not None]):
        return None
    return structured[0] if len(structured) == 1 else structured


def _defaults(node: Any, path: Path, key: str) -> Iterator[Hit]:
    """A definition names images only as defaults; its descriptions give examples."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "default":
                yield from _walk(value, (*path, name), key, _DEPTH)
            else:
                yield from _defaults(value, (*path, name), name)
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _defaults(item, (*path, index), key)


def _variable(node: Mapping[str, Any]) -> str:
    """The name of an environment variable or parameter written as a pair."""
    name = node.get("name", node.get("key"))
    return name if isinstance(name, str) and isinstance(node.get("value"), str) else ""


def _says(path: Path, name: str, value: object) -> str:
    """The key that says what a value is: its own, or the one above, as in ``images: {web: shop/web:1}``."""
    above = path[-1] if path and isinstance(path[-1], str) else ""
    if name in {"reference", "ref"} or (isinstance(value, str) and above.lower().endswith("images")):
        pinned = isinstance(value, str) and any(mark in value for mark in "/:@")
        return above if pinned else name
    return name


def _certain(text: object) -> Reference | None:
    if not isinstance(text, str):
        return None
    try:
        return Reference.parse(text.strip())
    except UsageError:
        return None


def _decoded(value: object) -> object:
    try:
        return base64.b64decode(value, validate=True).decode() if isinstance(value, str) else value
    except (binascii.Error, ValueError):
        return value
