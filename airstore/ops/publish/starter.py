"""A commented product file to start from: of a chart, a list of images, or another tool's file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from airstore.charts.packages.archive import read_chart
from airstore.charts.packages.metadata import as_helm_reads
from airstore.core.durable import write_file
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS
from airstore.core.parsing import yamlfile
from airstore.core.parsing.schema import check_yaml, load_schema

_OCI = re.compile(r"(?P<source>oci://[^:]+(?::\d+)?/[^:]+):(?P<version>[^:/]+)")


@frozen
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


@frozen
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
    """Write the product file, and its schema for editors beside it, which several product files may share.

    Raises:
        UsageError: what is known makes no valid product file, or something else has the schema's name;
            nothing is written.
        StorageError: the disk is full or failed.
    """
    text = starter.text(f"./{schema.name}").encode()
    check_yaml(yamlfile.load(text, str(product)), text, "product", str(product))
    known = load_schema("product")
    if schema.exists() and f'"$id": "{known["$id"]}"' not in schema.read_text(errors="replace"):
        raise UsageError(f"{schema} exists already, and is not airstore's", hint="give it another name")
    write_file(schema, json.dumps(known, indent=2).encode() + b"\n", mode=0o644)
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
    return Starter(label(chart.name), (chart,))


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
        name = label(chart.name)
        where = f"namespace: {label(chart.namespace or name)}"
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
        content = file.read_bytes()[: LIMITS.yaml_document]
    except OSError as fault:
        raise NotFoundError(f"{path} is not a chart: cannot read {file}: {fault.strerror}") from fault
    document = yamlfile.load(content, str(file))
    if not isinstance(document, dict) or not document.get("name") or not document.get("version"):
        raise UsageError(f"{file} must have a name and a version")
    return as_helm_reads(document)


def _relative(path: Path, beside: Path) -> str:
    resolved, base = path.resolve(), beside.resolve()
    if not resolved.is_relative_to(base):
        raise UsageError(
            f"{path} is outside {base}, where the product file would be",
            hint="put the chart beside the product file, or name another --product",
        )
    return f"./{resolved.relative_to(base).as_posix()}"


def label(text: str) -> str:
    """A name that Kubernetes takes, made of any."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:53].strip("-") or "product"


def _scalar(text: str) -> str:
    """A string in a flow mapping; JSON's quotes where it is more than a plain word, a number or a truth."""
    plain = re.fullmatch(r"[A-Za-z./][\w./-]*", text) and yamlfile.load(text, "value") == text
    return text if plain else json.dumps(text)
