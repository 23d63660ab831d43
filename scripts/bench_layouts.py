"""Pairs of tars as images in an OCI layout, their layers by Go's gzip as Docker and containerd write them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

from bench_images import Images
from bench_pairs import Pair
from codec_encoders import SOURCES
from fixture_images import LayoutWriter

from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from airstore.core.parsing.strictjson import dumps

OLD, NEW = "1.0.0", "2.0.0"
_REPOSITORY = "registry.example.com/bench/"


def layout_of(work: Path, pair: Pair) -> Images:
    """Both versions of a pair, made if they are not there yet."""
    images = Images(work / "layouts" / pair.name, _REPOSITORY + pair.name)
    if not images.layout.is_dir():
        building = images.layout.with_name(f"{pair.name}.building")
        shutil.rmtree(building, ignore_errors=True)
        writer = LayoutWriter(building)
        for version, tars in ((OLD, pair.old), (NEW, pair.new)):
            writer.name(_image(writer, tars, _encoder(work)), images.reference(version))
        writer.finish()
        building.rename(images.layout)
    return images


def whole_layers(images: Images) -> int:
    """Bytes of the layers that the new version does not share with the old one."""
    old, new = images.blobs(OLD), images.blobs(NEW)
    return sum(size for digest, size in new.items() if digest not in old and digest in images.layers(NEW))


def _image(writer: LayoutWriter, tars: list[Path], encoder: Path) -> dict[str, Any]:
    layers, plain = [], []
    for tar in tars:
        with tar.open("rb") as file:
            done = subprocess.run([encoder, "-1"], stdin=file, stdout=subprocess.PIPE, check=True)
        layers.append(writer.blob(done.stdout, OCI_LAYER))
        with tar.open("rb") as file:
            plain.append("sha256:" + hashlib.file_digest(file, "sha256").hexdigest())
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": plain}}
    described = writer.blob(dumps(config), OCI_CONFIG)
    return writer.document(
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described, "layers": layers}
    )


def _encoder(work: Path) -> Path:
    """Go's gzip by the Go that is here."""
    program = work / "gostd"
    if not program.exists():
        subprocess.run(["go", "build", "-o", program, SOURCES / "gostd.go"], check=True)
    return program
