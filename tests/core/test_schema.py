from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from airstore.core.errors import DamagedError, UsageError
from airstore.core.parsing import schema, yamlfile

NAMES = ["product", "site", "release"]

PRODUCT = b"""\
apiVersion: airstore/v1
kind: Product
name: shop
charts:
  - {name: db, source: ./charts/db}
releases:
  - name: db
    namespace: shop
    chart: db
"""


def faults(text: bytes, kind: str = "product") -> list[str]:
    try:
        schema.check_yaml(yamlfile.load(text, "airstore.yaml"), text, kind, "airstore.yaml")
    except UsageError as fault:
        return str(fault).split("\n")
    return []


def test_the_example_is_valid() -> None:
    assert faults(PRODUCT) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: shop", "nmae: shop", "3: nmae: unknown field; did you mean 'name'?"),
        ("name: shop\n", "", "1: 'name' must be given"),
        ("name: shop", "name: Shop", "3: name: 'Shop' is not a name of lower-case letters, digits and '-'"),
        ("name: shop", 'name: "shop\\n"', "3: name: 'shop\\n' is not a name"),
        ("name: shop", "name: 7", "3: name: 7 is not text here; put it in quotes"),
        ("name: shop", "name: no", "3: name: False is not text here; put it in quotes"),
        (
            "name: shop",
            "name: 2024-01-31",
            "3: name: datetime.date(2024, 1, 31) is not text here; put it in q",
        ),
        ("name: shop", "name: [a]", "3: name: ['a'] is not of type 'string'"),
        ("name: shop", "name:", "3: name: nothing is given; string is expected"),
        ("kind: Product", "kind: Site", "2: kind: 'Product' was expected"),
        ("v1", "v2", "1: apiVersion: 'airstore/v1' was expected"),
        (
            "chart: db",
            "chart: db\n    timeout: 10 minutes",
            "10: releases[0].timeout: '10 minutes' is not a dura",
        ),
        (
            "chart: db",
            "chart: db\n    values: [/etc/passwd]",
            "10: releases[0].values[0]: '/etc/passwd' is not a",
        ),
        (
            "chart: db",
            "chart: db\n    values: [a/../../b]",
            "10: releases[0].values[0]: 'a/../../b' is not a rel",
        ),
        (
            "chart: db",
            "chart: db\n    bind: {a.b: host}",
            "10: releases[0].bind.a.b: 'host' is not a site varia",
        ),
        ("chart: db", "chart: db\n    hooks: {before: x}", "10: releases[0].hooks.before: unknown field"),
        (
            "chart: db",
            "chart: db\n    hooks: {preupgrade: x}",
            "10: releases[0].hooks.preupgrade: unknown field; did",
        ),
        (
            "chart: db",
            "chart: db\n    health:\n      - {}",
            "11: releases[0].health[0]: exactly one of deployment",
        ),
        (
            "chart: db",
            "chart: db\n    health: [{job: a, http: b}]",
            "10: releases[0].health[0]: exactly one of",
        ),
        (
            "chart: db",
            "chart: db\n    health: [{http: /healthz}]",
            "10: releases[0].health[0].http: '/healthz' is",
        ),
        (
            "source: ./charts/db",
            "source: ./charts/db, version: 1.10",
            "5: charts[0].version: 1.1 is not text here",
        ),
        ("charts:\n", "1: x\ncharts:\n", "4: 1: unknown field"),
        ("charts:\n", "on: x\ncharts:\n", "1: True: unknown field"),
        (
            "charts:\n",
            "registry: {replicas: 1.0}\ncharts:\n",
            "4: registry.replicas: 1.0 is not of type 'integer'",
        ),
        (
            "charts:\n",
            "registry: {replicas: 0}\ncharts:\n",
            "4: registry.replicas: 0 is less than the minimum of 1",
        ),
        (
            "charts:\n",
            "platforms: [linux]\ncharts:\n",
            "4: platforms[0]: 'linux' is not a platform such as linux/",
        ),
        (
            "charts:\n",
            "images: {sources: {a: b}}\ncharts:\n",
            "4: images.sources.a: 'b' is not a place: oci:DIR",
        ),
    ],
)
def test_a_fault_names_file_line_and_field(old: str, new: str, message: str) -> None:
    text = PRODUCT.decode().replace(old, new, 1)
    assert text != PRODUCT.decode()
    found = faults(text.encode())
    assert any(fault.startswith(f"airstore.yaml:{message}") for fault in found), found


def test_all_faults_are_named_at_once() -> None:
    found = faults(PRODUCT.replace(b"name: shop", b"name: S\nx: 1\ny: 2"))
    assert [fault.split(": ")[1] for fault in found] == ["x", "y", "name"]


def test_an_empty_file_says_so() -> None:
    assert faults(b"") == ["airstore.yaml:1: nothing is given; object is expected"]


def test_a_thousand_faults_are_cut_short() -> None:
    text = PRODUCT.replace(b"charts:\n", b"charts:\n" + b"  - {}\n" * 1000)
    assert len(faults(text)) == 20


def test_long_values_are_cut_short() -> None:
    found = faults(PRODUCT.replace(b"name: shop", b"name: " + b"S" * 10_000))
    assert found
    assert max(map(len, found)) < 300


def test_documents_of_programs_are_damaged_instead() -> None:
    with pytest.raises(DamagedError, match=r"^release\.json: 'apiVersion', 'kind', .* must be given$"):
        schema.check_json({}, "release", "release.json")


@pytest.mark.parametrize("depth", [50, 95])
def test_deep_values_are_no_trouble(depth: int) -> None:
    text = f"apiVersion: airstore/v1\nkind: Site\nvars: {{a: {'[' * depth}1{']' * depth}}}\n".encode()
    assert faults(text, "site") == []


def objects(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from objects(value, f"{path}/{key}")


@pytest.mark.parametrize("name", [*NAMES, "output/backup-list", "registry-access"])
def test_the_schemas_are_valid_and_closed(name: str) -> None:
    document = schema.load_schema(name)
    jsonschema.Draft202012Validator.check_schema(document)
    for path, node in objects(document):
        if node.get("type") == "object" and "properties" in node:
            assert node["additionalProperties"] is False, path
            assert set(node.get("required", ())) <= set(node["properties"]), path


@pytest.mark.parametrize("name", [*NAMES, "output/backup-list", "registry-access"])
def test_every_field_is_described(name: str) -> None:
    for path, node in objects(schema.load_schema(name)):
        for key, entry in node.get("properties", {}).items() if "type" in node else ():
            target = (
                schema.load_schema(name)["$defs"][entry["$ref"].split("/")[-1]] if "$ref" in entry else {}
            )
            assert entry.get("description") or target.get("description"), f"{path}/{key}"


@pytest.mark.parametrize("name", NAMES)
def test_every_definition_is_used(name: str) -> None:
    document = schema.load_schema(name)
    used = {node["$ref"] for _, node in objects(document) if "$ref" in node}
    assert used == {f"#/$defs/{definition}" for definition in document["$defs"]}


def test_shared_definitions_are_the_same_everywhere() -> None:
    seen: dict[str, Any] = {}
    for name in NAMES:
        for key, definition in schema.load_schema(name)["$defs"].items():
            assert seen.setdefault(key, definition) == definition, f"{key} of {name}"


VERSIONS = ["1", "1.0.0", "v2", "1.0.0-rc.1+build.5", "2024_10", "a" * 128]
NO_VERSIONS = [
    "",
    ".1",
    "-1",
    "1..2",
    "1.",
    "1.lock",
    "1/2",
    "1 2",
    "1~2",
    "1:2",
    "é",
    "a" * 129,
    "1\n",
    "@",
    "^1",
]


@pytest.mark.parametrize(("text", "valid"), [(t, True) for t in VERSIONS] + [(t, False) for t in NO_VERSIONS])
def test_versions_can_be_git_tags(text: str, valid: bool) -> None:
    try:
        document = {"apiVersion": "airstore/v1", "kind": "Product", "name": "x", "releases": []}
        chart = {"name": "c", "source": "s", "version": text}
        schema.check_json({**document, "charts": [chart]}, "product", "it")
    except DamagedError:
        assert not valid
    else:
        assert valid
