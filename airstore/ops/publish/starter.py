"""A commented product file to start from: of a chart, a list of images, or another tool's file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airstore.charts.packages.archive import read_chart
from airstore.core import yamlfile
from airstore.core.durable import write_file
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.limits import LIMITS
from airstore.core.reference import Reference
from airstore.core.schema import check_yaml, load_schema

_NO_PART = ("manifests", "files", "repos", "dataInjections", "actions")  # of a product file
_OCI = re.compile(r"(?P<source>oci://[^:]+(?::\d+)?/[^:]+):(?P<version>[^:/]+)")


@dataclass(frozen=True)
class StarterChart:
    """One chart, and the Helm release that installs it.

    Attributes:
        values: values files.
        doubt: why a person has to complete the entry; empty where nobody has.
    """

    name: str
    source: str
    version: str = ""
    namespace: str = ""
    values: tuple[str, ...] = ()
    doubt: str = ""


@dataclass(frozen=True)
class Starter:
    """What is known of a product.

    Attributes:
        notes: what was there and has no place in a product file.
    """

    name: str
    charts: tuple[StarterChart, ...] = ()
    images: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def text(self, schema: str) -> str:
        """The product file.

        Args:
            schema: where editors find its schema.
        """
        return "\n".join([*_head(self.name, schema), *_charts(self.charts), *_images(self), ""])


SCHEMA_FILE = "product.schema.json"
"""What editors check a product file against, beside it."""


def write(starter: Starter, product: Path, schema: Path) -> None:
    """Write the product file, and its schema for editors beside it.

    Raises:
        UsageError: what is known makes no valid product file; nothing is written.
        StorageError: the disk is full or failed.
    """
    text = starter.text(f"./{schema.name}").encode()
    check_yaml(yamlfile.load(text, str(product)), text, "product", str(product))
    write_file(schema, json.dumps(load_schema("product"), indent=2).encode() + b"\n", mode=0o644)
    write_file(product, text, mode=0o644)


def from_chart(place: str, beside: Path) -> Starter:
    """Start from one chart: a directory, a ``.tgz``, or ``oci://host/path/name:version``.

    Args:
        place: the chart.
        beside: the product file's directory, which paths in it are relative to.

    Raises:
        NotFoundError, DamagedError: there is no chart.
        UsageError: an ``oci://`` chart without a version, or a chart outside of ``beside``.
    """
    if place.startswith("oci://"):
        found = _OCI.fullmatch(place)
        if not found:
            raise UsageError(f"{place} names no version", hint="write oci://HOST/PATH/NAME:VERSION")
        name = found["source"].rpartition("/")[2]
        chart = StarterChart(name, found["source"], found["version"])
    else:
        path = Path(place)
        metadata = _metadata(path)
        chart = StarterChart(str(metadata["name"]), _relative(path, beside), str(metadata["version"]))
    return Starter(_label(chart.name), (chart,))


def from_file(path: Path) -> Starter:
    """Start from a list of images (one a line, ``#`` begins a comment), a ``zarf.yaml`` or a Hauler manifest.

    Raises:
        NotFoundError: no such file.
        UsageError: it is none of these.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise NotFoundError(f"cannot read {path}: {fault}") from fault
    documents = _documents(text, path)
    kinds = {str(document.get("kind")) for document in documents}
    if "ZarfPackageConfig" in kinds:
        return _of_zarf(documents[0])
    if kinds & {"Images", "Charts", "Files"}:
        return _of_hauler(documents, _label(path.resolve().parent.name))
    if documents:
        raise UsageError(
            f"{path} is no list of images, no zarf.yaml and no Hauler manifest",
            hint="write one image a line",
        )
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    images = tuple(_image(line, path) for line in lines if line)
    return Starter(_label(path.resolve().parent.name), (), images)


def _documents(text: str, path: Path) -> list[Mapping[str, Any]]:
    """The YAML documents of a file; none where it is no YAML of mappings, as a list of images is not."""
    try:
        documents = yamlfile.load_texts(text, str(path))
    except UsageError:
        return []
    return [document for document in documents if isinstance(document, dict)]


def _of_zarf(package: Mapping[str, Any]) -> Starter:
    metadata = package.get("metadata") or {}
    charts: list[StarterChart] = []
    images: dict[str, None] = {}
    notes: list[str] = []
    for component in package.get("components") or ():
        charts += [_zarf_chart(entry) for entry in component.get("charts") or ()]
        images |= dict.fromkeys(map(str, component.get("images") or ()))
        left = ", ".join(key for key in _NO_PART if component.get(key))
        if left:
            notes.append(f"component {component.get('name')} also has {left}: no part of a product file")
    if package.get("variables") or package.get("constants"):
        notes.append("variables and constants: bind chart values to site variables instead (bind)")
    return Starter(_label(str(metadata.get("name") or "product")), tuple(charts), tuple(images), tuple(notes))


def _zarf_chart(entry: Mapping[str, Any]) -> StarterChart:
    url, local = str(entry.get("url") or ""), str(entry.get("localPath") or "")
    name = str(entry.get("repoName") or entry.get("name"))
    doubt = "airstore takes no chart from git: put the chart beside this file" if ".git" in url else ""
    usable = url.startswith(("oci://", "https://", "http://")) and not doubt
    source = url if usable else local or f"./charts/{name}"
    files = tuple(map(str, entry.get("valuesFiles") or ()))
    version = str(entry.get("version") or "")
    return StarterChart(name, source, version, str(entry.get("namespace") or ""), files, doubt)


def _of_hauler(documents: Sequence[Mapping[str, Any]], name: str) -> Starter:
    charts: list[StarterChart] = []
    images: dict[str, None] = {}
    notes: list[str] = []
    for document in documents:
        spec = document.get("spec") or {}
        images |= dict.fromkeys(str(entry.get("name")) for entry in spec.get("images") or ())
        for entry in spec.get("charts") or ():
            url, chart = str(entry.get("repoURL") or ""), str(entry.get("name"))
            source = f"{url.rstrip('/')}/{chart}" if url.startswith("oci://") else url or f"./charts/{chart}"
            charts.append(StarterChart(chart, source, str(entry.get("version") or "")))
        if spec.get("files"):
            notes.append("files: no part of a product file")
    return Starter(name, tuple(charts), tuple(images), tuple(notes))


def _head(name: str, schema: str) -> Iterator[str]:
    yield f"# yaml-language-server: $schema={schema}"
    yield "# What the product ships and how it is installed; docs/guide-publisher.md explains every field."
    yield "apiVersion: airstore/v1"
    yield "kind: Product"
    yield f"name: {name}    # the trust root is about this name: it cannot change later"
    yield "platforms: [linux/amd64]    # leave out for every platform that images offer"
    yield '# kubeVersions: ["1.31"]    # what sites run; charts are rendered for each'
    yield ""


def _charts(charts: Sequence[StarterChart]) -> Iterator[str]:
    yield "charts:" if charts else "charts: []    # - {name: web, source: ./charts/web}"
    for chart in charts:
        version = f", version: {_scalar(chart.version)}" if chart.version else ""
        doubt = f"    # {chart.doubt}" if chart.doubt else ""
        yield f"  - {{name: {_scalar(chart.name)}, source: {_scalar(chart.source)}{version}}}{doubt}"
    yield "releases:    # in the order they are installed" if charts else "releases: []"
    for chart in charts:
        values = f", values: [{', '.join(map(_scalar, chart.values))}]" if chart.values else ""
        name = _label(chart.name)
        where = f"namespace: {_label(chart.namespace or name)}"
        yield f"  - {{name: {name}, {where}, chart: {_scalar(chart.name)}{values}}}"
    yield "#   bind: {ingress.host: site.hostname}    # values that only a site knows"
    yield "#   hooks: {preUpgrade: hooks/backup.sh, rollback: hooks/restore.sh}"
    yield ""


def _images(starter: Starter) -> Iterator[str]:
    yield "images:"
    yield "  include:    # what discovery cannot find in the charts" if starter.images else "  include: []"
    for image in starter.images:
        yield f"    - {_scalar(image)}"
    yield "  exclude: []    # false hits; `airstore images find` lists all"
    yield '  sources: {}    # where images are, such as {"registry.example.com/*": "oci:./images"}'
    for note in starter.notes:
        yield f"# {note}"


def _metadata(path: Path) -> Mapping[str, Any]:
    if not path.is_dir():
        return read_chart(path).metadata
    file = path / "Chart.yaml"
    try:
        content = file.read_bytes()[: LIMITS.chart_file]
    except OSError as fault:
        raise NotFoundError(f"{path} is not a chart: cannot read {file}: {fault.strerror}") from fault
    document = yamlfile.load(content, str(file))
    if not isinstance(document, dict) or not document.get("name") or not document.get("version"):
        raise UsageError(f"{file} must have a name and a version")
    return document


def _relative(path: Path, beside: Path) -> str:
    resolved, base = path.resolve(), beside.resolve()
    if not resolved.is_relative_to(base):
        raise UsageError(
            f"{path} is outside {base}, where the product file would be",
            hint="put the chart beside the product file, or name another --product",
        )
    return f"./{resolved.relative_to(base).as_posix()}"


def _image(text: str, path: Path) -> str:
    try:
        Reference.parse(text)
    except UsageError as fault:
        raise UsageError(f"{path}: {fault}") from fault
    return text


def _label(text: str) -> str:
    """A name that Kubernetes takes, made of any."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:53].strip("-") or "product"


def _scalar(text: str) -> str:
    """A string in a flow mapping; JSON's quotes where it is more than a plain word, a number or a truth."""
    plain = re.fullmatch(r"[A-Za-z./][\w./-]*", text) and yamlfile.load(text, "value") == text
    return text if plain else json.dumps(text)
