"""Layers by every encoder of the codec's vectors, to a registry and out of it: the digests are upstream's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER
from scripts.images.fixture_images import LayoutWriter
from tests.support.product.e2e_road import run
from tests.support.product.road_parts import done
from tests.support.product.tiny_product import IMAGE, Tiny, make_layout, site_of
from tests.support.registry.servers import registry_server

pytestmark = pytest.mark.slow
_VECTORS = sorted((Path(__file__).parents[2] / "fixtures" / "codec").glob("*.gz"))
# What the container tools of the field write, and what build scripts do; each at its default level.
_OPENED = {"go-1.21.13", "go-1.26.6", "go-1.27.3", "pgzip-over-klauspost-compress-1.18.2", "java"}


def test_layers_of_every_encoder_come_out_as_upstream_has_them(
    tiny: Tiny, tmp_path: Path, skopeo: Path, docker_registry: Path
) -> None:
    layers = [path.read_bytes() for path in _VECTORS]
    writer = LayoutWriter(tmp_path / "scratch")
    described = [writer.blob(layer, f"{OCI_LAYER}+gzip") for layer in layers]
    make_layout(tiny.layout, {"layers": described})
    for layer in layers:
        path = tiny.layout / "blobs" / "sha256" / hashlib.sha256(layer).hexdigest()
        path.write_bytes(layer)
    tiny.create()
    site = site_of(tiny)
    rows = done("-C", site, "release", "show", "1.0.0", "-o", "json").json()["layers"]
    held = {row["digest"]: row["held"] for row in rows}
    for path, layer in zip(_VECTORS, layers, strict=True):
        if any(path.name == f"{name}-level-default.gz" for name in _OPENED):
            assert held[f"sha256:{hashlib.sha256(layer).hexdigest()}"] == "opened and whole", path.name
    upstream = run(skopeo, "inspect", "--raw", f"oci:{tiny.layout}:{IMAGE}")
    with registry_server(tmp_path / "registry") as server:
        done("-C", site, "registry", "push", server.host, "--plain-http", server.host)
        place = f"docker://{server.host}/tiny/app:1"
        assert run(skopeo, "inspect", "--raw", "--tls-verify=false", place) == upstream
        out = tmp_path / "out"
        run(
            skopeo,
            "--insecure-policy",
            "copy",
            "--src-tls-verify=false",
            "--preserve-digests",
            place,
            f"dir:{out}",
        )
    listed = [layer["digest"].removeprefix("sha256:") for layer in json.loads(upstream)["layers"]]
    assert listed == [hashlib.sha256(layer).hexdigest() for layer in layers]
    assert [(out / name).read_bytes() for name in listed] == layers
    assert OCI_CONFIG in upstream
