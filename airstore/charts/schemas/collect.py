"""Reading what the schemas of charts refer to by URL, and what that refers to in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

from airstore.charts.packages.archive import read_chart
from airstore.charts.schemas.checkable import checkable
from airstore.charts.schemas.documents import NONE, SchemaDocuments, shown
from airstore.charts.schemas.references import outside, parsed, schemas_of
from airstore.charts.schemas.walk import DIALECT, REFERENCES, spots
from airstore.core.errors import DamagedError, NotFoundError, TransferError
from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson

Fetch = Callable[[str, int], bytes]  # a URL and the most bytes that it may hold; raises as `collect` says

_KNOWN = frozenset({
    *REFERENCES, DIALECT, "$defs", "definitions", "properties", "patternProperties", "additionalProperties",
    "type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "items", "required",
})  # fmt: skip


@frozen
class FoundSchemas:
    """What was found.

    Attributes:
        documents: those that charts can be held against with; all that a chart needs, or none of it.
        faults: URL to why the schema there cannot be had.
        earlier: URLs that do not answer now, whose schema is as the release before has it.
    """

    documents: SchemaDocuments = NONE
    faults: Mapping[str, str] = field(default_factory=dict)
    earlier: tuple[str, ...] = ()


NOTHING = FoundSchemas()
"""No schema was looked for."""


def collect(archives: Iterable[bytes], fetch: Fetch, before: SchemaDocuments = NONE) -> FoundSchemas:
    """Read every schema that charts need from elsewhere, each once.

    Args:
        archives: the charts.
        fetch: reads a document; `TransferError` and `NotFoundError` say why it cannot be had.
        before: what the newest release brings along, for places that do not answer.
    """
    charts = list(archives)
    found: dict[str, Any] = {}
    faults: dict[str, str] = {}
    earlier = []
    pending = [place for archive in charts for place in _places(archive)]
    while pending:
        url = pending.pop(0)
        if url in found or url in faults:
            continue
        try:
            found[url] = _read(url, fetch, len(found))
        except (DamagedError, NotFoundError, TransferError) as fault:
            if url not in before.by_url:
                faults[url] = str(fault)
                continue
            found[url] = before.by_url[url]
            earlier.append(url)
        pending += _of(found[url], url)
    documents = _of_use(charts, SchemaDocuments(found))
    return FoundSchemas(documents, faults, tuple(url for url in earlier if url in documents.by_url))


def _read(url: str, fetch: Fetch, count: int) -> Any:
    if not url.startswith(("http://", "https://")):
        raise NotFoundError(f"{shown(url)} is no address that a schema is fetched from")
    if count >= LIMITS.schema_documents:
        raise DamagedError(f"there are more than {LIMITS.schema_documents} schemas elsewhere")
    document = strictjson.loads(fetch(url, LIMITS.schema_document), shown(url), LIMITS.schema_document)
    # Somebody else wrote the URL: what is no schema, such as an answer of a service within, does not travel.
    if not (isinstance(document, bool) or _holds_schema(document)):
        raise DamagedError(f"{shown(url)} is no JSON Schema")
    SchemaDocuments.of_files(
        SchemaDocuments({url: document}).files()
    )  # what a site would refuse, refused here
    return document


def _holds_schema(document: Any) -> bool:
    """Whether it is a schema, or holds some under names of its own, as OpenAPI's documents do."""
    return isinstance(document, dict) and any(_KNOWN & spot.node.keys() for spot in spots(document))


def _places(archive: bytes) -> Iterator[str]:
    for data in schemas_of(read_chart(archive)):
        try:
            yield from _of(parsed(data))
        except (RecursionError, ValueError):
            continue  # `foreign_references` names the one, and Helm the other


def _of(document: Any, url: str = "") -> list[str]:
    return [each.place for each in outside(document, url) if not each.dialect]


def _of_use(archives: Iterable[bytes], documents: SchemaDocuments) -> SchemaDocuments:
    used = {url for archive in archives for url in checkable(archive, documents).used}
    return SchemaDocuments({url: documents.by_url[url] for url in sorted(used)})
