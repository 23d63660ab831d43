"""A chart as its values can be held against its schemas, whatever those refer to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from airstore.charts.packages.archive import SCHEMA, read_chart
from airstore.charts.packages.literal import innermost, is_packed
from airstore.charts.packages.tarball import write_tarball
from airstore.charts.schemas.bundle import EMBEDDED, bundle, needed
from airstore.charts.schemas.documents import SchemaDocuments
from airstore.charts.schemas.references import TOO_DEEP, foreign_references, outside, parsed
from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS


@frozen
class Checkable:
    """What is rendered in the place of a chart; nobody installs it.

    Attributes:
        archive: the chart with whole schemas; the chart itself where they are whole, or cannot be made so.
        faults: why its values can be held against no schema; empty where they can.
        used: URLs of the schemas that were brought along for it.
    """

    archive: bytes = field(repr=False)
    faults: tuple[str, ...] = ()
    used: frozenset[str] = frozenset()


@lru_cache(maxsize=16)
def checkable(archive: bytes, documents: SchemaDocuments) -> Checkable:
    """The chart as Helm can hold its values against its schemas without asking anybody for anything.

    Args:
        archive: the ``.tgz``; its subcharts' schemas count as well.
        documents: what the release brings along.

    Raises:
        DamagedError: see `read_chart`.
    """
    if not foreign_references(archive):
        return Checkable(archive)
    making = _Making(documents)
    whole = making.packed(archive)
    if making.faults:
        return Checkable(archive, tuple(dict.fromkeys(making.faults)))
    return Checkable(whole, used=frozenset(making.used))


@dataclass
class _Making:
    documents: SchemaDocuments
    faults: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def packed(self, archive: bytes) -> bytes:
        chart = read_chart(archive)
        return write_tarball(chart.name or "chart", self._files(chart.files))

    def _files(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        made = dict(files)
        for path, data in files.items():
            if innermost(path) == SCHEMA:
                made[path] = self._schema(data)
            elif is_packed(path):
                made[path] = self.packed(data)
        return made

    def _schema(self, data: bytes) -> bytes:
        try:
            schema = parsed(data)
            if not outside(schema):
                return data
            found, faults = needed(schema, self.documents)
            self.faults += faults or _unfit(schema)
            if self.faults:
                return data
            text = json.dumps(bundle(schema, found), ensure_ascii=False, separators=(",", ":")).encode()
        except RecursionError:
            self.faults.append(TOO_DEEP)
            return data
        except ValueError:  # no JSON, which Helm says
            return data
        self.used |= found.keys()
        if len(text) > LIMITS.chart_schema:
            self.faults.append(f"with all that it refers to it is larger than {LIMITS.chart_schema} bytes")
        return text


def _unfit(schema: Any) -> list[str]:
    fits = isinstance(schema, dict) and isinstance(schema.get(EMBEDDED, {}), dict)
    return [] if fits else ["it is no object, or its definitions are none"]
