"""A chart whose one template is what it once rendered to: installed again, it gives the same objects.

Rendering a chart a second time is not installing the same thing: random passwords, dates and ``lookup`` give
other values, and some charts refuse to be rendered for an upgrade at all.

The template is a subchart's: Helm's record of a release has no subcharts in it, so that what was rendered is
in there once, as after the first installation, and not twice in the one Secret that has to hold it.
"""

from __future__ import annotations

from collections.abc import Mapping

from airstore.charts.packages.archive import SCHEMA, ChartArchive, read_chart
from airstore.charts.packages.tarball import write_tarball
from airstore.core.parsing import yamlfile

_KEPT = "airstore-kept"


def literal_chart(chart: ChartArchive, rendered: str) -> bytes:
    """The ``.tgz`` of a chart with the same metadata, values and files, which renders to exactly this text.

    Args:
        chart: the chart; its templates and those of its subcharts are left out, and with them its schema:
            these values were accepted once.
        rendered: manifests and hooks, as Helm keeps them.
    """
    files = _without_templates(chart.files)
    return write_tarball(chart.name, {**files, **_subchart(rendered)})


def recorded_chart(metadata: Mapping[str, object], values: Mapping[str, object], rendered: str) -> bytes:
    """The same, from what Helm's record of a release says of a chart that is not at hand.

    Args:
        metadata: of ``Chart.yaml``; dependencies are left out, because the record does not hold them.
        values: the chart's own.
        rendered: manifests and hooks, as Helm keeps them.
    """
    named = {key: value for key, value in metadata.items() if key != "dependencies"}
    files = {"Chart.yaml": yamlfile.dump(named), "values.yaml": yamlfile.dump(dict(values))}
    packed = {path: text.encode() for path, text in files.items()}
    return write_tarball(str(metadata["name"]), {**packed, **_subchart(rendered)})


def _subchart(rendered: str) -> dict[str, bytes]:
    metadata = {"apiVersion": "v2", "name": _KEPT, "version": "1.0.0"}
    return {
        f"charts/{_KEPT}/Chart.yaml": yamlfile.dump(metadata).encode(),
        f"charts/{_KEPT}/templates/kept.yaml": _escaped(rendered).encode(),
    }


def _escaped(text: str) -> str:
    # The only two characters that mean something to Go's text/template outside of an action.
    return text.replace("{{", '{{ "{{" }}')


def _without_templates(files: Mapping[str, bytes]) -> dict[str, bytes]:
    kept = {}
    for path, data in files.items():
        inner = innermost(path)
        if inner.startswith("templates/") or inner == SCHEMA:
            continue
        kept[path] = _packed_without(data) if is_packed(path) else data
    return kept


def _packed_without(archive: bytes) -> bytes:
    chart = read_chart(archive)
    return write_tarball(chart.name, _without_templates(chart.files))


def is_packed(path: str) -> bool:
    """Whether a path within a chart is that of a packed subchart."""
    inner = innermost(path)
    return inner.startswith("charts/") and inner.endswith(".tgz") and inner.count("/") == 1


def innermost(path: str) -> str:
    """A path within the subchart that it belongs to, however deep that is."""
    parts = path.split("/")
    while len(parts) > 2 and parts[0] == "charts":
        parts = parts[2:]
    return "/".join(parts)
