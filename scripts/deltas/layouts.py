"""Pairs of tars as images in one OCI layout, their layers by Docker Engine's encoder or by skopeo's.

Docker Engine compresses with Go's gzip at its default level, and so does containerd; skopeo, podman and
buildah with pgzip. The latter's layers are written by skopeo itself, from a layout of plain tars.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from airstore.core.parsing.strictjson import dumps
from scripts.benchmarks.images import Images
from scripts.codec.encoders import SOURCES
from scripts.deltas.pairs import Pair
from scripts.images.fixture_images import LayoutWriter

OLD, NEW = "1.0.0", "2.0.0"
_REPOSITORY = "registry.example.com/bench/"
_PLAIN_LAYER = "application/vnd.oci.image.layer.v1.tar"


def layout_of(work: Path, pair: Pair, encoder: str) -> list[Images]:
    """Both versions of each image of a pair by one of `ENCODERS`, made if they are not there yet."""
    layout = work / "layouts" / f"{pair.name}-{encoder}"
    images = _named(pair, layout)
    if not layout.is_dir():
        building = layout.with_name(f"{layout.name}.building")
        shutil.rmtree(building, ignore_errors=True)
        ENCODERS[encoder](work, pair, building, images)
        building.rename(layout)
    return images


def whole_layers(images: Sequence[Images]) -> int:
    """Bytes of the layers of the new version that are not in the old one, each once."""
    old = _blobs(images, OLD)
    layers = {digest for image in images for digest in image.layers(NEW)}
    return sum(size for digest, size in _blobs(images, NEW).items() if digest in layers - old.keys())


def whole_size(images: Sequence[Images], version: str) -> int:
    """Bytes of a version as a registry counts them, what images share once."""
    return sum(_blobs(images, version).values())


def _blobs(images: Sequence[Images], version: str) -> dict[str, int]:
    return {digest: size for image in images for digest, size in image.blobs(version).items()}


def _named(pair: Pair, layout: Path) -> list[Images]:
    if len(pair.images) == 1:
        return [Images(layout, _REPOSITORY + pair.name)]
    return [Images(layout, f"{_REPOSITORY}{pair.name}-{number}") for number in range(len(pair.images))]


def _by_docker(work: Path, pair: Pair, layout: Path, images: Sequence[Images]) -> None:
    """By the Go that is here."""
    program = work / "gostd"
    if not program.exists():
        subprocess.run(["go", "build", "-o", program, SOURCES / "gostd.go"], check=True)
    _write(pair, layout, images, OCI_LAYER, [program, "-1"])


def _by_skopeo(_work: Path, pair: Pair, layout: Path, images: Sequence[Images]) -> None:
    plain = layout.with_name(f"{layout.name}.plain")
    shutil.rmtree(plain, ignore_errors=True)
    _write(pair, plain, images, _PLAIN_LAYER, ["cat"])
    for place in (image.reference(version) for image in images for version in (OLD, NEW)):
        subprocess.run(["skopeo", "copy", "-q", f"oci:{plain}:{place}", f"oci:{layout}:{place}"], check=True)
    shutil.rmtree(plain)


ENCODERS: dict[str, Callable[[Path, Pair, Path, Sequence[Images]], None]] = {
    "docker": _by_docker,
    "skopeo": _by_skopeo,
}


def _write(
    pair: Pair, layout: Path, images: Sequence[Images], media_type: str, compress: Sequence[str | Path]
) -> None:
    writer = LayoutWriter(layout)
    layers = {tar: _Layer.of(tar, compress, writer, media_type) for tar in (*pair.old, *pair.new)}
    for image, sides in zip(images, pair.images, strict=True):
        for version, tars in zip((OLD, NEW), sides, strict=True):
            config = {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": {"org.opencontainers.image.version": version}},
                "rootfs": {"type": "layers", "diff_ids": [layers[tar].plain for tar in tars]},
            }
            manifest = {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": writer.blob(dumps(config), OCI_CONFIG),
                "layers": [layers[tar].written for tar in tars],
            }
            writer.name(writer.document(manifest), image.reference(version))
    writer.finish()


class _Layer(NamedTuple):
    """A tar, compressed and written down, and the digest that it has plain."""

    written: dict[str, Any]
    plain: str

    @classmethod
    def of(cls, tar: Path, compress: Sequence[str | Path], writer: LayoutWriter, media_type: str) -> _Layer:
        with tar.open("rb") as file:
            done = subprocess.run(compress, stdin=file, stdout=subprocess.PIPE, check=True)
        with tar.open("rb") as file:
            plain = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(writer.blob(done.stdout, media_type), f"sha256:{plain}")
