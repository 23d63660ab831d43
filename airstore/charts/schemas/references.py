"""What a chart's values schemas refer to beyond themselves: Helm would fetch it, or read it from the disk.

Helm's loaders take ``http``, ``https`` and ``file``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from airstore.charts.packages.archive import SCHEMA, ChartArchive, read_chart
from airstore.charts.schemas.walk import DIALECT, REFERENCES, Spot, built_in, joined, spots
from airstore.core.frozen import frozen

TOO_DEEP = "a schema that is nested too deep to be looked through"


@frozen
class Outward:
    """A reference that leads out of a document.

    Attributes:
        place: the URL, without a fragment; or what there is in its place.
        fragment: a JSON pointer or an anchor within it; may be empty.
        dialect: it is the language that the document says it is written in, and no schema of values.
    """

    place: str
    fragment: str = ""
    dialect: bool = False


@lru_cache(maxsize=16)
def foreign_references(archive: bytes) -> tuple[str, ...]:
    """Whatever the schemas of a packaged chart and its subcharts refer to outside themselves, sorted.

    A schema that is no JSON refers to nothing: Helm refuses it.

    Raises:
        DamagedError: see `read_chart`.
    """
    return tuple(sorted({each.place for data in schemas_of(read_chart(archive)) for each in _outside(data)}))


def schemas_of(chart: ChartArchive) -> Iterator[bytes]:
    """The values schemas of a chart and of all charts within it."""
    if SCHEMA in chart.files:
        yield chart.files[SCHEMA]
    for each in chart.subcharts:
        yield from schemas_of(each)


def parsed(data: bytes) -> Any:
    """A chart's own schema, as leniently as Helm reads it: what is refused here would be fetched there.

    Raises:
        ValueError: no JSON.
        RecursionError: nested too deep.
    """
    return json.loads(data)


def outside(document: Any, base: str = "") -> list[Outward]:
    """What a document refers to that neither it nor Helm has in it, in the document's order.

    Args:
        document: the schema.
        base: where it was read from; empty for a chart's own.

    Raises:
        RecursionError: it is nested too deep.
    """
    found = list(spots(document, base))
    own = {base, *(spot.base for spot in found)}
    references = (reference for spot in found for reference in _referred(spot))
    return [each for each in dict.fromkeys(references) if each.place not in own and not built_in(each.place)]


def _outside(data: bytes) -> list[Outward]:
    try:
        return outside(parsed(data))
    except RecursionError:
        return [Outward(TOO_DEEP)]
    except ValueError:
        return []


def _referred(spot: Spot) -> Iterator[Outward]:
    for key in (*REFERENCES, DIALECT):
        text = spot.node.get(key)
        if isinstance(text, str):
            place, _, fragment = joined(spot.base, text).partition("#")
            yield Outward(place, "" if key == DIALECT else fragment, key == DIALECT)
