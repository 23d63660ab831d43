"""JSONPath in kubectl's dialect, against kubectl's own answers, and paths made of any document."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import UsageError
from airstore.core.parsing.jsonpath import JsonPath, as_text

DOCUMENT: dict[str, Any] = {
    "metadata": {"name": "a", "labels": {"app.kubernetes.io/name": "shop"}},
    "spec": {"n'": 1, "replicas": 3, "paused": False, "items": [{"v": 1}, {"v": 2, "w": [5]}]},
    "status": {
        "phase": "Ready",
        "conditions": [
            {"type": "Progressing", "status": "True", "n": 1},
            {"type": "Ready", "status": "False", "n": 2, "on": True},
        ],
    },
}


PATHS: list[tuple[str, list[Any]]] = [
    ("{.status.phase}", ["Ready"]),
    (".status.phase", ["Ready"]),
    ("$.status.phase", ["Ready"]),
    ("{$.status.phase}", ["Ready"]),
    ('{.status.conditions[?(@.type=="Ready")].status}', ["False"]),
    ("{.status.conditions[?(@.type=='Ready')].status}", ["False"]),
    ('{.status.conditions[?( @.type != "Ready" )].status}', ["True"]),
    ("{.status.conditions[?(@.n>1)].type}", ["Ready"]),
    ("{.status.conditions[?(@.n<=1)].type}", ["Progressing"]),
    ("{.status.conditions[?(@.on==true)].type}", ["Ready"]),
    ("{.status.conditions[?(@.on)].type}", ["Ready"]),
    ("{.status.conditions[0].type}", ["Progressing"]),
    ("{.status.conditions[-1].type}", ["Ready"]),
    ("{.status.conditions[7].type}", []),
    ("{.status.conditions[*].status}", ["True", "False"]),
    (r"{.metadata.labels.app\.kubernetes\.io/name}", ["shop"]),
    ("{.metadata.labels['app.kubernetes.io/name']}", ["shop"]),
    (r"{.spec['n\'']}", [1]),
    ("{..v}", [1, 2]),
    ("{.spec.items[*].w[0]}", [5]),
    ("{.spec.nothing.there}", []),
    ("{.spec.replicas}", [3]),
    ("{.metadata.*}", ["a", DOCUMENT["metadata"]["labels"]]),
]


@pytest.mark.parametrize(("path", "found"), PATHS)
def test_paths(path: str, found: list[Any]) -> None:
    assert JsonPath.parse(path).find(DOCUMENT) == found


# kubectl prints what is not in braces, reads dots and quotes in brackets otherwise, has no order for ``*``,
# and ends with an error where a list is too short.
_OTHERWISE = {"{.metadata.labels['app.kubernetes.io/name']}", r"{.spec['n\'']}", "{.metadata.*}"}
_OTHERWISE.add("{.status.conditions[7].type}")
KUBECTL_READS = [path for path, _ in PATHS if path.startswith("{") and path not in _OTHERWISE]


@pytest.mark.parametrize("path", KUBECTL_READS)
def test_kubectl_finds_the_same(path: str, kubectl: Path, tmp_path: Path) -> None:
    document = tmp_path / "document.json"
    document.write_text(json.dumps({"apiVersion": "example.com/v1", "kind": "Shelf", **DOCUMENT}))
    command = [str(kubectl), "annotate", "--local", f"-f={document}", "a-", "-o", f"jsonpath={path}"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert " ".join(map(as_text, JsonPath.parse(path).find(DOCUMENT))) == said


@pytest.mark.parametrize(
    "path",
    [
        "", "{}", "phase", "{.a", "{.a}}", "{.a[0:2]}", "{.a[0,1]}", "{.a['b','c']}", "{range .a}{.b}{end}",
        '{.a[?(@.b=="c"]}', "{.a[?(@.b==c)]}", "{.a..}", "{.a b}", "{.a}{.b}", "{.a['b]}", "{@.a}",
        "x" * 2000,
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(path: str) -> None:
    with pytest.raises(UsageError):
        JsonPath.parse(path)


_keys = st.text([chr(code) for code in range(32, 127)], min_size=1, max_size=4)
_documents = st.recursive(
    st.integers() | st.booleans() | st.none() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3) | st.dictionaries(_keys, inner, min_size=1, max_size=3)
    ),
    max_leaves=10,
)


@given(_documents, st.data())
def test_every_place_of_a_document_is_found_by_its_path(document: Any, data: st.DataObject) -> None:
    text, value = "", document
    while isinstance(value, dict | list) and data.draw(st.booleans()):
        if isinstance(value, list):
            index = data.draw(st.integers(0, len(value) - 1))
            text, value = f"{text}[{index}]", value[index]
        else:
            key = data.draw(st.sampled_from(sorted(value)))
            quoted = key.replace("\\", "\\\\").replace("'", "\\'")
            text, value = f"{text}['{quoted}']", value[key]
    assert JsonPath.parse(f"{{{text or '.'}}}").find(document) == [value]


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        JsonPath.parse(text).find(DOCUMENT)
    except UsageError:
        return


def test_values_are_compared_in_words() -> None:
    assert [as_text(each) for each in (True, False, 3, "3", None)] == ["true", "false", "3", "3", ""]
    assert json.loads("1") == 1
