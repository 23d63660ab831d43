"""What is read of the schemas that charts refer to, what is not, and how a release keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.charts.schemas.collect import Fetch, FoundSchemas, collect
from airstore.charts.schemas.documents import NONE, SchemaDocuments, shown
from airstore.charts.schemas.told import told
from airstore.core.errors import DamagedError, TransferError
from airstore.core.limits import LIMITS
from tests.charts.schemas.served import DRAFT_7, FAR, packed

NEXT = "https://schemas.example/v2.json"


def reader(documents: Mapping[str, Any], asked: list[str] | None = None) -> Fetch:
    """Gives these documents, and no other."""

    def fetch(url: str, limit: int) -> bytes:
        if asked is not None:
            asked.append(url)
        if url not in documents:
            raise TransferError(f"{url}: nobody is there")
        found = documents[url]
        return found if isinstance(found, bytes) else json.dumps(found).encode()

    return fetch


def found(
    documents: Mapping[str, Any], schema: object = None, before: SchemaDocuments = NONE
) -> FoundSchemas:
    return collect([packed({"$ref": FAR} if schema is None else schema)], reader(documents), before)


def test_each_is_read_once_with_what_it_refers_to() -> None:
    asked: list[str] = []
    documents = {FAR: {"$ref": "v2.json"}, NEXT: {"$ref": f"{FAR}#"}}
    charts = [packed({"$ref": FAR}), packed({"$ref": FAR, "title": "other"}), packed({"type": "object"})]
    assert collect(charts, reader(documents, asked)).documents.by_url == documents
    assert asked == [FAR, NEXT]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"<html>", "is not valid JSON"),
        (b'{"type": "object", "type": "array"}', "duplicate key"),
        (b'{"Code": "Success", "AccessKeyId": "key", "Expiration": "soon"}', "is no JSON Schema"),
        (b"{}", "is no JSON Schema"),
        (b'"text"', "is no JSON Schema"),
        (b"[]", "is no JSON Schema"),
        (b'{"$ref":' * 80 + b'""' + b"}" * 80, "nested deeper"),
        (b'{"items":' * 63 + b"{}" + b"}" * 63, "nested deeper"),  # not of itself, but as a release has it
        (b'"' + b"x" * LIMITS.schema_document + b'"', f"at most {LIMITS.schema_document}"),
    ],
)
def test_what_is_no_schema_does_not_travel(answer: bytes, why: str) -> None:
    collected = found({FAR: answer})
    assert why in collected.faults[FAR]
    assert not collected.documents.by_url


def test_what_is_no_web_address_is_not_asked_for() -> None:
    asked: list[str] = []
    schema = {"allOf": [{"$ref": "file:///etc/passwd"}, {"$ref": "other.json"}, {"$ref": "urn:a:b"}]}
    collected = collect([packed(schema)], reader({}, asked))
    assert set(collected.faults) == {"file:///etc/passwd", "other.json", "urn:a:b"}
    assert not asked


def test_a_language_of_schemas_is_not_asked_for() -> None:
    asked: list[str] = []
    collect([packed({"$schema": "https://schemas.example/language"})], reader({}, asked))
    assert not asked


def test_there_are_not_more_than_a_release_can_bear() -> None:
    count = LIMITS.schema_documents
    chain = {f"https://a.example/{n}": {"$ref": str(n + 1)} for n in range(count + 2)}
    collected = found(chain, {"$ref": "https://a.example/0"})
    assert f"more than {count}" in collected.faults[f"https://a.example/{count}"]
    assert not collected.documents.by_url
    chain[f"https://a.example/{count - 1}"] = {"type": "object"}
    assert len(found(chain, {"$ref": "https://a.example/0"}).documents.by_url) == count


def test_only_what_is_of_use_is_kept() -> None:
    collected = found({FAR: {"$ref": "v2.json"}})
    assert "nobody is there" in collected.faults[NEXT]
    assert not collected.documents.by_url


def test_who_does_not_answer_is_as_the_release_before_has_it() -> None:
    before = SchemaDocuments({FAR: {"type": "object"}, NEXT: {"type": "array"}})
    collected = found({}, before=before)
    assert collected.documents.by_url == {FAR: {"type": "object"}}
    assert collected.earlier == (FAR,)
    assert not found({FAR: {"type": "string"}}, before=before).earlier  # what is there now counts


def test_a_publisher_is_told_what_values_are_held_against() -> None:
    archive = packed({"$ref": f"{FAR}#/a"})

    def said(collected: FoundSchemas) -> str:
        (notice,) = told("shop", archive, collected)
        assert not notice.strict
        return notice.message

    kept = SchemaDocuments({FAR: {"a": {"type": "object"}}})
    assert f"refers to {FAR}: 1 schema read from there, kept in the release; values" in said(
        FoundSchemas(kept)
    )
    assert f"{FAR} as the newest release has it" in said(FoundSchemas(kept, earlier=(FAR,)))
    assert "brought along (it is Sunday): values are held against no schema" in said(
        FoundSchemas(faults={FAR: "it is Sunday"})
    )
    assert "(https://schemas.example/v1.json has no /a)" in said(FoundSchemas(SchemaDocuments({FAR: {}})))
    assert not list(told("shop", packed({"$schema": DRAFT_7}), FoundSchemas()))


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://user:word@a.example:8/b.json?token=c#d", "https://a.example:8/b.json"),
        ("values.schema.json: http://[", "values.schema.json: http://["),
        ("http://[", "http://["),
        ("other.json?a", "other.json?a"),
    ],
)
def test_what_may_be_secret_in_a_url_is_not_shown(url: str, text: str) -> None:
    assert shown(url) == text


def test_a_release_keeps_one_file_each() -> None:
    long = "https://a.example/" + "x" * 300 + "/Schema one.json"
    documents = SchemaDocuments({FAR: True, long: {"type": "object"}, f"{FAR}?v=1": {"type": "array"}})
    files = documents.files()
    assert SchemaDocuments.of_files(files).by_url == documents.by_url
    assert len(files) == 3
    assert all(path.startswith("schemas/") and len(path) < 140 and " " not in path for path in files)


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"{}",
        b'{"apiVersion": "airstore/v1", "kind": "ValuesSchema", "url": "file:///etc/passwd", "schema": {}}',
        b'{"apiVersion": "airstore/v1", "kind": "ValuesSchema", "url": "https://a.example/#b", "schema": {}}',
        b'{"apiVersion": "airstore/v1", "kind": "ValuesSchema", "url": "https://a.example/", "schema": []}',
    ],
)
def test_another_file_is_none(data: bytes) -> None:
    with pytest.raises(DamagedError, match=r"schemas/a\.json"):
        SchemaDocuments.of_files({"schemas/a.json": data})


def test_two_files_of_one_url_are_damage() -> None:
    (data,) = SchemaDocuments({FAR: {}}).files().values()
    with pytest.raises(DamagedError, match="another file is of"):
        SchemaDocuments.of_files({"schemas/a.json": data, "schemas/b.json": data})


@given(
    st.binary(max_size=80)
    | st.sampled_from([b'{"$ref": "v2.json"}', b'{"$id": "http://[", "$ref": "a"}', b"true"])
)
def test_whatever_is_answered_is_told_or_kept(answer: bytes) -> None:
    collected = found({FAR: answer})
    assert bool(collected.faults) != bool(collected.documents.by_url)
