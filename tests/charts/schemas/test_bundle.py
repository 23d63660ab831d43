"""Schemas from elsewhere are read within the chart's: Helm says of values what it says with a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.charts.helm.command import Helm
from airstore.charts.packages.archive import read_chart
from airstore.charts.packages.tarball import write_tarball
from airstore.charts.rendering.render import RenderTarget, render
from airstore.charts.schemas.bundle import bundle, embedded, needed
from airstore.charts.schemas.checkable import checkable
from airstore.charts.schemas.collect import collect
from airstore.charts.schemas.documents import NONE, SchemaDocuments
from airstore.charts.schemas.references import outside, schemas_of
from airstore.core.errors import UsageError
from airstore.core.limits import LIMITS
from airstore.ops.registry.access import RegistryOptions
from tests.charts.schemas.served import (
    CHART_YAML,
    DRAFT_4,
    DRAFT_7,
    DRAFT_2020,
    FAR,
    FILES,
    Served,
    online,
    packed,
    serving,
)

NUMBER = {"type": "number"}
OF_A = {"properties": {"a": {"$ref": "@/v1.json"}}}

# What a chart's schema says, what is elsewhere, and what `a` may be and may not.
SHAPES: dict[str, tuple[Any, dict[str, Any], Any, Any]] = {
    "a whole document": (OF_A, {"/v1.json": NUMBER}, 1, "x"),
    "the chart's schema is nothing but the reference": (
        {"$ref": "@/v1.json"},
        {"/v1.json": {"properties": {"a": NUMBER}}},
        1,
        "x",
    ),
    "a part of one": (
        {"properties": {"a": {"$ref": "@/v1.json#/definitions/n~1m/items"}}},
        {"/v1.json": {"definitions": {"n/m": {"items": NUMBER}}}},
        1,
        "x",
    ),
    "documents that refer to each other, relatively, in a circle": (
        OF_A,
        {
            "/v1.json": {"anyOf": [NUMBER, {"$ref": "more/v2.json#/$defs/list"}]},
            "/more/v2.json": {"$defs": {"list": {"type": "array", "items": {"$ref": "../v1.json"}}}},
        },
        [1, [2]],
        [1, ["x"]],
    ),
    "a document that calls itself otherwise": (
        OF_A,
        {
            "/v1.json": {
                "$id": "@/other/name.json",
                "allOf": [{"$ref": "beside.json"}, {"$ref": "name.json#/n"}],
                "n": {"minimum": 3},
            },
            "/other/beside.json": NUMBER,
        },
        3,
        2,
    ),
    "a document of draft-07 that is a reference, with definitions beside it": (
        OF_A,
        {
            "/v1.json": {
                "$schema": DRAFT_7,
                "$ref": "#/definitions/n",
                "definitions": {"n": NUMBER},
                "title": "A",
            }
        },
        1,
        "x",
    ),
    "a chart of draft-07, and a document that says nothing of itself": (
        {"$schema": DRAFT_7, **OF_A},
        {"/v1.json": {"definitions": {"n": NUMBER}, "anyOf": [{"$ref": "#/definitions/n"}]}},
        1,
        "x",
    ),
    "a chart of 2020-12, and a document of draft-07": (
        {"$schema": DRAFT_2020, **OF_A},
        {"/v1.json": {"$schema": DRAFT_7, "type": "array", "items": [NUMBER]}},
        [1],
        ["x"],
    ),
    "both of draft-04": (
        {"$schema": DRAFT_4, **OF_A},
        {
            "/v1.json": {
                "$schema": DRAFT_4,
                "id": "@/v1.json",
                "type": "number",
                "minimum": 1,
                "exclusiveMinimum": True,
            }
        },
        2,
        1,
    ),
    "schemas under names of their own": (
        {"properties": {"a": {"$ref": "@/v1.json#/labels"}}},
        {"/v1.json": {"labels": {"additionalProperties": {"$ref": "#/label"}}, "label": {"type": "string"}}},
        {"b": "c"},
        {"b": 1},
    ),
    "parts that have names": (
        {"properties": {"a": {"$ref": "@/v1.json"}}},
        {
            "/v1.json": {
                "$ref": "inner.json#/n",
                "definitions": {"i": {"$id": "inner.json", "n": {"$ref": "#/m"}, "m": NUMBER}},
            }
        },
        1,
        "x",
    ),
    "nothing is allowed": (OF_A, {"/v1.json": False}, None, 1),
    "the chart has definitions of the same name": (
        {**OF_A, "definitions": {"@/v1.json": {"type": "null"}}},
        {"/v1.json": NUMBER},
        1,
        "x",
    ),
}


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as server:
        yield server


def held(helm: Path, archive: bytes, values: object, documents: SchemaDocuments = NONE) -> bool:
    """Whether a rendering that has nobody to ask takes the values."""
    given = values if isinstance(values, dict) else {}
    try:
        render(Helm(helm), "shop", archive, RenderTarget("shop", schemas=documents), set_values=given)
    except UsageError as fault:
        if "values don't meet the specifications" not in str(fault):
            raise
        return False
    return True


@pytest.mark.parametrize("shape", SHAPES)
def test_values_are_held_as_helm_holds_them_with_a_network(
    helm: Path, tmp_path: Path, served: Served, shape: str
) -> None:
    schema, documents, good, bad = SHAPES[shape]
    served.put(documents)
    archive = packed(served.spell(schema), **{"values.yaml": b""})
    collected = collect([archive], RegistryOptions().documents().fetch)
    assert not collected.faults
    served.asked.clear()
    taken = {} if good is None else {"a": good}
    assert held(helm, archive, taken, collected.documents)
    assert not held(helm, archive, {"a": bad}, collected.documents)
    assert not served.asked
    assert online(helm, archive, taken, tmp_path)
    assert not online(helm, archive, {"a": bad}, tmp_path)
    assert served.asked  # so this is what Helm held them against


def test_subcharts_are_held_packed_or_not(helm: Path, served: Served) -> None:
    served.put({"/v1.json": NUMBER})
    schema = served.spell(OF_A)
    metadata = b"apiVersion: v2\nname: %s\nversion: 1.0.0\n"
    inner = write_tarball("q", {"Chart.yaml": metadata % b"q", "values.schema.json": schema})
    open_one = {"charts/w/Chart.yaml": metadata % b"w", "charts/w/values.schema.json": schema}
    archive = write_tarball("shop", {**FILES, "charts/q.tgz": inner, **open_one})
    documents = collect([archive], RegistryOptions().documents().fetch).documents
    assert held(helm, archive, {"q": {"a": 1}, "w": {"a": 1}}, documents)
    assert not held(helm, archive, {"q": {"a": "x"}}, documents)
    assert not held(helm, archive, {"w": {"a": "x"}}, documents)


def test_what_is_rendered_is_the_chart_but_for_its_schema() -> None:
    archive = packed({"$ref": FAR}, **{"README.md": b"read me"})
    found = checkable(archive, SchemaDocuments({FAR: NUMBER}))
    was, made = read_chart(archive).files, read_chart(found.archive).files
    assert {path for path in made if made[path] != was.get(path)} == {"values.schema.json"}
    assert found.used == {FAR}


@pytest.mark.parametrize(
    ("schema", "documents", "why"),
    [
        ({"$ref": FAR}, {}, "https://schemas.example/v1.json is not in the release"),
        ({"$ref": FAR}, {FAR: {"$ref": "v2.json"}}, "https://schemas.example/v2.json is not in the release"),
        ({"$ref": f"{FAR}#/a/0"}, {FAR: {"a": []}}, "https://schemas.example/v1.json has no /a/0"),
        ({"$ref": f"{FAR}#/a"}, {FAR: {"a": "text"}}, "https://schemas.example/v1.json has no /a"),
        ({"$ref": "/etc/passwd"}, {}, "/etc/passwd is not in the release"),
        ({"$schema": FAR}, {FAR: {}}, "https://schemas.example/v1.json is a language of its own"),
        (
            {"$schema": DRAFT_7, "$ref": FAR},
            {FAR: {"$schema": DRAFT_4}},
            "drafts that Helm 3 does not read together",
        ),
        ({"$ref": FAR, "definitions": []}, {FAR: {}}, "it is no object, or its definitions are none"),
        ([{"$ref": FAR}], {FAR: {}}, "it is no object, or its definitions are none"),
    ],
)
def test_why_values_are_held_against_nothing(helm: Path, schema: object, documents: Any, why: str) -> None:
    archive = packed(schema)
    found = checkable(archive, SchemaDocuments(documents))
    assert any(why in fault for fault in found.faults), found.faults
    assert found.archive == archive
    assert held(helm, archive, {}, SchemaDocuments(documents))  # the chart ships all the same


def test_a_bundle_that_helm_3_would_not_read_is_none() -> None:
    found = checkable(packed({"$ref": FAR}), SchemaDocuments({FAR: {"title": "x" * LIMITS.chart_schema}}))
    assert str(LIMITS.chart_schema) in found.faults[0]


def test_depth_is_told() -> None:
    deep = b'{"a":' * 100_000 + b'{"$ref": "https://schemas.example/v1.json"}' + b"}" * 100_000
    assert "nested too deep" in checkable(packed(deep), NONE).faults[0]


def test_a_chart_without_references_is_rendered_as_it_is() -> None:
    archive = packed({"properties": {"a": {"type": "string"}}})
    assert checkable(archive, SchemaDocuments({FAR: False})).archive == archive


NAMES = st.sampled_from(["$ref", "$id", "$defs", "definitions", "properties", "a", "default"])
TEXTS = st.sampled_from(
    ["#", "#/a", "v2.json", "v2.json#/a", FAR, f"{FAR}#/a", "https://b.example/w.json", "b/"]
)
SCHEMAS = st.recursive(
    TEXTS | st.booleans() | st.integers(0, 3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(NAMES, SCHEMAS, max_size=4)


@given(DOCUMENTS)
def test_an_embedded_document_refers_to_the_same_places(document: dict[str, Any]) -> None:
    url = "https://a.example/dir/v1.json"
    before = {each.place for each in outside(document, url)}
    found = embedded(document, url)
    assert {each.place for each in outside(found, "")} == before
    assert {
        each.place for each in outside(found, "https://elsewhere.example/")
    } == before  # wherever it is put


@given(st.lists(DOCUMENTS, min_size=3, max_size=3))
def test_a_bundle_refers_to_nothing_outside(documents: list[dict[str, Any]]) -> None:
    by_url = dict(
        zip((FAR, "https://schemas.example/v2.json", "https://b.example/w.json"), documents, strict=True)
    )
    schema = {"properties": {"a": {"$ref": FAR}}}
    found, faults = needed(schema, SchemaDocuments(by_url))
    if not faults:
        assert not outside(bundle(schema, found))


def test_whose_schemas_count() -> None:
    inner = write_tarball("q", {"Chart.yaml": CHART_YAML, "values.schema.json": b"1"})
    chart = read_chart(write_tarball("shop", {**FILES, "charts/q.tgz": inner, "values.schema.json": b"2"}))
    assert [json.loads(each) for each in schemas_of(chart)] == [2, 1]
