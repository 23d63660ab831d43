"""Pairs of tars as images in an OCI layout, their layers by Docker Engine's encoder or by skopeo's.

Docker Engine compresses with Go's gzip at its default level, and so does containerd; skopeo, podman and
buildah with pgzip. The latter's layers are written by skopeo itself, from a layout of plain tars.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from airstore.core.parsing.strictjson import dumps
from scripts.benchmarks.images import Images
from scripts.codec.encoders import SOURCES
from scripts.deltas.pairs import Pair
from scripts.images.fixture_images import LayoutWriter

OLD, NEW = "1.0.0", "2.0.0"
_REPOSITORY = "registry.example.com/bench/"
_PLAIN_LAYER = "application/vnd.oci.image.layer.v1.tar"


def layout_of(work: Path, pair: Pair, encoder: str) -> Images:
    """Both versions of a pair by one of `ENCODERS`, made if they are not there yet."""
    name = f"{pair.name}-{encoder}"
    images = Images(work / "layouts" / name, _REPOSITORY + pair.name)
    if not images.layout.is_dir():
        building = images.layout.with_name(f"{name}.building")
        shutil.rmtree(building, ignore_errors=True)
        ENCODERS[encoder](work, pair, building, images)
        building.rename(images.layout)
    return images


def whole_layers(images: Images) -> int:
    """Bytes of the layers that the new version does not share with the old one."""
    old, new = images.blobs(OLD), images.blobs(NEW)
    return sum(size for digest, size in new.items() if digest not in old and digest in images.layers(NEW))


def _by_docker(work: Path, pair: Pair, layout: Path, images: Images) -> None:
    """By the Go that is here."""
    program = work / "gostd"
    if not program.exists():
        subprocess.run(["go", "build", "-o", program, SOURCES / "gostd.go"], check=True)
    _write(pair, layout, images, OCI_LAYER, [program, "-1"])


def _by_skopeo(_work: Path, pair: Pair, layout: Path, images: Images) -> None:
    plain = layout.with_name(f"{layout.name}.plain")
    shutil.rmtree(plain, ignore_errors=True)
    _write(pair, plain, images, _PLAIN_LAYER, ["cat"])
    for version in (OLD, NEW):
        place = images.reference(version)
        subprocess.run(["skopeo", "copy", "-q", f"oci:{plain}:{place}", f"oci:{layout}:{place}"], check=True)
    shutil.rmtree(plain)


ENCODERS: dict[str, Callable[[Path, Pair, Path, Images], None]] = {
    "docker": _by_docker,
    "skopeo": _by_skopeo,
}


def _write(pair: Pair, layout: Path, images: Images, media_type: str, compress: Sequence[str | Path]) -> None:
    writer = LayoutWriter(layout)
    for version, tars in ((OLD, pair.old), (NEW, pair.new)):
        layers = [_Layer.of(tar, compress) for tar in tars]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"org.opencontainers.image.version": version}},
            "rootfs": {"type": "layers", "diff_ids": [layer.plain for layer in layers]},
        }
        image = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": writer.blob(dumps(config), OCI_CONFIG),
            "layers": [writer.blob(layer.data, media_type) for layer in layers],
        }
        writer.name(writer.document(image), images.reference(version))
    writer.finish()


class _Layer(NamedTuple):
    """A tar, compressed, and the digest that it has plain."""

    data: bytes
    plain: str

    @classmethod
    def of(cls, tar: Path, compress: Sequence[str | Path]) -> _Layer:
        with tar.open("rb") as file:
            done = subprocess.run(compress, stdin=file, stdout=subprocess.PIPE, check=True)
        with tar.open("rb") as file:
            return cls(done.stdout, "sha256:" + hashlib.file_digest(file, "sha256").hexdigest())
