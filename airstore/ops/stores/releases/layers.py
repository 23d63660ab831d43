"""How a store holds a release's layers and chart archives: opened, at what cost, or whole, and why."""

from __future__ import annotations

from collections.abc import Iterator

from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor
from airstore.core.model.release import Release
from airstore.store.blobs import BlobForm, BlobStore


@frozen
class Layer:
    """One archive of a release.

    Attributes:
        artifact: the first image or chart that has it.
    """

    blob: Descriptor
    artifact: str
    form: BlobForm

    @property
    def why(self) -> str | None:
        """Why it is not opened; None where it is."""
        if self.form.opened or not self.form.whole:
            return None
        if self.form.why:
            return self.form.why
        if self.blob.media_type.endswith(_GZIP):
            return "it arrived whole; `airstore store optimize` opens it"
        if self.blob.media_type.endswith("zstd"):
            return "it is compressed with zstd, which is not opened"
        return "it is not compressed: its files are objects as it is"


_GZIP = ("gzip", ".gz")


def layers_of(release: Release, blobs: BlobStore) -> list[Layer]:
    """The tar archives of a release, each once, in the order of its artifacts."""
    seen: dict[str, Layer] = {}
    for artifact, blob in _archives(release):
        if blob.digest not in seen:
            seen[blob.digest] = Layer(blob, artifact, blobs.form(blob.digest))
    return list(seen.values())


def _archives(release: Release) -> Iterator[tuple[str, Descriptor]]:
    for image in release.images:
        yield from ((f"image {image.reference}", blob) for blob in image.blobs if _is_archive(blob))
    for chart in release.charts:
        yield from (
            (f"chart {chart.name} {chart.version}", blob) for blob in chart.blobs if _is_archive(blob)
        )


def _is_archive(blob: Descriptor) -> bool:
    return ".tar" in blob.media_type
