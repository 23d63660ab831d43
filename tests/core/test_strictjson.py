import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@given(values)
def test_documents_survive(document: Any) -> None:
    data = strictjson.dumps(document)
    assert strictjson.loads(data, "it") == document
    assert strictjson.dumps(strictjson.loads(data, "it")) == data


@given(values)
def test_documents_of_other_writers_are_read(document: Any) -> None:
    assert strictjson.loads(json.dumps(document).encode(), "it") == document


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(document: dict[str, int]) -> None:
    backwards = dict(reversed(document.items()))
    assert strictjson.dumps(backwards) == strictjson.dumps(document)


def test_one_item_a_line() -> None:
    assert strictjson.dumps({"b": [1, 2], "a": "é"}).decode() == '{\n "a": "é",\n "b": [\n  1,\n  2\n ]\n}\n'


@given(st.binary(max_size=60) | st.text(st.sampled_from('[]{}",:0eE.+-\\u d8f')).map(str.encode))
def test_any_bytes_are_read_and_can_be_written_again_or_are_refused(data: bytes) -> None:
    try:
        document = strictjson.loads(data, "it")
    except DamagedError:
        return
    assert strictjson.loads(strictjson.dumps(document), "it") == document


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', "duplicate key 'a'"),
        (b'{"x": {"a": 1, "a": 1}}', "duplicate key 'a'"),
        (b'{"a": 1, "\\u0061": 1}', "duplicate key 'a'"),
        (b"NaN", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "1e999 is too large"),
        (b'"\\ud800"', "surrogates not allowed"),
        (b'{"\\udfff": 1}', "surrogates not allowed"),
        (b'"\xff"', "utf-8"),
        (b'\xef\xbb\xbf{"a": 1}', "BOM"),
        (b"{} {}", "Extra data"),
        (b"", "Expecting value"),
        (b"{'a': 1}", "property name"),
        (b'"a\nb"', "control character"),
        (b"[" + b"9" * 5000 + b"]", "digits"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"a":' * 200_000, "nested too deep"),
    ],
)
def test_what_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DamagedError, match=f"(?is)release.json is not valid JSON: .*{message}"):
        strictjson.loads(data, "release.json")


def test_pairs_of_surrogates_are_one_character() -> None:
    assert strictjson.loads(b'"\\ud83d\\ude00"', "it") == "😀"


@pytest.mark.parametrize("container", [b"[]", b'{"":}'])
def test_depth_is_bounded(container: bytes) -> None:
    begin, end = container[:-1], container[-1:]
    deepest = begin * (LIMITS.json_depth - 1) + b"1" + end * (LIMITS.json_depth - 1)
    strictjson.loads(deepest, "it")
    with pytest.raises(DamagedError, match="nested deeper than 64 levels"):
        strictjson.loads(begin + deepest + end, "it")


def test_size_is_bounded() -> None:
    assert strictjson.loads(b"[1]", "it", limit=3) == [1]
    with pytest.raises(DamagedError, match="it is 4 bytes; at most 3 are accepted"):
        strictjson.loads(b"[1] ", "it", limit=3)


@pytest.mark.parametrize("data", [b"[]", b"null", b'"x"', b"1"])
def test_only_objects_where_an_object_is_asked_for(data: bytes) -> None:
    with pytest.raises(DamagedError, match="it must be a JSON object"):
        strictjson.load_object(data, "it")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_nothing_unreadable_is_written(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        strictjson.dumps({"a": number})
