"""Images that a chart itself lists: annotations, lock files, and values that nothing rendered used.

Sources: HIP-15 (``helm.sh/images``), Artifact Hub (``artifacthub.io/images``), Distribution Tooling for Helm
(``images`` and ``Images.lock``), imgpkg (``.imgpkg/images.yml``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from airstore.charts.images.candidate import named
from airstore.charts.images.documents import find_images
from airstore.charts.images.finding import Confidence, Hit
from airstore.charts.packages.archive import ChartArchive
from airstore.charts.rendering.render import merge
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.parsing import yamlfile

_ANNOTATIONS = ("helm.sh/images", "artifacthub.io/images", "images")
_LOCKS = ("Images.lock", "images.lock", ".imgpkg/images.yml")


@frozen
class PlacedChart:
    """A chart or subchart with the values it sees.

    Attributes:
        path: where it stands, such as ``shop/charts/cache``.
        enabled: whether these values make Helm render it.
    """

    chart: ChartArchive
    path: str
    values: Mapping[str, Any]
    enabled: bool


def place(chart: ChartArchive, given: Mapping[str, Any]) -> Iterator[PlacedChart]:
    """A chart and every chart in it, under the values a user gives.

    Raises:
        UsageError: a ``values.yaml`` is not YAML.
    """
    yield from _place(chart, chart.name, given, enabled=True)


def listed_images(placed: PlacedChart) -> Iterator[tuple[str, Hit]]:
    """What annotations and lock files list, with the file that does.

    An entry is certain unless the chart, or the entry's own condition, is off.

    Raises:
        UsageError: a list is not YAML.
    """
    annotations = placed.chart.metadata.get("annotations")
    for key in _ANNOTATIONS:
        text = annotations.get(key) if isinstance(annotations, dict) else None
        if isinstance(text, str):
            entries = _parse(text, f"{placed.path}/Chart.yaml: {key}")
            for hit in _entries(entries, placed, ("annotations", key)):
                yield "Chart.yaml", hit
    for path in _LOCKS:
        document = placed.chart.yaml(path)
        entries = document.get("images") if isinstance(document, dict) else None
        for hit in _entries(entries, placed, ("images",)):
            yield path, hit


def default_images(placed: PlacedChart) -> Iterator[Hit]:
    """Images that a chart's values name though perhaps no template used them; never more than possible."""
    shared = placed.values.get("global")
    registry = shared.get("imageRegistry") if isinstance(shared, dict) else None
    version = str(placed.chart.metadata.get("appVersion") or "")
    completed = _complete(placed.values, registry if isinstance(registry, str) else "", version)
    for hit in find_images(completed):
        yield replace(hit, confidence="possible")


def _place(
    chart: ChartArchive, path: str, given: Mapping[str, Any], *, enabled: bool
) -> Iterator[PlacedChart]:
    own = chart.yaml("values.yaml")
    values = merge(own if isinstance(own, dict) else {}, given)
    yield PlacedChart(chart, path, values, enabled)
    for inner in chart.subcharts:
        declared = [entry for entry in chart.dependencies if entry.get("name") == inner.name] or [{}]
        for entry in declared:
            name = str(entry.get("alias") or inner.name)
            theirs = values.get(name)
            passed = dict(theirs) if isinstance(theirs, dict) else {}
            if isinstance(values.get("global"), dict):
                passed["global"] = merge(passed.get("global") or {}, values["global"])
            on = enabled and _is_enabled(entry, values)
            yield from _place(inner, f"{path}/charts/{name}", passed, enabled=on)


def _is_enabled(dependency: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Helm's rule: the first condition that is set decides, then tags, else it is on."""
    for path in str(dependency.get("condition") or "").split(","):
        found = _lookup(values, path.strip())
        if isinstance(found, bool):
            return found
    tags = values.get("tags")
    named_tags = dependency.get("tags")
    known = tags if isinstance(tags, dict) else {}
    said = [known[tag] for tag in (named_tags if isinstance(named_tags, list) else []) if tag in known]
    return not said or any(said)


def _entries(entries: Any, placed: PlacedChart, path: tuple[str, ...]) -> Iterator[Hit]:
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        text = entry.get("image") if isinstance(entry, dict) else entry
        reference = named(text) if isinstance(text, str) else None
        if reference is None:
            continue
        condition = entry.get("condition") if isinstance(entry, dict) else None
        off = isinstance(condition, str) and _lookup(placed.values, condition) is False
        confidence: Confidence = "certain" if placed.enabled and not off else "possible"
        yield Hit(reference, confidence, (*path, index), str(text), "the chart's own list")


def _parse(text: str, name: str) -> Any:
    documents = yamlfile.load_manifests(text, name)
    if len(documents) > 1:
        raise UsageError(f"{name}: one list of images is expected")
    return documents[0] if documents else None


def _lookup(values: Mapping[str, Any], path: str) -> Any:
    node: Any = values
    for part in path.split("."):
        if not isinstance(node, dict):
            return None
        node = node.get(part)
    return node


def _complete(node: Any, registry: str, version: str) -> Any:
    """Fill in what templates fill in by convention: the global registry, the chart's own version as tag."""
    if isinstance(node, list):
        return [_complete(item, registry, version) for item in node]
    if not isinstance(node, dict):
        return node
    filled = {key: _complete(value, registry, version) for key, value in node.items()}
    if isinstance(filled.get("repository"), str):
        if registry:
            filled["registry"] = registry
        if "tag" in filled and not filled["tag"] and not filled.get("digest"):
            filled["tag"] = version
    return filled
