"""The bakery fixture as a product of a test: in a namespace of its own, and in versions that differ."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from airstore.core.parsing import yamlfile
from scripts.images import fixture_crd, fixture_images

ROOT = Path(__file__).parents[3]
HELM_RELEASES = ("database", "cache", "app", "panel")
_IMAGES = "registry.example.com/bakery/"

Values = Mapping[str, str]  # top-level key of a chart's values.yaml to what it says in this version
APP: Mapping[str, Values] = {"app": {}}
EVERY: Mapping[str, Values] = {name: {} for name in HELM_RELEASES}


def write(
    product: Path,
    namespace: str,
    version: str,
    changes: Mapping[str, Values],
    registry: Path | None = None,
) -> Path:
    """Write the product; returns its file.

    Args:
        namespace: of every Helm release, and name of the product; its registry is for ``NAMESPACE-registry``.
        version: of the charts that ``changes`` names; the others are the fixture's.
        registry: program that the registry's image gets.
    """
    shutil.rmtree(product, ignore_errors=True)
    shutil.copytree(ROOT / "fixtures" / "bakery", product)
    fixture_crd.write(product / fixture_crd.PLACE)
    for chart, values in changes.items():
        _change(product / "charts" / chart, version, values)
    listed = fixture_images.read_list(product / "images.txt")
    images = {each: each for each in listed} | {f"{_IMAGES}registry:2.8": _registry(namespace)}
    if "app" in changes:
        images |= {f"{_IMAGES}app:1.0.0": f"{_IMAGES}app:{version}"}
    fixture_images.build(product / "build" / "images", images.values(), registry=registry)
    path = product / "airstore.yaml"
    document = yamlfile.load(path.read_bytes(), path.name)
    document["name"] = namespace
    document["registry"] |= {"image": _registry(namespace), "namespace": f"{namespace}-registry"}
    for release in document["releases"]:
        release["namespace"] = namespace
    path.write_text(yamlfile.dump(document))
    return path


def _registry(namespace: str) -> str:
    """Another one for each product: the kubelet remembers what it has pulled with which password."""
    return f"{_IMAGES}registry:{namespace}"


def _change(chart: Path, version: str, values: Values) -> None:
    described = chart / "Chart.yaml"
    text = re.sub(r"(?m)^version: .*", f"version: {version}", described.read_text())
    if chart.name == "app":
        text = re.sub(r"(?m)^appVersion: .*", f'appVersion: "{version}"', text)
    described.write_text(text)
    given = chart / "values.yaml"
    for key, value in values.items():
        text, count = re.subn(rf"(?m)^{key}: .*", f"{key}: {value}", given.read_text())
        assert count == 1, key
        given.write_text(text)
