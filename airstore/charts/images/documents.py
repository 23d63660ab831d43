"""Images in one rendered document of any kind: pods, custom resources, configuration."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from airstore.charts.images.candidate import mentions_image, named, says_image
from airstore.charts.images.finding import Confidence, Hit, Path, is_tagged
from airstore.charts.images.splitref import Scope, split_references
from airstore.charts.images.text import scan, scan_words
from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.reference import Reference
from airstore.core.parsing import strictjson, yamlfile

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
# Values that only look like images: labels are names, selectors repeat them.
_SKIPPED = frozenset({"labels", "matchLabels", "podLabels", "selector", "nodeSelector", "ownerReferences"})
_PROSE = frozenset(
    {
        "description",
        "documentation",
        "summary",
        "comment",
        "comments",
        "help",
        "doc",
        "docs",
        "example",
        "examples",
    }
)
INJECTED = "auto"
"""What Istio's gateways write as a container's image: whoever injects the pod's sidecar replaces it."""
_DEPTH = 5  # documents within strings within documents
_LONGEST = 100  # keys and indexes to a string that is still looked into; keeps the recursion bounded


@frozen
class _Position:
    """Where a search stands.

    Attributes:
        key: what says what a value is: its own key, or one above.
        variable: the variable, parameter or flag it belongs to.
        depth: documents within strings that are still looked into.
    """

    path: Path = ()
    key: str = ""
    variable: str = ""
    scope: Scope = field(default_factory=Scope)
    depth: int = _DEPTH

    def below(self, part: str | int, key: str = "", variable: str = "") -> _Position:
        """One key or index further down."""
        return replace(self, path=(*self.path, part), key=key, variable=variable)

    def hit(self, reference: Reference, confidence: Confidence, text: str, rule: str) -> Hit:
        """A hit at this very place."""
        return Hit(reference, confidence, self.path, text, rule, self.variable)


def find_images(body: Any) -> Iterator[Hit]:
    """Every image that a document names.

    Args:
        body: a parsed document, or its text where it could not be parsed.
    """
    kind = body.get("kind") if isinstance(body, dict) else ""
    if kind == "CustomResourceDefinition":
        yield from _defaults(body, _Position())
        return
    if kind == "Secret" and isinstance(body.get("data"), dict):
        body = {**body, "data": {key: _decoded(value) for key, value in body["data"].items()}}
    yield from _walk(body, _Position())


def unreadable_images(body: Any) -> Iterator[tuple[Path, str]]:
    """Containers' images that are no references; strings within the document are not looked into."""
    waiting: list[tuple[Any, Path]] = [(body, ())]
    while waiting:
        node, path = waiting.pop()
        if isinstance(node, dict):
            waiting += [(value, (*path, key)) for key, value in node.items()]
        elif isinstance(node, list):
            waiting += [(item, (*path, index)) for index, item in enumerate(node)]
            image = [item.get("image") if isinstance(item, dict) else None for item in node]
            for index, text in enumerate(image if path[-1:] and path[-1] in _CONTAINERS else []):
                if isinstance(text, str) and text.strip() and _certain(text) is None:
                    yield (*path, index, "image"), text


def _walk(node: Any, place: _Position) -> Iterator[Hit]:
    if isinstance(node, dict):
        yield from _mapping(node, replace(place, scope=place.scope.within(node)))
    elif isinstance(node, list):
        yield from _sequence(node, place)
    elif isinstance(node, str):
        yield from _string(node, place)


def _mapping(node: Mapping[str, Any], place: _Position) -> Iterator[Hit]:
    done = set(_SKIPPED)
    for hit, claimed in (*_splits(node, place), *_pod_parts(node, place)):
        yield hit
        done |= claimed
    variable = _variable(node)
    for name, value in node.items():
        if name in done:
            continue
        if name in _CONTAINERS and isinstance(value, list):
            yield from _containers(value, place.below(name))
        elif name == "value" and variable:
            yield from _walk(value, place.below(name, variable, variable))
        elif _is_prose(name):
            for hit in _walk(value, place.below(name, name)):
                yield replace(hit, confidence="possible")
        else:
            yield from _walk(value, place.below(name, _says(place.path, name, value), place.variable))


def _is_prose(key: str) -> bool:
    """Whether people read it: ``description``, ``example.com/description``, ``_example``."""
    return key.rpartition("/")[2].lstrip("_").lower() in _PROSE


def _splits(node: Mapping[str, Any], place: _Position) -> Iterator[tuple[Hit, frozenset[str]]]:
    """References in parts: next to each other, or a bare name below a hub and a tag."""
    taken: set[str] = set()
    for split in split_references(node, place.key, place.scope):
        taken |= split.keys
        here = replace(place, path=(*place.path, split.path_key))
        yield here.hit(split.reference, split.confidence, split.text, "written in parts"), split.keys
    text = None if "image" in taken else place.scope.complete(node.get("image"))
    reference = named(text) if text else None
    if text and reference:
        here = place.below("image")
        yield here.hit(reference, "likely", text, "below a hub and a tag"), frozenset({"image"})


def _containers(items: list[Any], place: _Position) -> Iterator[Hit]:
    """Containers as a pod has them, wherever they stand: a custom resource's pod template counts too."""
    for index, item in enumerate(items):
        below = place.below(index)
        image = _certain(item.get("image")) if isinstance(item, dict) else None
        if image:
            text = item["image"].strip()
            confidence: Confidence = "possible" if text == INJECTED else "certain"
            yield below.below("image").hit(image, confidence, text, "a container's image")
        if isinstance(item, dict) and isinstance(item.get("image"), str):  # what is none: `unreadable_images`
            item = {key: value for key, value in item.items() if key != "image"}  # noqa: PLW2901
        yield from _walk(item, below)


def _pod_parts(node: Mapping[str, Any], place: _Position) -> Iterator[tuple[Hit, frozenset[str]]]:
    """Image volumes (``volumes[].image.reference``) and OCI repositories (``url: oci://``, ``ref.tag``)."""
    image = node.get("image")
    if isinstance(image, dict) and isinstance(image.get("reference"), str) and "volumes" in place.path[-2:]:
        reference = _certain(image["reference"])
        if reference:
            here = place.below("image").below("reference")
            hit = here.hit(reference, "certain", image["reference"].strip(), "an image volume")
            yield hit, frozenset({"image"})
    url, ref = node.get("url"), node.get("ref")
    if isinstance(url, str) and url.startswith("oci://") and isinstance(ref, dict):
        name, tag, digest = url.removeprefix("oci://"), ref.get("tag"), ref.get("digest")
        pinned = name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
        reference = named(pinned) if tag or digest else None
        if reference:
            hit = place.below("url").hit(reference, "likely", pinned, "an OCI repository")
            yield hit, frozenset({"url"})


def _sequence(node: list[Any], place: _Position) -> Iterator[Hit]:
    if says_image(place.key) or not all(isinstance(item, str) for item in node):
        done: set[int] = set()
        for hit, claimed in _pairs(node, place):
            yield hit
            done |= claimed
        for index, item in enumerate(node):
            if index not in done:
                yield from _walk(item, place.below(index, place.key))
        return
    for index, found in scan_words(node):
        yield place.below(index, variable=found.flag).hit(*found[:3], rule="an argument or a list")


def _pairs(node: list[Any], place: _Position) -> Iterator[tuple[Hit, set[int]]]:
    """A reference in several variables: ``APP_IMAGE`` and ``APP_VERSION`` of one environment."""
    names = {name: index for index, item in enumerate(node) if (name := _variable(item))}
    values = {name: node[index]["value"] for name, index in names.items()}
    for split in split_references(values, "", Scope()) if len(values) > 1 else ():
        if len(split.keys) > 1:
            claimed = {names[key] for key in split.keys}
            here = place.below(names[split.path_key]).below("value", variable=split.path_key)
            yield here.hit(split.reference, split.confidence, split.text, "several variables"), claimed


def _string(text: str, place: _Position) -> Iterator[Hit]:
    inner = _embedded(text) if place.depth and len(place.path) < _LONGEST else None
    if inner is not None:
        yield from _walk(inner, replace(place, key="", variable="", depth=place.depth - 1))
        return
    if says_image(place.key) or mentions_image(place.key):
        pieces = text.replace(",", " ").split()
        references = [_said(piece, place.key) for piece in pieces]
        if references and all(references):
            rule = "its variable says so" if place.variable else "its key says so"
            for piece, reference in zip(pieces, references, strict=True):
                if reference:
                    yield place.hit(reference, "likely", piece, rule)
            return
    for found in scan(text):
        yield place.hit(*found[:3], rule="running text")


def _said(piece: str, key: str) -> Reference | None:
    """What a value means under a key with "image" in it; one that may name other things proves less."""
    sure = says_image(key) or is_tagged(piece)
    return named(piece) if sure else None


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


def _defaults(node: Any, place: _Position) -> Iterator[Hit]:
    """A definition names images only as defaults; its descriptions give examples.

    A default without a tag is part of a reference that only a resource completes.
    """
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "default":
                for hit in _walk(value, place.below(name, place.key)):
                    yield hit if hit.is_tagged else replace(hit, confidence="possible")
            else:
                yield from _defaults(value, place.below(name, name))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _defaults(item, place.below(index, place.key))


def _variable(node: object) -> str | None:
    """The name of an environment variable or parameter written as a pair."""
    if not isinstance(node, Mapping):
        return None
    name = node.get("name", node.get("key"))
    return name if isinstance(name, str) and isinstance(node.get("value"), str) else None


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
