"""Registries as vendors have them: real ones, filled by skopeo, with what skopeo reads back of them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airstore.core.image.oci import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from scripts.images import fixture_images
from scripts.images.fixture_images import EMPTY, LayoutWriter
from tests.support.product.e2e_road import run, run_bytes
from tests.support.registry.servers import PASSWORD, USER, RegistryServer, registry_server

HOST = "registry.example.com"
IMAGES = ("shop/api:1.0.0", "shop/api:1.1.0", "shop/cache:7.2.0", "shop/db:15.2.0")
SIGNED = "shop/api:1.0.0"  # shop/cache is for two platforms
COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"


@dataclass(frozen=True)
class Upstream:
    """A running registry with images.

    Attributes:
        config: a docker ``config.json`` that opens it.
        options: what airstore needs to be told to reach it.
        prefix: path below which the images are, with a slash at the end, or empty.
    """

    server: RegistryServer
    config: Path
    options: tuple[str | Path, ...]
    prefix: str = ""
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return self.server.host

    @property
    def credentials(self) -> tuple[str | Path, ...]:
        return ("--registry-config", self.config)

    @property
    def _skopeo(self) -> list[str]:
        trust = (
            [f"--cert-dir={self.server.ca.parent / 'trusted'}"] if self.server.ca else ["--tls-verify=false"]
        )
        return [f"--authfile={self.config}", *trust]

    def put(self, layout: Path, name: str, place: str) -> str:
        """Copy from an OCI layout with everything below; returns the digest as the registry has it."""
        options = [option.replace("--", "--dest-", 1) for option in self._skopeo[1:]]
        command = ["skopeo", "copy", "-q", "--all", "--preserve-digests", self._skopeo[0], *options]
        run(*command, f"oci:{layout}:{name}", f"docker://{self.host}/{self.prefix}{place}")
        return self.digest(self.prefix + place)

    def digest(self, place: str) -> str:
        """The digest of what is under a path and tag, by skopeo."""
        raw = run_bytes("skopeo", "inspect", "--raw", *self._skopeo, f"docker://{self.host}/{place}")
        return f"sha256:{hashlib.sha256(raw).hexdigest()}"


@contextmanager
def upstream(directory: Path, layout: Path, prefix: str = "", **settings: bool) -> Iterator[Upstream]:
    """Run a registry (see `registry_server`) with all of `IMAGES` and what is attached to them."""
    with registry_server(directory, **settings) as server:
        options: list[str | Path] = ["--ca", server.ca] if server.ca else ["--plain-http", server.host]
        if server.ca:
            (server.ca.parent / "trusted").mkdir()
            (server.ca.parent / "trusted" / "ca.crt").write_bytes(server.ca.read_bytes())
        config = write_config(directory / "config.json", server.host)
        made = Upstream(server, config, tuple(options), prefix)
        for name in IMAGES:
            made.digests[name] = made.put(layout, f"{HOST}/{name}", name)
        for tag in attached_tags(made.digests[SIGNED]):
            made.put(layout, tag, f"{SIGNED.partition(':')[0]}:{tag}")
        yield made


def write_config(path: Path, host: str, user: str = USER, password: str = PASSWORD) -> Path:
    """A docker ``config.json`` as ``docker login`` writes it."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return path


def attached_tags(digest: str) -> tuple[str, str]:
    """Where a registry without the referrers API has referrers and cosign's signature."""
    tag = digest.replace(":", "-")
    return tag, f"{tag}.sig"


def write_layout(directory: Path) -> Path:
    """`IMAGES` as an OCI layout; on the signed one an SBOM is attached, and a signature by cosign's tag."""
    roots = fixture_images.build(directory, [f"{HOST}/{name}" for name in IMAGES])
    index = json.loads((directory / "index.json").read_text())
    subject = next(e for e in index["manifests"] if e["digest"] == roots[f"{HOST}/{SIGNED}"])
    writer = LayoutWriter(directory)
    empty = writer.blob(b"{}", EMPTY)
    sbom = _manifest(
        writer, empty, "packages", "application/vnd.example.sbom.v1+json",
        artifactType="application/vnd.example.sbom.v1+json",
        subject={key: subject[key] for key in ("mediaType", "digest", "size")},
    )  # fmt: skip
    referrers = writer.document({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [sbom]})
    signature = _manifest(writer, writer.blob(_CONFIG, OCI_CONFIG), "signed", COSIGN)
    for entry in index["manifests"]:
        if "annotations" in entry:
            writer.name(entry, entry["annotations"]["org.opencontainers.image.ref.name"])
    for entry, tag in zip((referrers, signature), attached_tags(subject["digest"]), strict=True):
        writer.name(entry, tag)
    writer.finish()
    return directory


_CONFIG = b'{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}'


def _manifest(
    writer: LayoutWriter, config: dict[str, Any], text: str, kind: str, **more: Any
) -> dict[str, Any]:
    layer = writer.blob(text.encode(), kind)
    base = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
    return writer.document({**base, **more})
