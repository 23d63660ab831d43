"""A packaged chart as the OCI artifact that Helm pushes and pulls.

Source: Helm's pkg/registry (client push): config is ``Chart.yaml`` as JSON, one layer is the archive, one
more the provenance file. Helm also notes the time of the push; here nothing depends on when it is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airstore.charts.archive import ChartArchive, read_chart
from airstore.core import oci
from airstore.core.descriptor import Descriptor
from airstore.core.digest import Digest
from airstore.core.errors import DamagedError

# Fields of Helm's chart.Metadata in its order; Helm leaves out empty ones and all others.
_FIELDS = (
    "name", "home", "sources", "version", "description", "keywords", "maintainers", "icon", "apiVersion",
    "condition", "tags", "appVersion", "deprecated", "annotations", "kubeVersion", "dependencies", "type",
)  # fmt: skip
_DEPENDENCY = (
    "name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias",
)  # fmt: skip
_MAINTAINER = ("name", "email", "url")


@dataclass(frozen=True)
class ChartArtifact:
    """What a registry holds of a chart.

    Attributes:
        root: descriptor of the manifest.
        archive: descriptor of the ``.tgz``.
        contents: every blob, manifest included, by its descriptor.
    """

    root: Descriptor
    archive: Descriptor
    contents: Mapping[Descriptor, bytes] = field(hash=False, repr=False)

    @property
    def manifest(self) -> bytes:
        """The manifest's bytes."""
        return self.contents[self.root]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Every blob, each once, sorted by digest."""
        return tuple(sorted(self.contents, key=lambda blob: blob.digest))


def chart_artifact(archive: bytes, provenance: bytes | None = None) -> ChartArtifact:
    """Make the artifact of a packaged chart; the same archive gives the same digests.

    Raises:
        DamagedError: not a chart archive.
    """
    chart = read_chart(archive)
    contents = {_descriptor(oci.HELM_CONFIG, _config(chart)): _config(chart)}
    layers = {_descriptor(oci.HELM_CHART, archive): archive}
    if provenance is not None:
        layers[_descriptor(oci.HELM_PROVENANCE, provenance)] = provenance
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "config": next(iter(contents)).to_json(),
            "layers": [layer.to_json() for layer in layers],
            "annotations": _annotations(chart.metadata),
        }
    )
    root = _descriptor(oci.OCI_MANIFEST, manifest)
    return ChartArtifact(root, next(iter(layers)), {root: manifest, **contents, **layers})


def upstream_artifact(
    manifest: bytes, config: bytes, archive: bytes, provenance: bytes | None, what: str
) -> ChartArtifact:
    """Keep an artifact exactly as a registry served it.

    Raises:
        DamagedError: it is not a Helm chart, or its parts are not what its manifest says.
    """
    media_type = oci.media_type_of(manifest, what)
    parsed = oci.parse(manifest, media_type, what)
    layers = {layer.media_type: layer for layer in parsed.layers}
    if parsed.config is None or parsed.config.media_type != oci.HELM_CONFIG or oci.HELM_CHART not in layers:
        raise DamagedError(f"{what} is not a Helm chart, its manifest is of another kind")
    given = {parsed.config: config, layers[oci.HELM_CHART]: archive}
    if provenance is not None and oci.HELM_PROVENANCE in layers:
        given[layers[oci.HELM_PROVENANCE]] = provenance
    if set(parsed.blobs) != set(given):
        raise DamagedError(f"{what} has layers that a Helm chart does not have")
    for blob, data in given.items():
        if _descriptor(blob.media_type, data) != blob:
            raise DamagedError(f"{what}: {blob.media_type} is not the {blob.digest} its manifest names")
    root = _descriptor(media_type, manifest)
    return ChartArtifact(root, layers[oci.HELM_CHART], {root: manifest, **given})


def _descriptor(media_type: str, data: bytes) -> Descriptor:
    return Descriptor(media_type, Digest.of(data), len(data))


def _config(chart: ChartArchive) -> bytes:
    metadata = _pick(chart.metadata, _FIELDS)
    for key, fields in (("maintainers", _MAINTAINER), ("dependencies", _DEPENDENCY)):
        if key in metadata:
            metadata[key] = [_entry(entry, fields) for entry in metadata[key] if isinstance(entry, dict)]
    if isinstance(metadata.get("annotations"), dict):
        metadata["annotations"] = dict(sorted(metadata["annotations"].items()))
    return _json(metadata)


def _entry(entry: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    picked = _pick(entry, fields)
    # Helm writes a dependency's repository even where it is empty.
    return (
        {"name": entry.get("name", ""), **_pick(entry, ("version",)), "repository": "", **picked}
        if (fields is _DEPENDENCY)
        else picked
    )


def _pick(source: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {key: source[key] for key in fields if source.get(key)}


def _annotations(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The manifest's annotations as Helm derives them; ``org.opencontainers.image.created`` is left out."""
    own = {k: v for k, v in (metadata.get("annotations") or {}).items() if isinstance(v, str)}
    derived = {
        "org.opencontainers.image.description": metadata.get("description"),
        "org.opencontainers.image.title": metadata.get("name"),
        "org.opencontainers.image.url": metadata.get("home"),
        "org.opencontainers.image.version": metadata.get("version"),
        "org.opencontainers.image.source": next(iter(metadata.get("sources") or ()), None),
        "org.opencontainers.image.authors": ", ".join(
            map(_author, filter(None, metadata.get("maintainers") or ()))
        ),
    }
    kept = {key: own[key] for key in own if key not in _FIXED}
    return dict(sorted((kept | {key: str(value) for key, value in derived.items() if value}).items()))


_FIXED = {"org.opencontainers.image.version", "org.opencontainers.image.title"}


def _author(maintainer: Mapping[str, Any]) -> str:
    email = maintainer.get("email")
    return f"{maintainer.get('name', '')} ({email})" if email else str(maintainer.get("name", ""))


def _json(document: object) -> bytes:
    """JSON as Go's encoder writes it."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()
