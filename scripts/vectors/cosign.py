"""Signatures and SBOMs by the real cosign in a real registry: an OCI layout, and cosign's own verdicts.

    GOBIN=DIR go install github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
    python -m scripts.vectors.cosign DIR/cosign fixtures/cosign

Needs docker-registry, skopeo and openssl (scripts/tools), and port 5055. Every run makes other keys.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airstore.core.image.digest import Digest
from airstore.registry.source import REF_NAME
from scripts.images.fixture_images import LayoutWriter
from tests.support.registry import layouts

HOST = "127.0.0.1:5055"
KEYS = {
    "p256": ("ecparam", "-name", "prime256v1", "-genkey", "-noout"),
    "p384": ("ecparam", "-name", "secp384r1", "-genkey", "-noout"),
    "rsa": ("genrsa", "2048"),
    "ed25519": ("genpkey", "-algorithm", "ed25519"),
    "other": ("ecparam", "-name", "prime256v1", "-genkey", "-noout"),
}
OLD = ("--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false")
NEW = ("--use-signing-config=false", "--tlog-upload=false")
SPDX = {
    "spdxVersion": "SPDX-2.3",
    "SPDXID": "SPDXRef-DOCUMENT",
    "name": "vector",
    "packages": [{"name": "zlib", "SPDXID": "SPDXRef-zlib", "versionInfo": "1.3.1"}],
}
CYCLONEDX = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "version": 1,
    "components": [{"type": "library", "name": "zlib", "version": "1.3.1", "purl": "pkg:generic/zlib@1.3.1"}],
}


class Workshop:
    """A directory with keys, and the programs that run in it."""

    def __init__(self, cosign: Path, base: Path) -> None:
        self.cosign, self.base = cosign.absolute(), base
        self.env = {**os.environ, "COSIGN_PASSWORD": "", "HOME": str(base)}

    def run(self, *command: object, check: bool = True) -> bool:
        done = subprocess.run(
            list(map(str, command)), cwd=self.base, env=self.env, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
        return done.returncode == 0

    def keys(self) -> None:
        for name, how in KEYS.items():
            self.run("openssl", *how, "-out", f"{name}.pem") if how[0] != "genrsa" else self.run(
                "openssl", "genrsa", "-out", f"{name}.pem", how[1]
            )
            pair = ("--key", f"{name}.pem", "--output-key-prefix", name)
            self.run(self.cosign, "import-key-pair", *pair, "-y")

    def image(self, name: str, children: int = 0) -> dict[str, Any]:
        """Push an image of its own; with children an index of them. Its descriptor."""
        layout = self.base / f"layout-{name}"
        writer = LayoutWriter(layout)
        parts = [layouts.image(writer, f"{name} {number}") for number in range(children)]
        on = [
            layouts.on(part, f"linux/{arch}") for part, arch in zip(parts, ("amd64", "arm64"), strict=False)
        ]
        root = layouts.index(writer, on) if children else layouts.image(writer, name)
        writer.name(root, "image:1")
        writer.finish()
        source, target = f"oci:{layout}:image:1", f"docker://{HOST}/vectors/{name}:1"
        self.run("skopeo", "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", source, target)
        return {**root, "children": parts}

    def sign(self, name: str, digest: str, key: str, form: tuple[str, ...]) -> None:
        reference = f"{HOST}/vectors/{name}@{digest}"
        self.run(self.cosign, "sign", "--key", f"{key}.key", *form, "--allow-http-registry", "-y", reference)

    def attest(self, name: str, digest: str, kind: str, document: object, form: tuple[str, ...]) -> None:
        (self.base / "predicate.json").write_text(json.dumps(document))
        what = ("--type", kind, "--predicate", "predicate.json", "--key", "p256.key")
        reference = f"{HOST}/vectors/{name}@{digest}"
        self.run(self.cosign, "attest", *what, *form, "--allow-http-registry", "-y", reference)

    def attach(self, name: str, digest: str, kind: str, document: object) -> None:
        (self.base / "sbom.json").write_text(json.dumps(document))
        reference = f"{HOST}/vectors/{name}@{digest}"
        what = ("--sbom", "sbom.json", "--type", kind, "--input-format", "json", "--allow-http-registry")
        self.run(self.cosign, "attach", "sbom", *what, reference)

    def verdict(self, name: str, digest: str, key: str) -> dict[str, Any]:
        """What cosign says: in either form, without the public log."""
        common = ("--key", f"{key}.pub", "--insecure-ignore-tlog", "--allow-http-registry")
        reference = f"{HOST}/vectors/{name}@{digest}"
        forms = (("--new-bundle-format=false",), ("--new-bundle-format=true",))
        good = [self.run(self.cosign, "verify", *common, *form, reference, check=False) for form in forms]
        return {"image": f"{HOST}/vectors/{name}", "digest": digest, "key": f"{key}.pub", "good": any(good)}


@contextmanager
def registry(base: Path) -> Iterator[Path]:
    """A registry at `HOST`; where it keeps things."""
    storage = {"filesystem": {"rootdirectory": str(base / "data")}}
    config = {"version": "0.1", "log": {"level": "warn"}, "storage": storage, "http": {"addr": HOST}}
    (base / "config.yml").write_text(json.dumps(config))
    with (base / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(base / "config.yml")], stdout=log, stderr=log
        )
    try:
        while subprocess.run(
            ["curl", "-s", f"http://{HOST}/v2/"], capture_output=True, check=False
        ).returncode:
            time.sleep(0.1)
        yield base / "data/docker/registry/v2"
    finally:
        process.terminate()
        process.wait()


def make(shop: Workshop) -> list[dict[str, Any]]:
    """All images and what is attached to them; cosign's verdicts."""
    verdicts = []
    for key in ("p256", "p384", "rsa", "ed25519"):
        for form, how in (("simple", OLD), ("bundle", NEW)):
            name = f"{key}-{form}"
            root = shop.image(name)["digest"]
            shop.sign(name, root, key, how)
            verdicts += [shop.verdict(name, root, each) for each in (key, "other")]
    two = shop.image("two")["digest"]
    for key in ("other", "p256"):
        shop.sign("two", two, key, OLD)
    verdicts += [shop.verdict("two", two, key) for key in ("other", "p256", "rsa")]
    verdicts += moved(shop)
    index = shop.image("index", 2)
    shop.sign("index", index["digest"], "p256", OLD)
    for each in (index, *index["children"]):
        verdicts.append(shop.verdict("index", each["digest"], "p256"))
    verdicts.append(shop.verdict("unsigned", shop.image("unsigned")["digest"], "p256"))
    attested = shop.image("attested")["digest"]
    shop.attest("attested", attested, "spdxjson", SPDX, NEW)
    shop.attest("attested", attested, "cyclonedx", CYCLONEDX, OLD)
    shop.attach("attested", attested, "spdx", SPDX)
    verdicts.append(shop.verdict("attested", attested, "p256"))
    return verdicts


def moved(shop: Workshop) -> Iterator[dict[str, Any]]:
    """A signature put under another image's tag."""
    victim, donor = shop.image("moved")["digest"], shop.image("donor")["digest"]
    shop.sign("donor", donor, "p256", OLD)
    tags = [f"docker://{HOST}/vectors/{name}:{each.replace(':', '-')}.sig" for name, each in
            (("donor", donor), ("moved", victim))]  # fmt: skip
    shop.run("skopeo", "copy", "--src-tls-verify=false", "--dest-tls-verify=false", *tags)
    yield shop.verdict("moved", victim, "p256")
    yield shop.verdict("donor", donor, "p256")


def collect(data: Path, out: Path) -> None:
    """All blobs of the registry, and an index of its tags and referrers."""
    writer = LayoutWriter(out / "images")
    for blob in sorted(data.glob("blobs/sha256/*/*/data")):
        content = blob.read_bytes()
        descriptor = writer.blob(content, "")
        document = json.loads(content) if content[:1] == b"{" else {}
        if document.get("subject"):
            writer.attach({**descriptor, "mediaType": document["mediaType"]})
    for link in sorted(data.glob("repositories/vectors/*/_manifests/tags/*/current/link")):
        repository, tag = link.parts[-6], link.parts[-3]
        digest = Digest(link.read_text())
        content = (out / "images/blobs/sha256" / digest.hex).read_bytes()
        described = {"mediaType": json.loads(content)["mediaType"], "digest": digest, "size": len(content)}
        if tag == "1":
            writer.name(described, f"{HOST}/vectors/{repository}:1")
        elif tag.endswith((".sig", ".att", ".sbom")):
            writer.attach({**described, "annotations": {REF_NAME: tag}})
    writer.finish()


def main() -> None:
    cosign, out = Path(sys.argv[1]), Path(sys.argv[2])
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as base, registry(Path(base)) as data:
        shop = Workshop(cosign, Path(base))
        shop.keys()
        verdicts = make(shop)
        collect(data, out)
        for key in KEYS:
            shutil.copy(shop.base / f"{key}.pub", out)
    (out / "verdicts.json").write_text(json.dumps(verdicts, indent=1) + "\n")


if __name__ == "__main__":
    main()
