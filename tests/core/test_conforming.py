"""The quick yes beside `jsonschema`'s own answer: it never says yes where that finds a fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airstore.core.model.release import Release
from airstore.core.parsing.conforming import conforms
from airstore.core.parsing.faults import STRICT, find_faults
from airstore.core.parsing.schemas import load_schema
from tests.core.test_release import releases

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([0.0, 1.0, 2.5, "", "a", "ab", "a\n"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
COUNTS = st.integers(0, 3)
PATTERNS = st.sampled_from(["^a$", "b", "^[a-c]*$"])
REFS = st.sampled_from(["#/$defs/a", "#/$defs/none", "#"])


def _keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A few keywords, those that are not known to us among them."""
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
            "title": st.just("t"),
            "const": VALUES,
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "pattern": PATTERNS,
            **dict.fromkeys(("minimum", "maximum"), st.integers(-1, 2)),
            **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), COUNTS),
            **dict.fromkeys(("minProperties", "maxProperties"), COUNTS),
            **dict.fromkeys(("items", "additionalProperties", "propertyNames", "if", "then", "else"), inner),
            **dict.fromkeys(("not", "contains"), inner),
            "uniqueItems": st.booleans(),
            "required": st.lists(NAMES, max_size=2, unique=True),
            **dict.fromkeys(("properties", "patternProperties"), st.dictionaries(NAMES, inner, max_size=2)),
            "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2), max_size=2),
            **dict.fromkeys(("anyOf", "oneOf", "allOf"), st.lists(inner, min_size=1, max_size=2)),
            "multipleOf": st.just(2),
        },
    )


PARTS = st.recursive(
    st.booleans()
    | st.fixed_dictionaries({"type": TYPES})
    | st.fixed_dictionaries({"required": st.lists(NAMES, max_size=2, unique=True)})
    | st.just({"$ref": "#/$defs/a"}),
    _keywords,
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(_keywords(PARTS), st.fixed_dictionaries({"type": TYPES}), VALUES)
def test_what_it_says_yes_to_is_without_fault(
    schema: dict[str, Any], shared: dict[str, Any], value: Any
) -> None:
    whole = {**schema, "$defs": {"a": shared}}
    if conforms(value, whole):
        assert STRICT(whole).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, True),
        ({"type": "integer"}, 1.0),
        ({"const": 1}, True),
        ({"enum": [0]}, False),
        ({"pattern": "^a$"}, "a\n"),
        ({"uniqueItems": True}, ["a", "a"]),
        ({"$ref": "#/$defs/missing"}, "a"),
        ({"maximum": 1}, 1.5),
        ({"if": {"required": ["a"]}, "else": {"maxProperties": 1}}, {"b": 1, "c": 1}),
        ({"if": {"required": ["a"]}, "then": {"maxProperties": 1}}, {"a": 1, "c": 1}),
        ({"if": {"type": "string"}, "then": False}, "a"),
        ({"not": {}}, 1),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"b": 1}),
        ({"properties": {"a": {"type": "string"}}}, {"a": 1}),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}),
        ({"items": {"type": "string"}}, ["a", 1]),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1),
        ({"minItems": 1}, []),
        ({"maxLength": 1}, "ab"),
        ({"minProperties": 1}, {}),
    ],
)
def test_a_fault_is_never_a_yes(schema: dict[str, Any], value: Any) -> None:
    assert not conforms(value, schema)


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(releases)
def test_a_release_is_said_yes_to_and_to_no_change_of_it_that_is_refused(release: Release) -> None:
    document = json.loads(release.to_bytes())
    assert conforms(document, load_schema("release"))
    for changed in islice(_changes(document), 200):
        if conforms(changed, load_schema("release")):
            assert find_faults(changed, "release") == []


def _changes(document: Any) -> Iterator[Any]:
    """The document with one of its values replaced, for each value and a few others."""
    others: tuple[Any, ...] = (None, 1, 1.0, True, "x\n", [], {})
    for path in _paths(document)[1:]:
        for other in others:
            yield _with(document, path, other)


def _paths(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [at, *(path for key, each in members for path in _paths(each, (*at, key)))]


def _with(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    node = copy
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return copy
