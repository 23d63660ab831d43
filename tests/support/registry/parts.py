"""Artifacts of a release with the bytes they consist of, from real OCI layouts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airstore.core.image.descriptor import Descriptor, Platform
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from airstore.core.image.reference import Reference
from airstore.core.model.release import Image
from airstore.registry.client.registry import RegistryClient
from airstore.registry.sources.graph import walk
from airstore.registry.sources.layout import OciLayout
from scripts.images import fixture_images

Connect = Callable[..., RegistryClient]
_HOST = "registry.example.com"


class LayoutReader:
    """A `BlobReader` on the blob directory of an OCI layout; notes what was read."""

    def __init__(self, layout: Path) -> None:
        self._blobs = layout / "blobs" / "sha256"
        self.reads: list[Digest] = []

    def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        self.reads.append(digest)
        with (self._blobs / digest.hex).open("rb") as file:
            file.seek(start)
            left = (stop if stop is not None else 1 << 62) - start
            while chunk := file.read(min(left, 1 << 20)):
                left -= len(chunk)
                yield chunk

    def read_bytes(self, digest: Digest, limit: int) -> bytes:
        data = (self._blobs / digest.hex).read_bytes()
        assert len(data) <= limit
        return data


@dataclass(frozen=True)
class Shipment:
    """Images and their bytes.

    Attributes:
        layout: the OCI layout that holds them.
        images: in the order given.
    """

    layout: Path
    images: tuple[Image, ...]

    @property
    def reader(self) -> LayoutReader:
        return LayoutReader(self.layout)


def ship(directory: Path, names: Sequence[str], platforms: Sequence[str] = (), size: int = 0) -> Shipment:
    """Build images of the shop fixture and walk them as a publisher does."""
    layout = directory / "layout"
    references = [f"{_HOST}/{name}" for name in names]
    fixture_images.build(layout, references, size=size)
    wanted = [Platform.parse(text) for text in platforms]
    source = OciLayout.directory(layout)
    images = []
    for reference in map(Reference.parse, references):
        graph = walk(source, reference, wanted)
        images.append(Image(reference, graph.root, graph.blobs, graph.referrers, graph.missing))
    return Shipment(layout, tuple(images))


def single_blob_image(directory: Path, name: str, size: int) -> tuple[Image, LayoutReader]:
    """An image with one layer of ``size`` bytes that do not compress, written without holding it."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    layer = _stream(blobs, size)
    config = _write(blobs, b'{"architecture":"amd64","os":"linux"}', OCI_CONFIG)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json()],
    }
    root = _write(blobs, json.dumps(document).encode(), OCI_MANIFEST)
    return Image(Reference.parse(f"{_HOST}/{name}"), root, (root, config, layer)), LayoutReader(directory)


def _write(blobs: Path, data: bytes, media_type: str) -> Descriptor:
    digest = Digest.of(data)
    (blobs / digest.hex).write_bytes(data)
    return Descriptor(media_type, digest, len(data))


def _stream(blobs: Path, size: int) -> Descriptor:
    running, temporary = hashlib.sha256(), blobs / "new"
    block = hashlib.shake_256(b"layer").digest(1 << 20)
    with temporary.open("wb") as file:
        for start in range(0, size, len(block)):
            piece = start.to_bytes(8, "big") + block[8:]
            running.update(piece[: size - start])
            file.write(piece[: size - start])
    digest = Digest.from_raw(running.digest())
    temporary.rename(blobs / digest.hex)
    return Descriptor(OCI_LAYER, digest, size)
