"""The smallest product that renders: a chart, a Pod, an image in a layout; tests spoil one thing each."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from scripts.images.fixture_images import LayoutWriter
from tests.support.product.road_parts import Outcome, airstore, done

IMAGE = "registry.example.com/tiny/app:1"
PRODUCT = """\
apiVersion: airstore/v1
kind: Product
name: tiny
charts:
  - {name: app, source: ./app}
images:
  sources: {"*": "oci:./images"}
releases:
  - {name: app, namespace: apps, chart: app}
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: app}
spec: {containers: [{name: app, image: %s}]}
"""
CHART = b"apiVersion: v2\nname: app\nversion: 1.0.0\n"


@dataclass(frozen=True)
class Tiny:
    """A publisher of that product, with a key and without releases."""

    base: Path

    @property
    def store(self) -> Path:
        return self.base / "store"

    @property
    def product(self) -> Path:
        return self.base / "airstore.yaml"

    @property
    def layout(self) -> Path:
        return self.base / "images"

    def edit(self, old: str, new: str) -> None:
        """Change the product file."""
        text = self.product.read_text()
        assert old in text
        self.product.write_text(text.replace(old, new))

    def create(self, version: str = "1.0.0", *more: str | Path) -> Outcome:
        return airstore("-C", self.store, "release", "create", "--version", version, *more)


def make_tiny(base: Path) -> Tiny:
    """Write the product and make its store."""
    tiny = Tiny(base)
    (base / "app" / "templates").mkdir(parents=True)
    (base / "app" / "Chart.yaml").write_bytes(CHART)
    (base / "app" / "templates" / "pod.yaml").write_text(POD % IMAGE)
    tiny.product.write_text(PRODUCT)
    make_layout(tiny.layout)
    done("init", tiny.store, "--product", tiny.product)
    done("-C", tiny.store, "key", "generate", "release")
    return tiny


def layer(text: str = "hello") -> bytes:
    """A gzip layer with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("hello")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


def make_layout(
    directory: Path, change: Mapping[str, Any] | None = None, text: str = "hello"
) -> dict[str, Any]:
    """A layout with the one image; ``change`` goes over its manifest. Returns the manifest's descriptor."""
    shutil.rmtree(directory, ignore_errors=True)
    writer = LayoutWriter(directory)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": writer.blob(b'{"architecture":"amd64","os":"linux"}', OCI_CONFIG),
        "layers": [writer.blob(layer(text), OCI_LAYER)],
    }
    described = writer.document(manifest | dict(change or {}))
    writer.name(described, IMAGE)
    writer.finish()
    return described


def pack_chart(path: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]] = ()) -> None:
    """A chart archive with ``members`` besides its ``Chart.yaml``."""
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as tar:
        for info, data in ((tarfile.TarInfo("app/Chart.yaml"), CHART), *members):
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def site_of(tiny: Tiny, version: str = "1.0.0") -> Path:
    """A site that took in a release of it."""
    media, site = tiny.base / "media", tiny.base / "site"
    done("-C", tiny.store, "media", "create", "--to", version, media)
    done("init", site, "--site", "acme", "--trust", tiny.store / "trust" / "root.json")
    done("-C", site, "media", "import", media)
    return site
