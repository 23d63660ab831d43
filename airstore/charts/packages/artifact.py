"""A packaged chart as the OCI artifact that Helm pushes and pulls.

Source: Helm's pkg/registry (client push): config is ``Chart.yaml`` as JSON, one layer is the archive, one
more the provenance file. Helm also notes the time of the push, which would change the digest each time, and
leaves out the manifest's own media type, which the image-spec recommends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from airstore.charts.packages.archive import ChartArchive, read_chart
from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest

# Fields of Helm's chart.Metadata in its order; Helm leaves out empty ones and all others.
_FIELDS = (
    "name", "home", "sources", "version", "description", "keywords", "maintainers", "icon", "apiVersion",
    "condition", "tags", "appVersion", "deprecated", "annotations", "kubeVersion", "dependencies", "type",
)  # fmt: skip
_DEPENDENCY = (
    "name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias",
)  # fmt: skip
_NO_MORE: Mapping[Descriptor, bytes] = {}
_MAINTAINER = ("name", "email", "url")


@frozen
class ChartArtifact:
    """What a registry holds of a chart.

    Attributes:
        root: descriptor of the manifest.
        archive: descriptor of the ``.tgz``.
        contents: every blob by its descriptor, the manifest last, as a registry takes them.
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
    config = _config(chart)
    packed, settings = _descriptor(oci.HELM_CHART, archive), _descriptor(oci.HELM_CONFIG, config)
    layers = {packed: archive}
    if provenance is not None:
        layers[_descriptor(oci.HELM_PROVENANCE, provenance)] = provenance
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "config": settings.to_json(),
            "layers": [layer.to_json() for layer in sorted(layers, key=lambda layer: layer.digest)],
            "annotations": _annotations(chart.metadata),
        }
    )
    root = _descriptor(oci.OCI_MANIFEST, manifest)
    return ChartArtifact(root, packed, {settings: config, **layers, root: manifest})


def upstream_artifact(
    manifest: bytes,
    config: bytes,
    archive: bytes,
    provenance: bytes | None,
    what: str,
    more: Mapping[Descriptor, bytes] = _NO_MORE,
) -> ChartArtifact:
    """Keep an artifact exactly as a registry served it; ``more`` are layers that Helm passes over.

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
    given |= {blob: data for blob, data in more.items() if blob in parsed.layers}
    if set(parsed.blobs) != set(given):
        raise DamagedError(f"{what} has layers that a Helm chart does not have")
    for blob, data in given.items():
        if _descriptor(blob.media_type, data) != blob:
            raise DamagedError(f"{what}: {blob.media_type} is not the {blob.digest} its manifest names")
    root = _descriptor(media_type, manifest)
    return ChartArtifact(root, layers[oci.HELM_CHART], {**given, root: manifest})


def _descriptor(media_type: str, data: bytes) -> Descriptor:
    return Descriptor(media_type, Digest.of(data), len(data))


def _config(chart: ChartArchive) -> bytes:
    metadata = _pick(chart.metadata, _FIELDS)
    if isinstance(metadata.get("maintainers"), list):
        metadata["maintainers"] = [
            _pick(m, _MAINTAINER) for m in metadata["maintainers"] if isinstance(m, dict)
        ]
    if isinstance(metadata.get("dependencies"), list):
        metadata["dependencies"] = [_dependency(d) for d in metadata["dependencies"] if isinstance(d, dict)]
    if isinstance(metadata.get("annotations"), dict):
        metadata["annotations"] = dict(sorted(metadata["annotations"].items()))
    return _json(metadata)


def _dependency(entry: Mapping[str, Any]) -> dict[str, Any]:
    # Helm writes a dependency's name and repository even where they are empty.
    order = {"name": "", **({"version": ""} if entry.get("version") else {}), "repository": ""}
    return order | _pick(entry, _DEPENDENCY)


def _pick(source: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    return {key: source[key] for key in fields if source.get(key)}


def _annotations(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The manifest's annotations as Helm derives them; ``org.opencontainers.image.created`` is left out."""
    stated = metadata.get("annotations")
    own = {k: v for k, v in stated.items() if isinstance(v, str)} if isinstance(stated, dict) else {}
    derived = {
        "org.opencontainers.image.description": metadata.get("description"),
        "org.opencontainers.image.title": metadata.get("name"),
        "org.opencontainers.image.url": metadata.get("home"),
        "org.opencontainers.image.version": metadata.get("version"),
        "org.opencontainers.image.source": next(iter(_list(metadata, "sources")), None),
        "org.opencontainers.image.authors": ", ".join(
            _author(entry) for entry in _list(metadata, "maintainers") if isinstance(entry, dict)
        ),
    }
    kept = {key: own[key] for key in own if key not in _FIXED}
    return dict(sorted((kept | {key: str(value) for key, value in derived.items() if value}).items()))


def _list(metadata: Mapping[str, Any], key: str) -> list[Any]:
    value = metadata.get(key)
    return value if isinstance(value, list) else []


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
