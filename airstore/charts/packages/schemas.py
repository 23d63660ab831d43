"""What a chart's values schemas refer to beyond themselves: Helm would fetch it, or read it from the disk.

Source: JSON Schema 2020-12, sections 8.2 (``$id``, ``$ref``) and 9.3.1; Helm's loader takes ``http``,
``https`` and ``file``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin

from airstore.charts.packages.archive import ChartArchive, read_chart

SCHEMA = "values.schema.json"
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef", "$schema"})
_DATA = frozenset({"const", "enum", "default", "examples"})  # no schemas, whatever is in them
_BUILT_IN = ("http://json-schema.org/", "https://json-schema.org/")  # Helm has them in it


@lru_cache(maxsize=16)
def foreign_references(archive: bytes) -> tuple[str, ...]:
    """Whatever the schemas of a packaged chart and its subcharts refer to outside themselves, sorted.

    A schema that is no JSON refers to nothing: Helm refuses it.

    Raises:
        DamagedError: see `read_chart`.
    """
    return tuple(sorted(set(_of_chart(read_chart(archive)))))


def _of_chart(chart: ChartArchive) -> Iterator[str]:
    if SCHEMA in chart.files:
        yield from _of_schema(chart.files[SCHEMA])
    for each in chart.subcharts:
        yield from _of_chart(each)


def _of_schema(data: bytes) -> Iterator[str]:
    try:
        schema = json.loads(data)  # as lenient as Helm: what is refused here would be fetched there
        own = {""} | set(_identified(schema, ""))
        places = [reference.partition("#")[0] for reference in _referred(schema, "")]
    except RecursionError:
        yield "a schema that is nested too deep to be looked through"
    except ValueError:
        return
    else:
        yield from (place for place in places if place not in own and not place.startswith(_BUILT_IN))


def _identified(node: Any, base: str) -> Iterator[str]:
    for inner, where in _schemas(node, base):
        if where != base:
            yield where.partition("#")[0]
        yield from _identified(inner, where)


def _referred(node: Any, base: str) -> Iterator[str]:
    if isinstance(node, dict):
        where = _base(node, base)
        texts = (node[key] for key in sorted(_REFERENCES & node.keys()))
        yield from (_joined(where, text) for text in texts if isinstance(text, str))
    for inner, where in _schemas(node, base):
        yield from _referred(inner, where)


def _schemas(node: Any, base: str) -> Iterator[tuple[Any, str]]:
    """What is within, each with the base of its references."""
    if isinstance(node, dict):
        where = _base(node, base)
        yield from ((value, where) for key, value in node.items() if key not in _DATA)
    elif isinstance(node, list):
        yield from ((value, base) for value in node)


def _base(node: dict[str, Any], base: str) -> str:
    named = node.get("$id")
    return _joined(base, named) if isinstance(named, str) else base


def _joined(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference)
    except ValueError:  # no URL at all; whatever Helm makes of it is not within the schema
        return f"{SCHEMA}: {reference}"
