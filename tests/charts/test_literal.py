"""Charts that render to what was kept, with the real Helm 3 and 4."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airstore.charts.helm.command import Helm
from airstore.charts.packages.archive import read_chart
from airstore.charts.packages.literal import literal_chart, recorded_chart
from airstore.charts.packages.tarball import write_tarball
from airstore.core.parsing import yamlfile
from tests.charts.chart_parts import packed

REFUSES = '{{ fail "PASSWORDS ERROR: say the present ones when upgrading" }}'
KEPT = """---
# Source: shop/templates/a.yaml
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {password: "kQ9x{{ not an action }}", rule: '{{"{{"}} $x }} {{- /* c */ -}}'}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: alerts}
data:
  rules: |
    summary: {{ $labels.instance }} is down
    `backquoted` and \\n
"""


def template(helm: Path, chart: bytes, directory: Path, *values: Path) -> str:
    path = directory / "chart.tgz"
    path.write_bytes(chart)
    return Helm(helm).template(path, "shop", "shop", values, upgrade=True)


def bodies(text: str) -> list[object]:
    found = yamlfile.load_manifests(text, "rendered")
    return sorted((each for each in found if each), key=str)


def test_what_was_kept_is_rendered_whatever_the_templates_would_say(helm: Path, tmp_path: Path) -> None:
    chart = read_chart(packed("shop", template=REFUSES))
    assert bodies(template(helm, literal_chart(chart, KEPT), tmp_path)) == bodies(KEPT)


def test_templates_of_subcharts_are_left_out_packed_or_not(helm: Path, tmp_path: Path) -> None:
    needs = "dependencies: [{name: inner, version: 1.0.0}, {name: outer, version: 1.0.0}]\n"
    files = {
        "Chart.yaml": f"apiVersion: v2\nname: shop\nversion: 1.0.0\n{needs}",
        "templates/a.yaml": REFUSES,
        "templates/_helpers.tpl": '{{ define "broken" }',
        "files/templates/kept.txt": "not a template",
        "values.schema.json": '{"required": ["never"]}',
        "charts/outer/Chart.yaml": "apiVersion: v2\nname: outer\nversion: 1.0.0\n",
        "charts/outer/templates/b.yaml": REFUSES,
        "charts/outer/values.schema.json": '{"required": ["never"]}',
    }
    chart = write_tarball(
        "shop",
        {path: text.encode() for path, text in files.items()}
        | {"charts/inner-1.0.0.tgz": packed("inner", template=REFUSES)},
    )
    made = literal_chart(read_chart(chart), KEPT)
    assert bodies(template(helm, made, tmp_path)) == bodies(KEPT)
    assert read_chart(made).files["files/templates/kept.txt"] == b"not a template"


def test_a_record_alone_makes_a_chart(helm: Path, tmp_path: Path) -> None:
    metadata = {
        "apiVersion": "v2",
        "name": "shop",
        "version": "2.0.0",
        "dependencies": [{"name": "gone", "version": "1"}],
    }
    made = recorded_chart(metadata, {"a": {"b": 1}}, KEPT)
    assert bodies(template(helm, made, tmp_path)) == bodies(KEPT)
    chart = read_chart(made)
    assert (chart.name, chart.version, chart.yaml("values.yaml")) == ("shop", "2.0.0", {"a": {"b": 1}})


@pytest.mark.parametrize(
    "text", ["{{", "}}", "{{{{", "{{-", "-}}", "{{/*", '{{ "{{" }}', "{{`{{`}}", "a{", "$"]
)
def test_nothing_in_a_value_is_taken_for_an_action(text: str, helm4: Path, tmp_path: Path) -> None:
    document = yamlfile.dump({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"v": text}})
    made = literal_chart(read_chart(packed("shop")), document)
    assert bodies(template(helm4, made, tmp_path)) == bodies(document)


@settings(max_examples=15)
@given(st.lists(st.text(alphabet="{}-/*`\"'$.| ab\\\n", max_size=12), min_size=20, max_size=20))
def test_many_values_at_once(helm4: Path, tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    values = {f"v{index}": text for index, text in enumerate(texts)}
    document = yamlfile.dump({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": values})
    made = literal_chart(read_chart(packed("shop")), document)
    assert bodies(template(helm4, made, tmp_path_factory.mktemp("literal"))) == bodies(document)
