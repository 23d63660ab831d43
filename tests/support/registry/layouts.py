"""OCI layouts with everything an image may carry, and ways to break them."""

from __future__ import annotations

import gzip
import io
import json
import random
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from airstore.registry.source import REF_NAME
from scripts.images.fixture_images import EMPTY, LayoutWriter

NAME = "registry.example.com/shop/multi"
REFERENCE = f"{NAME}:1.0"
SBOM = "application/vnd.example.sbom.v1+json"
SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json"
Node = dict[str, Any]


def run(
    *command: object, check: bool = True, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a tool; what it says on failure is in the error."""
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=60, check=False, env=env)
    assert not check or done.returncode == 0, done.stderr.decode()
    return done


def layer(text: str, size: int = 0) -> tuple[bytes, Digest]:
    """A gzip layer with one file, and the digest of its tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("content")
        data = text.encode() + random.Random(text).randbytes(size)  # noqa: S311 - must not compress
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), 1, mtime=0), Digest.of(buffer.getvalue())


def image(writer: LayoutWriter, text: str, architecture: str = "amd64", size: int = 0, **more: Any) -> Node:
    """A manifest with one layer."""
    data, diff_id = layer(text, size)
    config = {
        "os": "linux",
        "architecture": architecture,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }
    described = writer.blob(json.dumps(config).encode(), OCI_CONFIG)
    return manifest(writer, described, [writer.blob(data, f"{OCI_LAYER}+gzip")], **more)


def manifest(writer: LayoutWriter, config: Node, layers: list[Node], **more: Any) -> Node:
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}
    return writer.document({**document, **more})


def index(writer: LayoutWriter, children: list[Node], **more: Any) -> Node:
    return writer.document({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children, **more})


def on(child: Node, platform: str, **annotations: str) -> Node:
    """A child of an index with its platform."""
    system, _, architecture = platform.partition("/")
    extra = {"annotations": annotations} if annotations else {}
    return {**child, "platform": {"os": system, "architecture": architecture}, **extra}


def attachment(writer: LayoutWriter, subject: Node | None, text: str, kind: str = SBOM) -> Node:
    """A referrer; without a subject it is one of cosign's, which only a tag leads to."""
    config = writer.blob(b"{}", EMPTY)
    more = {"subject": subject, "artifactType": kind} if subject else {}
    return manifest(writer, config, [writer.blob(text.encode(), kind)], **more)


def write_full(directory: Path, size: int = 0) -> dict[str, Node]:
    """Two platforms, their attestations, an SBOM of one of them, the SBOM's own signature, a cosign tag."""
    writer = LayoutWriter(directory)
    nodes: dict[str, Node] = {}
    children = []
    for architecture in ("amd64", "arm64"):
        child = image(writer, f"for {architecture}\n", architecture, size)
        provenance = attachment(writer, None, f"provenance of {architecture}", "application/vnd.in-toto+json")
        nodes |= {architecture: child, f"provenance-{architecture}": provenance}
        note = {"vnd.docker.reference.type": "attestation-manifest"}
        note["vnd.docker.reference.digest"] = child["digest"]
        children += [on(child, f"linux/{architecture}"), on(provenance, "unknown/unknown", **note)]
    nodes["root"] = index(writer, children)
    nodes["sbom"] = attachment(writer, nodes["amd64"], "packages")
    nodes["sbom-signature"] = attachment(writer, nodes["sbom"], "signed packages")
    nodes["cosign"] = attachment(writer, None, "signed index", SIGNATURE)
    writer.name(nodes["root"], REFERENCE)
    writer.attach(nodes["sbom"])
    writer.attach(nodes["sbom-signature"])
    writer.name(nodes["cosign"], cosign_tag(nodes["root"]))
    writer.finish()
    return nodes


def cosign_tag(node: Node) -> str:
    return str(node["digest"]).replace(":", "-") + ".sig"


def blob_path(directory: Path, digest: str) -> Path:
    return directory / "blobs" / "sha256" / digest.removeprefix("sha256:")


def pack(directory: Path, out: Path) -> Path:
    """A layout's directory as a tar, as GNU tar would write it."""
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as tar:
        tar.add(directory, ".")
    return out


def rename(directory: Path, names: dict[str, Node], annotation: str = REF_NAME) -> None:
    """Write ``index.json`` anew, with these names."""
    entries = [{**node, "annotations": {annotation: name}} if name else node for name, node in names.items()]
    document = {"schemaVersion": 2, "manifests": entries}
    (directory / "index.json").write_text(json.dumps(document))
