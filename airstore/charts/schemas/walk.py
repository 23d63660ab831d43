"""Where schemas are within a JSON Schema, what references are resolved against, and what Helm has in it.

Source: JSON Schema 2020-12, sections 8.2 (``$id``, ``$ref``) and 9.3.1, and draft-04, where it is ``id``.
Helm 3 reads schemas by gojsonschema (since 3.18 by jsonschema of santhosh-tekuri), Helm 4 by the latter: what
either would take for a schema counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urljoin

from airstore.charts.packages.archive import SCHEMA
from airstore.core.frozen import frozen

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
DIALECT = "$schema"
LATEST = "https://json-schema.org/draft/2020-12/schema"
_DRAFT_4 = "json-schema.org/draft-04/schema"
_BUILT_IN = frozenset({
    "json-schema.org/schema",
    _DRAFT_4,
    "json-schema.org/draft-06/schema",
    "json-schema.org/draft-07/schema",
    "json-schema.org/draft/2019-09/schema",
    "json-schema.org/draft/2020-12/schema",
})  # fmt: skip
_MAPS = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}
)  # any name may be a key of theirs, also that of a keyword
_DATA = frozenset({"const", "enum", "default", "examples"})  # no schemas, unless somebody points there


@frozen
class Spot:
    """What may be a schema, a part of its document, and the URL that its references are relative to.

    Attributes:
        base: without a fragment; empty for a chart's own schema that has no ``$id``.
    """

    node: dict[str, Any]
    base: str


def spots(document: Any, base: str = "") -> Iterator[Spot]:
    """Every place of a document where either reader would look for a schema, the document itself first.

    Args:
        document: the schema.
        base: where it was read from.

    Raises:
        RecursionError: it is nested too deep.
    """
    data = frozenset() if _points_into_data(document) else _DATA
    yield from _spots(document, base, identifier(document), data)


def identifier(document: Any) -> str:
    """The keyword by which a document names itself and its parts."""
    return "id" if is_draft_4(document) else "$id"


def is_draft_4(document: Any) -> bool:
    """Whether it says that it is of draft-04, where more than the name of ``$id`` is otherwise."""
    declared = document.get(DIALECT) if isinstance(document, dict) else None
    return isinstance(declared, str) and _plain(declared) == _DRAFT_4


def passes_over_siblings(document: Any) -> bool:
    """Whether it says that it is of a draft up to 07, where nothing beside a ``$ref`` counts."""
    declared = document.get(DIALECT) if isinstance(document, dict) else None
    return isinstance(declared, str) and _plain(declared) in _BUILT_IN and "/draft-0" in declared


def built_in(place: str) -> bool:
    """Whether Helm has this document in it, and asks nobody for it."""
    return place.startswith(("http://", "https://")) and _plain(place) in _BUILT_IN


def joined(base: str, reference: str) -> str:
    """A reference as a URL; what is none stays recognisable, and is never within the schema."""
    try:
        return urljoin(base, reference)
    except ValueError:  # whatever Helm makes of it
        return f"{SCHEMA}: {reference}"


def _plain(place: str) -> str:
    return place.removesuffix("#").partition("://")[2]


def _spots(node: Any, base: str, identified_by: str, data: frozenset[str]) -> Iterator[Spot]:
    if isinstance(node, list):
        for each in node:
            yield from _spots(each, base, identified_by, data)
    elif isinstance(node, dict):
        named = node.get(identified_by)
        base = joined(base, named).partition("#")[0] if isinstance(named, str) else base
        inner = [each for key, value in node.items() if key not in data for each in _within(key, value)]
        yield Spot(node, base)
        yield from _spots(inner, base, identified_by, data)


def _within(key: str, value: Any) -> list[Any]:
    return list(value.values()) if key in _MAPS and isinstance(value, dict) else [value]


def _points_into_data(document: Any) -> bool:
    """Whether a reference leads to where only data should be: what is there is a schema then."""
    return any(
        _DATA & set(unquote(text.partition("#")[2]).split("/"))
        for spot in _spots(document, "", "", _DATA)
        for text in (spot.node.get(key) for key in REFERENCES)
        if isinstance(text, str)
    )
