"""Images for benchmark and acceptance: one image in two versions; only the application layer differs.

Made once in the work directory and used again from there. The real ones need root, debootstrap and umoci; the
small ones are the fixture images, in pure Python.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.images import fixture_images

VERSIONS = ("1.0.0", "2.0.0")
_SMALL_MB = 10  # plain MB of the small images' application layer; their shared layer is four times as large
_SUITE = "bookworm"
# Neighbouring versions, as after an ordinary update of dependencies; about 350 MB plain.
_PACKAGES = {
    "1.0.0": ("numpy==1.26.3", "pandas==2.2.1", "pyarrow==15.0.1", "scipy==1.12.0"),
    "2.0.0": ("numpy==1.26.4", "pandas==2.2.2", "pyarrow==15.0.2", "scipy==1.13.0"),
}


@dataclass(frozen=True)
class Images:
    """Two versions of an image in one OCI layout.

    Attributes:
        layout: the layout's directory.
        repository: the image without its tag; the layout names each version in full.
    """

    layout: Path
    repository: str

    def reference(self, version: str) -> str:
        """Full name of a version."""
        return f"{self.repository}:{version}"

    def root(self, version: str) -> str:
        """Digest of a version's manifest."""
        return str(self._entry(version)["digest"])

    def blobs(self, version: str) -> dict[str, int]:
        """Digest to size (bytes) of all that a version consists of, what is attached to it included."""
        found: dict[str, int] = {}
        for entry in self._manifests(self._entry(version)):
            document = self.document(entry["digest"])
            for blob in (entry, document["config"], *document["layers"]):
                found[blob["digest"]] = blob["size"]
        return found

    def layers(self, version: str) -> list[str]:
        """Digests of a version's layers, the lowest first."""
        return [layer["digest"] for layer in self.document(self.root(version))["layers"]]

    def size(self, version: str) -> int:
        """Bytes of a version as a registry counts them."""
        return sum(self.blobs(version).values())

    def plain_size(self, version: str) -> int:
        """Bytes of a version's layers after decompression."""
        layers = [self.path(digest) for digest in self.layers(version)]
        return sum(_plain_size(path) for path in layers)

    def path(self, digest: str) -> Path:
        """The file of a blob."""
        return self.layout / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def document(self, digest: str) -> dict[str, Any]:
        """A manifest, parsed."""
        document: dict[str, Any] = json.loads(self.path(digest).read_bytes())
        return document

    def _listed(self) -> list[dict[str, Any]]:
        index: list[dict[str, Any]] = json.loads((self.layout / "index.json").read_bytes())["manifests"]
        return index

    def _entry(self, version: str) -> dict[str, Any]:
        name = self.reference(version)
        key = "org.opencontainers.image.ref.name"
        (entry,) = [entry for entry in self._listed() if entry.get("annotations", {}).get(key) == name]
        return entry

    def _manifests(self, root: dict[str, Any]) -> list[dict[str, Any]]:
        """The version's manifest and those attached to it."""
        attached = [
            entry
            for entry in self._listed()
            if self.document(entry["digest"]).get("subject", {}).get("digest") == root["digest"]
        ]
        return [root, *attached]


def make_images(work: Path, *, small: bool) -> Images:
    """The images in a work directory, made if they are not there yet."""
    images = Images(
        work / ("layout-small" if small else "layout"),
        "registry.example.com/shop/api" if small else "registry.example.com/bench/app",
    )
    if not images.layout.is_dir():
        building = work / f"{images.layout.name}.building"
        shutil.rmtree(building, ignore_errors=True)
        build = _build_small if small else _build_real
        build(building, images)
        building.rename(images.layout)
    return images


def _build_small(layout: Path, images: Images) -> None:
    fixture_images.build(layout, [images.reference(version) for version in VERSIONS], size=_SMALL_MB)


def _build_real(layout: Path, images: Images) -> None:
    """A Debian root, and on top of it Python packages in two versions; umoci packs with gzip."""
    scratch = layout.with_name("scratch")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    root = scratch / "root"
    _run("debootstrap", "--variant=minbase", _SUITE, root)
    shutil.rmtree(root / "var/cache/apt/archives")
    _run("umoci", "init", "--layout", layout)
    _run("umoci", "new", "--image", f"{layout}:base")
    _run("umoci", "insert", "--image", f"{layout}:base", root, "/")
    for version in VERSIONS:
        packages = scratch / f"packages-{version}"
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:")
        _run(*pip, "--target", packages, *_PACKAGES[version])
        tag = ("--tag", f"v{version}")
        _run("umoci", "insert", "--image", f"{layout}:base", *tag, packages, "/opt/app")
    _run("umoci", "rm", "--image", f"{layout}:base")
    _run("umoci", "gc", "--layout", layout)
    _rename(layout / "index.json", {f"v{version}": images.reference(version) for version in VERSIONS})
    shutil.rmtree(scratch)


def _rename(index: Path, names: dict[str, str]) -> None:
    """Give images their full names: tags of umoci have no slash."""
    document = json.loads(index.read_bytes())
    for entry in document["manifests"]:
        key = "org.opencontainers.image.ref.name"
        entry["annotations"][key] = names[entry["annotations"][key]]
    index.write_text(json.dumps(document, indent=2) + "\n")


def _run(*command: str | Path) -> None:
    print("$", *(getattr(word, "name", word) for word in command), file=sys.stderr, flush=True)
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}:\n{done.stdout}")


def _plain_size(layer: Path) -> int:
    unpacked = subprocess.Popen(["gzip", "-dc", layer], stdout=subprocess.PIPE)
    assert unpacked.stdout  # noqa: S101 - a pipe was asked for
    with unpacked.stdout as stream:
        size = sum(map(len, iter(lambda: stream.read(1 << 20), b"")))
    if unpacked.wait():
        sys.exit(f"gzip cannot read {layer}")
    return size
