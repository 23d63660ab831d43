"""Build the applier's image as an OCI layout; scripts/applier_image prepares what this needs.

    python -m scripts.images.applier_image OUT [--name REFERENCE]

Layers come from a cache in ``~/.cache/airstore/applier``; deleting it is always safe.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from pathlib import Path
from typing import Any

from airstore import __version__
from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from scripts.images.applier_layers import USER, Cache, Packed, layers
from scripts.images.fixture_images import LayoutWriter

NAME = f"registry.example.com/airstore/applier:{__version__}"
_CREATED = "2023-11-14T22:13:20Z"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "airstore"
_TOOLS = Path(os.environ.get("AIRSTORE_TOOLS") or _CACHE / "tools" / "bin")


def build(
    layout: Path, reference: str = NAME, cache: Path = _CACHE / "applier", *, plain: bool = False
) -> Digest:
    """Write an OCI layout with the applier's image; returns its manifest's digest.

    With ``plain`` its layers are not compressed, for tests that have no use for what opening gzip costs.
    """
    writer = LayoutWriter(layout)
    root = add(writer, reference, cache, plain=plain)
    writer.finish()
    return root


def add(
    writer: LayoutWriter, reference: str = NAME, cache: Path = _CACHE / "applier", *, plain: bool = False
) -> Digest:
    """Put the applier's image into a layout that is being written; ``plain`` as for `build`."""
    packed = layers(Cache(cache), _TOOLS)
    described = [_layer(writer, layer, plain=plain) for layer in packed]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": writer.blob(json.dumps(_config(packed), separators=(",", ":")).encode(), OCI_CONFIG),
        "layers": described,
    }
    root = writer.document(manifest)
    writer.name(root, reference)
    return Digest(root["digest"])


def _layer(writer: LayoutWriter, layer: Packed, *, plain: bool) -> dict[str, Any]:
    data = layer.path.read_bytes()
    if plain:
        return writer.blob(gzip.decompress(data), OCI_LAYER)
    return writer.blob(data, f"{OCI_LAYER}+gzip")


def _config(packed: list[Packed]) -> dict[str, Any]:
    return {
        "created": _CREATED,
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"],
            "Entrypoint": ["/usr/local/bin/airstore"],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": "airstore applier",
                "org.opencontainers.image.version": __version__,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in packed]},
        "history": [{"created": _CREATED, "created_by": layer.about} for layer in packed],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the applier's image as an OCI layout.")
    parser.add_argument("out", type=Path, help="directory of the layout")
    parser.add_argument("--name", default=NAME, help="reference under which the layout lists it")
    options = parser.parse_args()
    print(f"{build(options.out, options.name)}  {options.name}")


if __name__ == "__main__":
    main()
