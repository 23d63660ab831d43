"""SBOMs as tools write and attach them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from airstore.registry.source import REF_NAME
from scripts.images.fixture_images import EMPTY, LayoutWriter
from tests.support.product.tiny_product import IMAGE, Tiny
from tests.support.registry import layouts, signatures
from tests.support.registry.layouts import Node

FIXTURES = Path(__file__).parents[3] / "fixtures"
SPDX, CYCLONEDX = "application/spdx+json", "application/vnd.cyclonedx+json"
BUILDKIT, OPENVEX = "application/vnd.in-toto+json", "https://openvex.dev/ns/v0.2.0"


def sbom(name: str) -> bytes:
    """Written by syft (scripts/vectors/sbom.py)."""
    return (FIXTURES / "sbom" / name).read_bytes()


def statement(predicate: object, kind: str) -> bytes:
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": kind,
            "subject": [{"name": "_", "digest": {"sha256": "00" * 32}}],
            "predicate": predicate,
        }
    ).encode()


def cosign_att(writer: LayoutWriter, root: Node, predicate: object, kind: str) -> None:
    """As cosign before version 3 attests: a tag, an envelope, the predicate's type beside it."""
    payload = base64.b64encode(statement(predicate, kind)).decode()
    data = json.dumps({"payloadType": BUILDKIT, "payload": payload, "signatures": [{"sig": "AA=="}]}).encode()
    layer = writer.blob(data, "application/vnd.dsse.envelope.v1+json", annotations={"predicateType": kind})
    made = layouts.manifest(writer, writer.blob(b"{}", EMPTY), [layer])
    writer.attach({**made, "annotations": {REF_NAME: layouts.cosign_tag(root).replace(".sig", ".att")}})


def buildkit(writer: LayoutWriter, child: Node, predicate: object) -> Node:
    """As BuildKit attests: a child of the index, for a platform that nobody has."""
    kind = "https://spdx.dev/Document"
    layer = writer.blob(statement(predicate, kind), BUILDKIT, annotations={"in-toto.io/predicate-type": kind})
    made = layouts.manifest(writer, writer.blob(b"{}", EMPTY), [layer])
    notes = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": child["digest"],
    }
    return layouts.on(made, "unknown/unknown", **notes)


def released(tiny: Tiny, version: str, text: str, *attached: tuple[str, bytes]) -> None:
    """A release whose image has these referrers."""
    writer = LayoutWriter(tiny.layout)
    root = layouts.image(writer, text)
    writer.name(root, IMAGE)
    for kind, data in attached:
        signatures.refer(writer, root, data, kind)
    writer.finish()
    assert tiny.create(version).code == 0


def cyclonedx_with(*vulnerabilities: tuple[str, str, str]) -> bytes:
    document = json.loads(sbom("new.cyclonedx-json"))
    ref = next(each["bom-ref"] for each in document["components"] if each["name"] == "zlib1g")
    document["vulnerabilities"] = [
        {
            "id": name,
            "affects": [{"ref": ref}],
            "ratings": [{"severity": "low"}, {"severity": severity}],
            **({"analysis": {"state": state}} if state else {}),
        }
        for name, severity, state in vulnerabilities
    ]
    return json.dumps(document).encode()
