"""Schemas that refer to the network or the disk: nothing is fetched, and the chart can be shipped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.charts.helm.command import Helm
from airstore.charts.packages.tarball import write_tarball
from airstore.charts.rendering.render import RenderTarget, render
from airstore.charts.schemas.references import foreign_references
from airstore.core.errors import UsageError
from airstore.process.confinement import network_taken_by
from tests.charts.schemas.served import CHART_YAML, DRAFT_4, FAR, FILES, Served, online, packed, serving


@pytest.fixture
def elsewhere() -> Iterator[Served]:
    with serving() as server:
        server.put({"/v1.json": {"$defs": {"number": {"type": "number"}}}})
        yield server


def test_helm_alone_would_fetch_it_and_airstore_does_not(
    helm: Path, tmp_path: Path, elsewhere: Served
) -> None:
    place, asked = f"{elsewhere.host}/v1.json", elsewhere.asked
    archive = packed({"properties": {"a": {"$ref": f"{place}#/$defs/number"}}})
    found = render(Helm(helm), "shop", archive, RenderTarget("shop"))
    assert [each.kind for each in found.documents] == ["ConfigMap"]
    assert asked == []
    (tmp_path / "c.tgz").write_bytes(archive)
    with pytest.raises(UsageError):
        Helm(helm).template(tmp_path / "c.tgz", "shop", "default")
    assert bool(asked) == (not network_taken_by())  # what needs no network has none, where it can be taken
    assert not online(helm, archive, {"a": "text"}, tmp_path)
    assert asked  # so this is what both guards are for


def test_a_schema_of_the_charts_own_is_still_held_against_the_values(helm: Path) -> None:
    schema = {"properties": {"a": {"$ref": "#/$defs/number"}}, "$defs": {"number": {"type": "number"}}}
    with pytest.raises(UsageError, match="values don't meet the specifications"):
        render(Helm(helm), "shop", packed(schema), RenderTarget("shop"))


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"$ref": "#/definitions/a", "definitions": {"a": {}}}, ()),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, ()),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema"}, ()),
        ({"$id": FAR, "$ref": f"{FAR}#/$defs/a"}, ()),
        ({"$id": FAR, "properties": {"a": {"$ref": "#/$defs/a"}}}, ()),
        ({"$id": FAR, "$defs": {"b": {"$id": "b.json"}}, "$ref": "b.json"}, ()),
        ({"properties": {"$ref": {"type": "string"}}}, ()),
        ({"properties": {"default": {"$ref": FAR}}}, (FAR,)),  # a property, and no default
        ({"$defs": {"enum": {"$ref": FAR}}}, (FAR,)),
        ({"default": {"a": {"$ref": FAR}}, "$ref": "#/default/a"}, (FAR,)),
        ({"default": {"a": {"$ref": FAR}}, "$ref": "#/%64efault/a"}, (FAR,)),
        ({"$schema": DRAFT_4, "id": FAR, "$ref": "a.json"}, ("https://schemas.example/a.json",)),
        ({"$schema": DRAFT_4, "id": FAR, "properties": {"a": {"$ref": f"{FAR}#/b"}}}, ()),
        ({"$schema": "http://json-schema.org/draft-05/schema#"}, ("http://json-schema.org/draft-05/schema",)),
        ({"$ref": "https://json-schema.org/learn/a.json"}, ("https://json-schema.org/learn/a.json",)),
        ({"default": {"$ref": FAR}, "enum": [{"$ref": FAR}], "const": {"$ref": FAR}}, ()),
        ({"$ref": FAR}, (FAR,)),
        ({"$ref": f"{FAR}#/$defs/a"}, (FAR,)),
        ({"allOf": [{"properties": {"a": {"$ref": FAR}}}]}, (FAR,)),
        ({"$ref": "other.json"}, ("other.json",)),
        ({"$ref": "/etc/passwd"}, ("/etc/passwd",)),
        ({"$ref": "file:///etc/passwd"}, ("file:///etc/passwd",)),
        ({"$id": FAR, "$ref": "other.json"}, ("https://schemas.example/other.json",)),
        ({"$schema": "https://schemas.example/dialect"}, ("https://schemas.example/dialect",)),
        ({"$dynamicRef": FAR}, (FAR,)),
        ({"$ref": "http://[#a"}, ("http://[",)),
        ({"$id": "http://[", "$ref": "a.json"}, ("values.schema.json: a.json",)),
        (b'{"$ref": "#/a", "$ref": "https://schemas.example/v1.json"}', (FAR,)),  # the last one counts
        (b"{nope", ()),
        (b"[]", ()),
    ],
)
def test_what_counts_as_elsewhere(schema: object, found: tuple[str, ...]) -> None:
    assert foreign_references(packed(schema)) == found


def test_subcharts_count_packed_or_not() -> None:
    inner = write_tarball(
        "q", {"Chart.yaml": CHART_YAML, "values.schema.json": b'{"$ref": "https://a.example/"}'}
    )
    unpacked = {
        "charts/w/Chart.yaml": CHART_YAML,
        "charts/w/values.schema.json": b'{"$ref": "https://b.example/"}',
    }
    archive = write_tarball("shop", {**FILES, "charts/q.tgz": inner, **unpacked})
    assert foreign_references(archive) == ("https://a.example/", "https://b.example/")


def test_depth_is_no_way_around(tmp_path: Path) -> None:
    deep = b'{"a":' * 100_000 + b'{"$ref": "https://schemas.example/v1.json"}' + b"}" * 100_000
    assert foreign_references(packed(deep))


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8) | st.sampled_from(["#", FAR, "x.json", "http://["]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["$ref", "$id", "$defs", "a", "$schema"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_schema_is_looked_through(schema: object) -> None:
    found = foreign_references(packed(schema))
    assert all(found)
    assert not found or "$ref" in json.dumps(schema) or "$schema" in json.dumps(schema)
