"""The release model: what ``release.json`` says (design, section 7; schemas/release.schema.json)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any

from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor, parse_all
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.core.image.unavailable import Unavailable, parts_from_json, parts_to_json
from airstore.core.model.helm_release import HelmRelease, helm_from_json, helm_to_json
from airstore.core.model.sections import ProductApplier, ProductRegistry
from airstore.core.model.signers import UpstreamSignature, signatures_from_json, signatures_to_json
from airstore.core.parsing import schema, strictjson

__all__ = ["API_VERSION", "Artifact", "Chart", "HelmRelease", "Image", "Release"]

API_VERSION = "airstore/v1"


@frozen
class Image:
    """One image reference and everything that travels for it.

    Attributes:
        reference: as charts ask for it, normalised.
        root: the manifest or index that the reference resolves to.
        blobs: every blob that travels, root and referrers included, each once, sorted by digest.
        referrers: manifests attached to this image (signatures, SBOMs), also among ``blobs``.
        missing: children of an index left behind: platforms that nobody asked for, and unavailable ones.
        unavailable: optional parts that could not be had.
        signatures: those of upstream that the product file asks for, verified by the publisher.
    """

    reference: Reference
    root: Descriptor
    blobs: tuple[Descriptor, ...]
    referrers: tuple[Descriptor, ...] = ()
    missing: tuple[Descriptor, ...] = ()
    unavailable: tuple[Unavailable, ...] = ()
    signatures: tuple[UpstreamSignature, ...] = ()

    @property
    def repository(self) -> str:
        """Where the site's registry keeps it: the path without the upstream host."""
        return self.reference.path

    @property
    def tags(self) -> tuple[str, ...]:
        """The tag it asks for there; none where the reference is a digest alone. See `settle_tags`."""
        return (self.reference.tag,) if self.reference.tag else ()


@frozen
class Chart:
    """One chart, kept as the OCI artifact that Helm pushes and pulls.

    Attributes:
        source: where the release has it, unpacked; older releases say where it came from.
        root: its OCI manifest.
        archive: the ``.tgz`` blob.
        blobs: manifest, config, archive and provenance, each once, sorted by digest.
    """

    name: str
    version: str
    source: str
    root: Descriptor
    archive: Descriptor
    blobs: tuple[Descriptor, ...]

    @property
    def repository(self) -> str:
        """Where the site's registry keeps it."""
        return f"charts/{self.name}"

    @property
    def tags(self) -> tuple[str, ...]:
        """Its version the way Helm writes it as a tag, where ``+`` is not allowed."""
        return (self.version.replace("+", "_"),)


Artifact = Image | Chart


@frozen
class Release:
    """One version of the product.

    Attributes:
        sequence: 1 for the first release, then one more each time.
        previous: digest of the previous release's ``release.json``; None for the first.
        files: path to digest of every other file of the tree, ``signatures/`` excepted.
        registry: the product file's ``registry`` section.
        applier: the product file's ``applier`` section; releases without one have no such field.
    """

    product: str
    version: str
    sequence: int
    previous: Digest | None
    platforms: tuple[str, ...]
    images: tuple[Image, ...]
    charts: tuple[Chart, ...]
    helm_releases: tuple[HelmRelease, ...]
    files: Mapping[str, Digest] = field(hash=False)
    registry: ProductRegistry = field(default_factory=ProductRegistry)
    applier: ProductApplier | None = None

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Images, then charts."""
        return (*self.images, *self.charts)

    def image(self, named: str) -> Image:
        """The image of a reference that the product file names.

        Raises:
            UsageError: not a reference, or the release does not contain it.
        """
        reference = Reference.parse(named)
        for image in self.images:
            if image.reference == reference:
                return image
        raise UsageError(f"release {self.version} names the image {named} but does not contain it")

    def blobs(self) -> dict[Digest, Descriptor]:
        """Every blob of the release, by digest."""
        return {blob.digest: blob for artifact in self.artifacts for blob in artifact.blobs}

    def users_of(self, digest: Digest) -> Iterator[str]:
        """Names of the artifacts that contain a blob."""
        for image in self.images:
            if any(blob.digest == digest for blob in image.blobs):
                yield f"image {image.reference}"
        for chart in self.charts:
            if any(blob.digest == digest for blob in chart.blobs):
                yield f"chart {chart.name} {chart.version}"

    def to_bytes(self) -> bytes:
        """The canonical ``release.json``."""
        return strictjson.dumps(_to_json(self))

    @classmethod
    def parse(cls, data: bytes, what: str = "release.json") -> Release:
        """Read ``release.json``; unknown fields are refused, a new format gets a new apiVersion.

        Raises:
            DamagedError: not strict JSON or not of the schema.
        """
        return _parsed(data, what)


@lru_cache(maxsize=8)  # one command reads the same few again and again, and the schema's check is what costs
def _parsed(data: bytes, what: str) -> Release:
    document = strictjson.load_object(data, what)
    schema.check_json(document, "release", what)
    return _from_json(document, what)


def _to_json(release: Release) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Release",
        "product": release.product,
        "version": release.version,
        "sequence": release.sequence,
        "previous": release.previous,
        "platforms": list(release.platforms),
        "images": [_image_to_json(image) for image in release.images],
        "charts": [_chart_to_json(chart) for chart in release.charts],
        "releases": [helm_to_json(helm) for helm in release.helm_releases],
        "registry": release.registry.to_json(),
        **({"applier": release.applier.to_json()} if release.applier else {}),
        "files": {path: str(digest) for path, digest in release.files.items()},
    }


def _image_to_json(image: Image) -> dict[str, Any]:
    return {
        "reference": str(image.reference),
        "root": image.root.to_json(),
        "blobs": [blob.to_json() for blob in image.blobs],
        "referrers": [blob.to_json() for blob in image.referrers],
        "missing": [blob.to_json() for blob in image.missing],
        **parts_to_json(image.unavailable),
        **signatures_to_json(image.signatures),
    }


def _chart_to_json(chart: Chart) -> dict[str, Any]:
    return {
        "name": chart.name,
        "version": chart.version,
        "source": chart.source,
        "root": chart.root.to_json(),
        "archive": chart.archive.to_json(),
        "blobs": [blob.to_json() for blob in chart.blobs],
    }


def _from_json(document: dict[str, Any], what: str) -> Release:
    return Release(
        product=document["product"],
        version=document["version"],
        sequence=document["sequence"],
        previous=Digest(document["previous"]) if document["previous"] else None,
        platforms=tuple(document["platforms"]),
        images=tuple(_image_from_json(entry, what) for entry in document["images"]),
        charts=tuple(_chart_from_json(entry, what) for entry in document["charts"]),
        helm_releases=tuple(_helm_from_json(entry, what) for entry in document["releases"]),
        files={path: Digest(digest) for path, digest in document["files"].items()},
        registry=ProductRegistry.from_json(document["registry"]),
        applier=ProductApplier.from_json(document["applier"]) if "applier" in document else None,
    )


def _helm_from_json(entry: dict[str, Any], what: str) -> HelmRelease:
    try:
        return helm_from_json(entry)
    except UsageError as fault:
        raise DamagedError(f"{what}: Helm release {entry['name']}: {fault}") from fault


def _image_from_json(entry: dict[str, Any], what: str) -> Image:
    return Image(
        reference=_reference(entry["reference"], what),
        root=Descriptor.parse(entry["root"], what),
        blobs=parse_all(entry["blobs"], what),
        referrers=parse_all(entry["referrers"], what),
        missing=parse_all(entry["missing"], what),
        unavailable=parts_from_json(entry),
        signatures=signatures_from_json(entry),
    )


def _reference(text: str, what: str) -> Reference:
    try:
        reference = Reference.parse(text)
    except UsageError as fault:
        raise DamagedError(f"{what}: {fault}") from fault
    if str(reference) != text:
        raise DamagedError(f"{what}: the image {text!r} must be written {str(reference)!r}")
    return reference


def _chart_from_json(entry: dict[str, Any], what: str) -> Chart:
    return Chart(
        name=entry["name"],
        version=entry["version"],
        source=entry["source"],
        root=Descriptor.parse(entry["root"], what),
        archive=Descriptor.parse(entry["archive"], what),
        blobs=parse_all(entry["blobs"], what),
    )
