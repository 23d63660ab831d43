"""What a publisher is told of schemas that charts refer to elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airstore.charts.schemas.checkable import checkable
from airstore.charts.schemas.collect import FoundSchemas
from airstore.charts.schemas.documents import shown
from airstore.charts.schemas.references import foreign_references
from airstore.core.notice import Notice

_NAMED = 3  # places and reasons that are named
TOPIC = "schema"


def told(name: str, archive: bytes, schemas: FoundSchemas) -> Iterator[Notice]:
    """Whether the values of a chart are held against its schema, if that is not as a matter of course.

    Args:
        name: of the chart.
        archive: its ``.tgz``.
        schemas: what was found of what it refers to.
    """
    references = foreign_references(archive)
    if not references:
        return
    said = f"chart {name}: its values schema refers to {_some([shown(each) for each in references])}"
    found = checkable(archive, schemas.documents)
    if found.faults:
        reasons = [schemas.faults[each] for each in references if each in schemas.faults] or found.faults
        yield Notice(
            TOPIC,
            f"{said}, which is not in the chart and cannot be brought along ({_some(reasons)}): values are"
            " held against no schema of it, here and at every site",
            "a chart directory whose schema has it under $defs is checked",
            strict=False,
        )
        return
    old = sorted(found.used & set(schemas.earlier))
    since = f"; {_some([shown(each) for each in old])} as the newest release has it" if old else ""
    count = f"{len(found.used)} schemas" if len(found.used) > 1 else "1 schema"
    yield Notice(
        TOPIC,
        f"{said}: {count} read from there{since}, kept in the release; values are held against it here and at"
        " every site",
        strict=False,
    )


def _some(texts: Sequence[str]) -> str:
    return "; ".join(texts[:_NAMED]) + ("; ..." if len(texts) > _NAMED else "")
