"""Build the images of the shop fixture as an OCI layout, without any tool and without root.

    python -m scripts.images.fixture_images OUT [--images FILE] [--size MB]

The same arguments and the same busybox give the same bytes. Between two versions of
``registry.example.com/shop/api`` only its application layer differs, as after a rebuild: a few files
have changed and every modification time is new.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from airstore.core.image.digest import Digest
from airstore.core.image.oci import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from scripts.images.fixture_layers import Layer, application, base, registry_layer, runtime

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "fixtures" / "shop" / "images.txt"

REGISTRY = "/registry"  # the one image that can be a real registry
CHANGING = "shop/api"  # the one image whose application layer depends on its version
MULTI_PLATFORM = "shop/cache"  # an index of two platforms
SIGNED = "shop/api"  # something like a signature is attached to it
PLATFORMS = ("amd64", "arm64")
SIGNATURE = "application/vnd.example.signature.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
_SHARED = 4  # libraries are larger than the application on top of them


def read_list(path: Path = IMAGES) -> list[str]:
    """References of a list: one a line, the first word counts, ``#`` begins a comment."""
    lines = (line.partition("#")[0].split() for line in path.read_text().splitlines())
    return [words[0] for words in lines if words]


def find_busybox() -> Path | None:
    """A busybox on PATH or among the tools that scripts/tools installs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    tools = os.environ.get("AIRSTORE_TOOLS") or str(cache / "airstore" / "tools" / "bin")
    found = shutil.which("busybox", path=os.pathsep.join((os.environ.get("PATH", os.defpath), tools)))
    return Path(found) if found else None


def build(
    layout: Path,
    references: Iterable[str],
    *,
    size: int = 0,
    busybox: Path | None = None,
    registry: Path | None = None,
    plain: bool = False,
) -> dict[str, Digest]:
    """Write an OCI layout that holds ``references``, each named there in full.

    Args:
        layout: the directory, made if need be.
        references: ``host/path:tag``; the tag is the version.
        size: plain MB of the layer that changes; the layer that all images share is `_SHARED` times as large.
        busybox: what to put into the images; found by `find_busybox` where not given.
        registry: the program (Debian's docker-registry) that makes `REGISTRY` a real one.
        plain: its layers are not compressed, for tests that have no use for what opening gzip costs.

    Returns:
        Reference to the digest of its manifest or index.
    """
    writer = LayoutWriter(layout)
    binary = busybox or find_busybox()
    roots: dict[str, Digest] = {}
    for reference in references:
        repository, version = split(reference)
        if registry and repository.endswith(REGISTRY):
            root = _registry(writer, repository, version, registry, plain=plain)
        else:
            make = _index if repository.endswith(MULTI_PLATFORM) else _single
            root = make(writer, repository, version, binary, size)
        writer.name(root, reference)
        if repository.endswith(SIGNED):
            writer.attach(_signature(writer, root))
        roots[reference] = Digest(root["digest"])
    writer.finish()
    return roots


def split(reference: str) -> tuple[str, str]:
    """Repository and tag; a reference without one has the tag ``latest``."""
    name, _, _ = reference.partition("@")
    head, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return head + slash + last, tag or "latest"


class LayoutWriter:
    """Blobs and the index of one OCI layout directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._manifests: list[dict[str, Any]] = []
        (directory / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)

    def blob(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        """Write a blob and describe it."""
        digest = Digest.of(data)
        path = self._directory / "blobs" / "sha256" / digest.hex
        if not path.exists():
            path.write_bytes(data)
        return {"mediaType": media_type, "digest": str(digest), "size": len(data), **more}

    def document(self, document: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Write a manifest or an index, spelled as most build tools spell it, and describe it."""
        return self.blob(json.dumps(document, separators=(",", ":")).encode(), document["mediaType"], **more)

    def name(self, descriptor: dict[str, Any], reference: str) -> None:
        """List a document under a reference."""
        annotations = {"org.opencontainers.image.ref.name": reference}
        self._manifests.append({**descriptor, "annotations": annotations})

    def attach(self, descriptor: dict[str, Any]) -> None:
        """List a referrer, which has no name of its own."""
        self._manifests.append(descriptor)

    def finish(self) -> None:
        """Write the layout's own two files."""
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self._manifests}
        (self._directory / "index.json").write_text(json.dumps(index, indent=2) + "\n")
        (self._directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}\n')


def _single(
    writer: LayoutWriter, repository: str, version: str, busybox: Path | None, size: int
) -> dict[str, Any]:
    return _manifest(writer, repository, version, PLATFORMS[0], _layers(repository, version, busybox, size))


def _registry(
    writer: LayoutWriter, repository: str, version: str, program: Path, *, plain: bool
) -> dict[str, Any]:
    layers = [base(find_busybox()), registry_layer(program)]
    layers = [layer.plain() for layer in layers] if plain else layers
    command = ["/usr/bin/docker-registry", "serve", "/etc/docker/registry/config.yml"]
    return _manifest(writer, repository, version, PLATFORMS[0], layers, command)


def _index(
    writer: LayoutWriter, repository: str, version: str, busybox: Path | None, size: int
) -> dict[str, Any]:
    children = []
    for architecture in PLATFORMS:
        binary = busybox if architecture == PLATFORMS[0] else None  # nothing foreign is run or shipped
        layers = _layers(repository, version, binary, size)
        child = _manifest(writer, repository, version, architecture, layers)
        children.append({**child, "platform": {"architecture": architecture, "os": "linux"}})
    return writer.document({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})


def _manifest(
    writer: LayoutWriter,
    repository: str,
    version: str,
    architecture: str,
    layers: list[Layer],
    command: Sequence[str] = ("/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/srv"),
) -> dict[str, Any]:
    config = {
        "created": "2023-11-14T22:13:20Z",
        "architecture": architecture,
        "os": "linux",
        "config": {
            "Env": ["PATH=/bin"],
            "Cmd": list(command),
            "Labels": {"org.opencontainers.image.title": repository},
        },
        "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
        "history": [{"created_by": f"layer {number}"} for number, _ in enumerate(layers)],
    }
    if repository.endswith((CHANGING, REGISTRY)):
        config["config"]["Labels"]["org.opencontainers.image.version"] = version  # type: ignore[index]
    return writer.document(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": writer.blob(json.dumps(config, separators=(",", ":")).encode(), OCI_CONFIG),
            "layers": [writer.blob(layer.data, layer.media_type) for layer in layers],
        }
    )


def _signature(writer: LayoutWriter, subject: dict[str, Any]) -> dict[str, Any]:
    payload = json.dumps({"critical": {"image": {"docker-manifest-digest": subject["digest"]}}}).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": SIGNATURE,
        "config": writer.blob(b"{}", EMPTY),
        "layers": [writer.blob(payload, SIGNATURE)],
        "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
    }
    return writer.document(document, artifactType=SIGNATURE)


def _layers(repository: str, version: str, busybox: Path | None, size: int) -> list[Layer]:
    own_version, own_size = (version, size) if repository.endswith(CHANGING) else ("", 0)
    name = repository.rpartition("/")[2]
    return [base(busybox), runtime(_SHARED * size), application(name, own_version, own_size)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the shop fixture's images as an OCI layout.")
    parser.add_argument("out", type=Path, help="directory of the layout")
    parser.add_argument("--images", type=Path, default=IMAGES, help="list of references")
    parser.add_argument(
        "--size", type=int, default=0, metavar="MB", help="plain size of the layer that changes"
    )
    parser.add_argument("--registry", type=Path, help="program that makes the registry's image a real one")
    options = parser.parse_args()
    built = build(options.out, read_list(options.images), size=options.size, registry=options.registry)
    for reference, digest in built.items():
        print(f"{digest}  {reference}")


if __name__ == "__main__":
    main()
