"""Charts of charts: aliases, conditions, tags, imported values, a library, one registry for all."""

from __future__ import annotations

from pathlib import Path

from airstore.charts.helm.command import Helm
from airstore.charts.images.discover import discover
from airstore.charts.images.finding import wanted
from airstore.charts.packages.archive import read_chart
from airstore.charts.packages.package import package_directory
from airstore.charts.rendering.render import RenderTarget, render
from tests.charts.chart_parts import write_chart

POD = """\
---
kind: Pod
metadata: {name: "%s"}
spec: {containers: [{name: c, image: "%s"}]}
"""
REGISTRY = "{{ .Values.global.imageRegistry | default .Values.image.registry }}"
LEAF_VALUES = """\
image: {registry: quay.io, repository: a/leaf, tag: "1"}
exports: {data: {imported: quay.io/a/imported:3}}
"""
MID = """\
dependencies:
- {name: leaf, version: ">=1", repository: "file://../leaf", alias: deep, condition: deep.enabled}
"""
TOP = """\
dependencies:
- {name: leaf, version: 1.0.0, repository: "file://../leaf", import-values: [data]}
- {name: leaf, version: 1.0.0, repository: "file://../leaf", alias: second}
- {name: mid, version: 1.x, repository: "file://../mid"}
- {name: lib, version: 1.0.0, repository: "file://../lib"}
- {name: tagged, version: 1.0.0, repository: "file://../tagged", tags: [extras]}
"""
TOP_VALUES = """\
global: {imageRegistry: ""}
second: {image: {repository: b/second, tag: "2"}}
tags: {extras: false}
"""
OWN = {"quay.io/a/leaf:1", "quay.io/b/second:2", "quay.io/a/mid:1", "ghcr.io/x/lib:2", "quay.io/a/imported:3"}


def landscape(directory: Path) -> Path:
    image = f"{REGISTRY}/{{{{ .Values.image.repository }}}}:{{{{ .Values.image.tag }}}}"
    write_chart(directory / "leaf", "leaf", values=LEAF_VALUES, template=POD % ("{{ .Chart.Name }}", image))
    mid = POD % ("mid", "quay.io/a/mid:1")
    values = "deep: {enabled: false, image: {repository: a/deep}}\n"
    write_chart(directory / "mid", "mid", chart=MID, values=values, template=mid)
    lib = write_chart(directory / "lib", "lib", chart="type: library\n", values="{}\n")
    (lib / "templates" / "a.yaml").unlink()
    (lib / "templates" / "_a.tpl").write_text('{{- define "lib.image" -}}ghcr.io/x/lib:2{{- end -}}')
    tagged = POD % ("tagged", "quay.io/a/tagged:{{ .Chart.AppVersion }}")
    write_chart(directory / "tagged", "tagged", chart="appVersion: '9.9'\n", values="{}\n", template=tagged)
    top = POD % ("top", '{{ include "lib.image" . }}') + POD % ("imported", "{{ .Values.imported }}")
    return write_chart(directory / "top", "top", chart=TOP, values=TOP_VALUES, template=top)


def test_what_helm_renders_is_found_and_nothing_else(helm: Path, tmp_path: Path) -> None:
    archive = package_directory(Helm(helm), landscape(tmp_path))

    def images(**values: object) -> set[str]:
        target = RenderTarget("r", "default")
        rendered = render(Helm(helm), "top", archive, target, set_values=values, variant="v")
        return {str(image) for image in wanted(discover([rendered], [read_chart(archive)]))}

    assert images(none=1) == OWN
    both = {"quay.io/a/deep:1", "quay.io/a/tagged:9.9"}
    assert images(tags={"extras": True}, mid={"deep": {"enabled": True}}) == OWN | both
    mirrored = {
        name.replace("quay.io", "m.example:5000") for name in ("quay.io/a/leaf:1", "quay.io/b/second:2")
    }
    fixed = OWN - {"quay.io/a/leaf:1", "quay.io/b/second:2"}
    assert images(**{"global": {"imageRegistry": "m.example:5000"}}) == fixed | mirrored
