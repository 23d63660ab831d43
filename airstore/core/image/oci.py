"""Strict reading of OCI and Docker manifests and indexes.

Sources: OCI image-spec 1.1 (manifest.md, image-index.md), Docker image manifest v2 schema 2, and
CVE-2021-41190 for why a document that is both a manifest and an index is refused.
"""

from __future__ import annotations

from typing import Any

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor, annotations_of
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
HELM_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
HELM_PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov"

MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
DOCUMENTS = MANIFESTS | INDEXES
IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})

_CONVERT = (
    "copy the image to a registry or layout of yours with `skopeo copy --format v2s2`, which writes its"
    " manifest anew, and name that under images.sources"
)
_FIELDS = {
    "schemaversion": "schemaVersion",
    "mediatype": "mediaType",
    "artifacttype": "artifactType",
    "config": "config",
    "layers": "layers",
    "manifests": "manifests",
    "subject": "subject",
    "annotations": "annotations",
}


@frozen
class Manifest:
    """A manifest or an index: what it is and what it refers to.

    Attributes:
        media_type: one of `DOCUMENTS`.
        config: the configuration; None for an index.
        layers: layers in order; empty for an index.
        manifests: children of an index; empty for a manifest.
        subject: what this document is attached to, where it is a referrer.
        artifact_type: what a referrer is.
    """

    media_type: str
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None
    artifact_type: str
    annotations: dict[str, str]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers."""
        return ((self.config,) if self.config else ()) + self.layers


def parse(data: bytes, media_type: str, what: str) -> Manifest:
    """Read a manifest or an index that was served or listed as ``media_type``.

    Raises:
        DamagedError: not strict JSON, ambiguous, of another type than stated, or with a bad descriptor.
    """
    document = strictjson.load_object(data, what, LIMITS.manifest)
    _check_spelling(document, what)
    if "manifests" in document and ("layers" in document or "config" in document):
        raise DamagedError(f"{what} is both an index and a manifest")
    if media_type not in DOCUMENTS:
        raise DamagedError(f"{what}: unsupported media type {media_type!r}")
    stated = document.get("mediaType", media_type)
    if stated != media_type:
        # Tools list Docker's documents as OCI's and the other way round: what it says itself counts.
        families = (MANIFESTS, INDEXES) if isinstance(stated, str) else ()
        if not any({stated, media_type} <= family for family in families):
            raise DamagedError(f"{what} says it is {stated!r} but was given as {media_type!r}")
        media_type = stated
    if document.get("schemaVersion") != 2:
        gone = (
            "Docker's first format is gone from containerd, too: "
            if document.get("schemaVersion") == 1
            else ""
        )
        raise DamagedError(f"{what}: schemaVersion must be 2", hint=gone + _CONVERT)
    index = media_type in INDEXES
    if index != ("manifests" in document):
        raise DamagedError(f"{what} has not the fields of {media_type!r}")
    return Manifest(
        media_type=media_type,
        config=None if index else Descriptor.parse(document.get("config"), what),
        layers=_descriptors(document, "layers", what),
        manifests=_descriptors(document, "manifests", what),
        subject=Descriptor.parse(document["subject"], what) if document.get("subject") else None,
        artifact_type=str(document.get("artifactType") or ""),
        annotations=annotations_of(document, what),
    )


def media_type_of(data: bytes, what: str, otherwise: str = "") -> str:
    """The media type of a document: what it says; else ``otherwise``; else what its fields tell.

    Raises:
        DamagedError: it names none and its fields do not tell.
    """
    document = strictjson.load_object(data, what, LIMITS.manifest)
    stated = document.get("mediaType")
    if isinstance(stated, str):
        return stated
    return otherwise or (OCI_INDEX if "manifests" in document else OCI_MANIFEST)


def _check_spelling(document: dict[str, Any], what: str) -> None:
    """Go's decoder takes ``Layers`` for ``layers``: registries and runtimes would see another document."""
    for key in document:
        if _FIELDS.get(key.casefold(), key) != key:
            raise DamagedError(f"{what} has the ambiguous field {key!r}", hint=_CONVERT)


def _descriptors(document: dict[str, Any], key: str, what: str) -> tuple[Descriptor, ...]:
    entries = document.get(key)
    if entries is None:  # Go writes null for an empty list
        return ()
    if not isinstance(entries, list):
        raise DamagedError(f"{what}: {key} must be an array")
    return tuple(Descriptor.parse(entry, what) for entry in entries)
