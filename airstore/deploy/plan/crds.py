"""CustomResourceDefinitions from a chart's ``crds/``: Helm installs them once and never again, so we do.

Only additively: a version that the cluster serves or stores stays, whatever the chart says, because objects
of it may exist; taking it away would lose them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airstore.charts.packages.archive import ChartArchive
from airstore.core.parsing import yamlfile

KIND = "CustomResourceDefinition"


def chart_crds(chart: ChartArchive) -> Iterator[dict[str, Any]]:
    """What is in ``crds/`` of a chart and of its subcharts, the subcharts' first, as Helm does."""
    for subchart in chart.subcharts:
        yield from chart_crds(subchart)
    for path in sorted(chart.files):
        if path.startswith("crds/") and path.endswith((".yaml", ".yml", ".json")):
            documents = yamlfile.load_manifests(chart.files[path], f"chart {chart.name}: {path}")
            yield from (each for each in documents if isinstance(each, dict) and each.get("kind") == KIND)


def additive(wanted: dict[str, Any], live: dict[str, Any] | None) -> dict[str, Any]:
    """The definition to apply: what the chart wants, and every version there is already.

    The storage version changes only to one that the chart has; while the cluster's is one that the chart has
    never heard of (an older chart during a rollback), it stays.
    """
    if live is None:
        return wanted
    versions = _versions(wanted)
    kept = {name: version for name, version in _versions(live).items() if name not in versions}
    merged = {**versions, **kept}
    if stored := next((name for name, version in kept.items() if version.get("storage")), None):
        keep_storage = not _newer_than(wanted, live)
        for name, version in merged.items():
            storage = name == stored if keep_storage else bool(versions.get(name, {}).get("storage"))
            merged[name] = {**version, "storage": storage}
    return {**wanted, "spec": {**wanted["spec"], "versions": list(merged.values())}}


def _newer_than(wanted: dict[str, Any], live: dict[str, Any]) -> bool:
    """Whether the chart brings a version that the cluster has not got yet."""
    return bool(_versions(wanted).keys() - _versions(live).keys())


def _versions(crd: dict[str, Any]) -> dict[str, dict[str, Any]]:
    spec = crd.get("spec") or {}
    return {str(version.get("name")): version for version in spec.get("versions") or ()}
