"""Rendering a packaged chart for one Helm release under one choice of values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from airstore.charts.helm.command import Helm
from airstore.charts.schemas.checkable import checkable
from airstore.charts.schemas.documents import NONE, SchemaDocuments
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.core.leftovers import scratch_directory
from airstore.core.parsing import yamlfile

_MANIFEST = re.compile(r"^---\n# Source: (.*)\n", re.MULTILINE)


@frozen
class Document:
    """One rendered object.

    Attributes:
        source: the template it comes from, such as ``shop/templates/api.yaml``.
        body: the parsed document; its text where it is beyond this reader, though Helm takes it.
    """

    source: str
    body: Any = field(hash=False, repr=False)

    @property
    def kind(self) -> str:
        """Its ``kind``, or an empty string."""
        return str(self.body.get("kind") or "") if isinstance(self.body, dict) else ""

    @property
    def name(self) -> str:
        """Its ``metadata.name``, or an empty string."""
        metadata = self.body.get("metadata") if isinstance(self.body, dict) else None
        return str(metadata.get("name") or "") if isinstance(metadata, dict) else ""

    @property
    def is_test(self) -> bool:
        """Whether only ``helm test`` makes it."""
        metadata = self.body.get("metadata") if isinstance(self.body, dict) else None
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        hook = str(annotations.get("helm.sh/hook") or "") if isinstance(annotations, dict) else ""
        events = {event.strip() for event in hook.split(",")} - {""}
        return bool(events) and events <= {"test", "test-success", "test-failure"}


@frozen
class RenderTarget:
    """What a chart is rendered for.

    Attributes:
        name: of the Helm release.
        namespace: of the Helm release.
        kube_version: what the chart is told to run on; Helm's own default where empty.
        upgrade: as for an upgrade instead of a first installation.
        check_values: hold the values against the chart's JSON schema.
        api_versions: what it is told the cluster serves, besides Helm's own defaults.
        schemas: what the release brings along of schemas that the chart's refers to; where one is lacking the
            values are held against none. It is never fetched: what it says tomorrow is in no release.
    """

    name: str
    namespace: str = "default"
    kube_version: str = ""
    upgrade: bool = False
    check_values: bool = True
    api_versions: tuple[str, ...] = ()
    schemas: SchemaDocuments = field(default=NONE, compare=False, repr=False)

    def held(self, archive: bytes) -> tuple[bytes, bool]:
        """The archive to render in a chart's place, and whether Helm may hold the values against its schemas.

        Raises:
            DamagedError: it is no chart.
        """
        if not self.check_values:
            return archive, False
        found = checkable(archive, self.schemas)
        return found.archive, not found.faults


@frozen
class Rendered:
    """A rendered chart.

    Attributes:
        chart: name of the chart.
        target: what it was rendered for.
        variant: the choice of values, for people; empty for the chart's own.
        values: what was given on top of the chart's own values.
    """

    chart: str
    target: RenderTarget
    variant: str
    text: str = field(repr=False)
    documents: tuple[Document, ...] = field(repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)


def render(
    helm: Helm,
    chart: str,
    archive: bytes,
    target: RenderTarget,
    values: Sequence[Path] = (),
    *,
    set_values: Mapping[str, Any] | None = None,
    variant: str = "",
) -> Rendered:
    """Render a packaged chart, custom resource definitions, hooks and tests included.

    Args:
        helm: renders.
        chart: the chart's name, for errors.
        archive: the ``.tgz``.
        target: what it is rendered for.
        values: values files, later ones win.
        set_values: nested values that win over all files; they travel in a private file.
        variant: names the choice of values in errors and findings.

    Raises:
        NotFoundError: a values file does not exist.
        UsageError: the chart does not render, or a values file is not YAML; chart and variant are named.
    """
    what = f"chart {chart}" + (f" with {variant}" if variant else "")
    with scratch_directory("render") as directory:
        packed = Path(directory, "chart.tgz")
        content, check_values = target.held(archive)
        packed.write_bytes(content)
        extra = Path(directory, "set.yaml")
        extra.touch(mode=0o600)
        extra.write_text(yamlfile.dump(dict(set_values or {})), encoding="utf-8")
        files = [*values, *([extra] if set_values else [])]
        merged = _merged(files)  # first: Helm would name its own copy of a file that is not YAML
        text = helm.template(
            packed,
            target.name,
            target.namespace,
            files,
            what=what,
            kube_version=target.kube_version,
            upgrade=target.upgrade,
            check_values=check_values,
            api_versions=target.api_versions,
        )
        return Rendered(chart, target, variant, text, tuple(parse(text, what)), merged)


def parse(text: str, what: str) -> Iterator[Document]:
    """Split what Helm rendered into documents.

    Raises:
        UsageError: a document is larger than the limits.
    """
    parts = _MANIFEST.split(text)
    for source, content in zip(parts[1::2], parts[2::2], strict=True):
        for body in _bodies(content, f"{what}: {source}"):
            if body is not None:
                yield Document(source, body)


def _bodies(content: str, name: str) -> list[Any]:
    try:
        return yamlfile.load_manifests(content, name)
    except UsageError:
        # Go's YAML takes a few things that PyYAML refuses. The text is searched line by line instead: an
        # image too many can be excluded, one too few stops the site.
        return [content]


def _merged(files: Sequence[Path]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for path in files:
        try:
            content = path.read_bytes()
        except OSError as fault:
            raise NotFoundError(f"cannot read the values file {path}: {fault.strerror}") from fault
        document = yamlfile.load(content, str(path))
        if document is not None and not isinstance(document, dict):
            raise UsageError(f"{path}: values must be a mapping")
        values = merge(values, document or {})
    return values


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Values as Helm merges them: mappings key by key, anything else replaced."""
    result = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result
