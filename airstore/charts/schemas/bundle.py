"""A values schema together with all that it refers to, in one document, as Helm reads it without a network.

Source: JSON Schema 2020-12, section 9.3.1 (bundling): each document is embedded with its URL for its ``$id``,
so that references to it need not be changed. Three things are where documents in the field are not ready for
that: one may name itself otherwise than where it was found; up to draft-07 whatever stands beside a ``$ref``
is passed over, ``$id`` too; and one that does not say what it is written in takes after what it is put in.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from airstore.charts.schemas.documents import SchemaDocuments, shown
from airstore.charts.schemas.references import Outward, outside
from airstore.charts.schemas.walk import (
    DIALECT,
    LATEST,
    REFERENCES,
    identifier,
    is_draft_4,
    joined,
    passes_over_siblings,
    spots,
)

EMBEDDED = "definitions"
"""The keyword under which documents are put: both of Helm's readers look there, in every draft."""

_BESIDE_REFERENCE = frozenset(
    {DIALECT, "$id", "id", "$comment", "title", "description", "definitions", "$defs"}
)


def needed(schema: Any, documents: SchemaDocuments) -> tuple[dict[str, Any], list[str]]:
    """The documents that a schema leads to, by URL, and what stands in the way of holding values against it.

    Raises:
        RecursionError: one of them is nested too deep.
    """
    found: dict[str, Any] = {}
    faults: dict[str, None] = {}
    pending = outside(schema)
    while pending:
        reference = pending.pop()
        fault = _fault(reference, schema, documents.by_url)
        if fault:
            faults[fault] = None
        elif reference.place not in found:
            found[reference.place] = documents.by_url[reference.place]
            pending += outside(found[reference.place], reference.place)
    return dict(sorted(found.items())), list(faults)


def bundle(schema: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a schema with the documents that it needs embedded.

    Args:
        schema: an object; a chart's own.
        found: from `needed`.
    """
    whole: dict[str, Any] = copy.deepcopy(schema)
    _make_absolute(whole, "", {url: url for url in found})
    inner = whole.setdefault(EMBEDDED, {})
    for url, document in found.items():
        inner[_free(url, inner)] = embedded(document, url)
    return whole


def embedded(document: Any, url: str) -> dict[str, Any]:
    """A copy of a document that is itself wherever it stands: named by its URL, its references absolute."""
    if isinstance(document, bool):
        return {"$id": url, **({} if document else {"not": {}})}
    result: dict[str, Any] = copy.deepcopy(document)
    own = next(spots(result, url)).base
    _make_absolute(result, url, {own: url})
    result = _without_siblings(result)
    return {DIALECT: LATEST, **result, identifier(document): url}


def _fault(reference: Outward, schema: Any, by_url: Mapping[str, Any]) -> str:
    place = shown(reference.place)
    if reference.dialect:
        return f"{place} is a language of its own, which no Helm has in it"
    if reference.place not in by_url:
        return f"{place} is not in the release"
    document = by_url[reference.place]
    if is_draft_4(document) != is_draft_4(schema) and isinstance(schema, dict) and DIALECT in schema:
        return f"{place} and the chart's schema are of drafts that Helm 3 does not read together"
    if not _leads_somewhere(document, reference.fragment):
        return f"{place} has no {reference.fragment}"
    return ""


def _leads_somewhere(document: Any, fragment: str) -> bool:
    """Whether a JSON pointer (RFC 6901, section 6) does; anchors are Helm's to find."""
    if not fragment.startswith("/"):
        return True
    node = document
    for part in unquote(fragment).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            return False
    return isinstance(node, dict | bool)


def _make_absolute(document: dict[str, Any], base: str, renamed: Mapping[str, str]) -> None:
    """Spell out references and names that depend on a base which the document is about to lose.

    Args:
        document: changed.
        base: where it was read from.
        renamed: what a place is called from now on.
    """
    own = identifier(document)
    for spot in list(spots(document, base)):
        for key in REFERENCES:
            text = spot.node.get(key)
            if isinstance(text, str) and not text.startswith("#"):
                place, mark, fragment = joined(spot.base, text).partition("#")
                if base or place in renamed:
                    spot.node[key] = renamed.get(place, place) + mark + fragment
        named = spot.node.get(own)
        if base and isinstance(named, str) and not named.startswith("#"):
            spot.node[own] = spot.base


def _without_siblings(document: dict[str, Any]) -> dict[str, Any]:
    """Up to draft-07 nothing beside ``$ref`` counts; it has to, for the document to have a name."""
    if "$ref" not in document or not passes_over_siblings(document):
        return document
    kept = {key: value for key, value in document.items() if key in _BESIDE_REFERENCE}
    return {**kept, "allOf": [{"$ref": document["$ref"]}]}


def _free(name: str, taken: Mapping[str, Any]) -> str:
    return next(each for each in _names(name) if each not in taken)


def _names(name: str) -> Iterator[str]:
    while True:
        yield name
        name += "#"
