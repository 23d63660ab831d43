from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import UsageError
from airstore.core.limits import LIMITS
from airstore.core.parsing import yamlfile

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_documents_survive(document: Any) -> None:
    assert yamlfile.load(yamlfile.dump(document), "it") == document


def test_the_order_of_keys_is_kept() -> None:
    assert yamlfile.dump({"b": 1, "a": ["é"]}) == "b: 1\na:\n- é\n"


@given(
    st.binary(max_size=60)
    | st.text(max_size=60)
    | st.text(st.sampled_from("&*!<>|%@:,-?[]{}#\"'\\ \n\ta1=~."), max_size=30)
    | st.builds(
        "!!{} {}".format, st.sampled_from(["int", "float", "bool", "timestamp", "binary", "set"]), values
    )
)
def test_any_text_is_read_or_refused_by_name(data: bytes | str) -> None:
    for load in (yamlfile.load_all, yamlfile.load_manifests):
        try:
            load(data, "values.yaml")
        except UsageError as fault:
            assert str(fault).startswith("values.yaml")  # noqa: PT017 - nothing at all may also be right


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: duplicate key 'a'"),
        ("x:\n  - {a: 1, a: 1}\n", "f.yaml:2: duplicate key 'a'"),
        ("a: 1\n---\nb: 1\nb: 2\n", "f.yaml:4: duplicate key 'b'"),
        ("a: [1, 2\nb: 3\n", "f.yaml:2: did not find expected"),
        ("a:\n\t- b\n", "f.yaml:2: found character that cannot start any token"),
        ("a: *nothing\n", "f.yaml:1: found undefined alias"),
        ("a: 1\n? [x]\n: 2\n", "f.yaml:2: a key must be a plain value"),
        ("a: !!python/object/apply:os.system [true]\n", "f.yaml:1: could not determine a constructor"),
        ("a: !!timestamp soon\n", "f.yaml: a value does not fit its tag"),
        ("a: !!bool maybe\n", "f.yaml: a value does not fit its tag"),
        ("a: !!int ''\n", "f.yaml: a value does not fit its tag"),
        ("a: 2024-13-45\n", "f.yaml: month must be in 1..12"),
    ],
)
def test_faults_name_file_and_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as fault:
        yamlfile.load_all(text, "f.yaml")
    assert str(fault.value).startswith(message)


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(UsageError, match=r"f\.yaml"):
        yamlfile.load(b"a: \xff\xff", "f.yaml")


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


def test_an_alias_bomb_is_refused_before_it_is_built() -> None:
    assert yamlfile.load(bomb(3), "f.yaml")["a2"][9][9][9] == "x"
    for load in (yamlfile.load, yamlfile.load_manifests):
        with pytest.raises(UsageError, match=r"f\.yaml: more than 1000000 YAML nodes"):
            load(bomb(9), "f.yaml")


def test_a_merge_bomb_is_refused() -> None:
    lines = ["a0: &a0 {k0: x, l0: x}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 9)]
    with pytest.raises(UsageError, match="YAML nodes"):
        yamlfile.load("\n".join(lines), "f.yaml")


def test_a_document_inside_itself_is_refused() -> None:
    with pytest.raises(UsageError, match=r"f\.yaml"):
        yamlfile.load("&a [*a]", "f.yaml")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nesting_is_bounded(opening: str) -> None:
    with pytest.raises(UsageError, match=r"f\.yaml.*"):
        yamlfile.load(opening * 1_000_000, "f.yaml")


def test_size_is_bounded() -> None:
    with pytest.raises(UsageError, match="at most"):
        yamlfile.load("#" * (LIMITS.yaml_document + 1), "f.yaml")


def test_merge_keys_and_anchors_work() -> None:
    assert yamlfile.load("a: &a {x: 1}\nb: {<<: *a, y: 2}\n", "f.yaml")["b"] == {"x": 1, "y": 2}


def test_streams_of_documents() -> None:
    assert yamlfile.load_all("a: 1\n---\n---\nb: 2\n", "f.yaml") == [{"a": 1}, None, {"b": 2}]
    assert yamlfile.load_all("", "f.yaml") == []
    assert yamlfile.load("", "f.yaml") is None
    with pytest.raises(UsageError, match=r"f\.yaml: one YAML document is expected, there are 2"):
        yamlfile.load("a: 1\n---\nb: 2\n", "f.yaml")


def test_manifests_are_read_as_kubernetes_reads_them() -> None:
    text = "a: 1\na: 2\ndate: 2024-01-31\nequals: =\n1: x\nn: [~, true, 0.5]\n"
    assert yamlfile.load_manifests(text, "f.yaml") == [
        {"a": 2, "date": "2024-01-31", "equals": "=", "1": "x", "n": [None, True, 0.5]}
    ]


TREE = b"""a: 1
list:
  - x: 1
    y: 2
  -
    z:
      deep: {er: 1}
"text": no
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ([], 1),
        (["a"], 1),
        (["list"], 2),
        (["list", 0], 3),
        (["list", 0, "y"], 4),
        (["list", 1, "z", "deep", "er"], 7),
        (["text"], 8),
        (["list", 7, "y"], 2),  # not there: the deepest parent that is
        (["list", 0, "nothing"], 3),
        (["a", "b"], 1),
    ],
)
def test_lines_of_values(path: list[str | int], line: int) -> None:
    assert yamlfile.line_of(TREE, path) == line
    assert yamlfile.line_of(TREE.decode(), path) == line


def test_lines_of_nothing() -> None:
    assert yamlfile.line_of(b"", ["a"]) == 1


def test_a_hundred_levels_are_enough_for_anyone() -> None:
    levels = LIMITS.yaml_depth
    assert yamlfile.load("[" * (levels - 1) + "x" + "]" * (levels - 1), "f.yaml")
    with pytest.raises(UsageError, match=f"nested deeper than {levels} levels"):
        yamlfile.load("[" * levels + "x" + "]" * levels, "f.yaml")
