"""Signatures of images as cosign makes them, with every part of them in the test's hands."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.dsse import Envelope

from airstore.registry.source import REF_NAME
from scripts.images.fixture_images import EMPTY, LayoutWriter
from tests.support.registry.layouts import SIGNATURE, Node, manifest

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIGNED = "https://sigstore.dev/cosign/sign/v1"
Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class UpstreamSigner:
    """Somebody who signs images."""

    private: Private

    @property
    def pem(self) -> bytes:
        """What cosign.pub holds."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> str:
        der = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return "sha256:" + hashlib.sha256(der).hexdigest()

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.private.sign(data, ec.ECDSA(SHA256()))
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), SHA256())
        return self.private.sign(data)


def ecdsa(curve: ec.EllipticCurve | None = None) -> UpstreamSigner:
    return UpstreamSigner(ec.generate_private_key(curve or ec.SECP256R1()))


def payload(digest: str, name: str, kind: str = "cosign container image signature") -> bytes:
    critical = {
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": digest},
        "type": kind,
    }
    return json.dumps({"critical": critical, "optional": None}, separators=(",", ":")).encode()


def signature_layer(writer: LayoutWriter, data: bytes, signature: bytes | str, **annotations: str) -> Node:
    text = signature if isinstance(signature, str) else base64.b64encode(signature).decode()
    return writer.blob(
        data, SIGNATURE, annotations={"dev.cosignproject.cosign/signature": text, **annotations}
    )


def by_tag(writer: LayoutWriter, subject: Node | str, layers: list[Node]) -> Node:
    """A manifest that only cosign's tag leads to; it is listed in the layout."""
    digest = subject if isinstance(subject, str) else subject["digest"]
    made = manifest(writer, writer.blob(b"{}", EMPTY), layers)
    writer.attach({**made, "annotations": {REF_NAME: f"sha256-{digest.removeprefix('sha256:')}.sig"}})
    return made


def signed(writer: LayoutWriter, root: Node, name: str, signer: UpstreamSigner) -> Node:
    """The usual case: one good signature under cosign's tag."""
    data = payload(root["digest"], name)
    return by_tag(writer, root, [signature_layer(writer, data, signer.sign(data))])


def bundle(
    root: Node, signer: UpstreamSigner, name: str = "", predicate: str = SIGNED, **material: Any
) -> bytes:
    """A sigstore bundle of an in-toto statement."""
    subject = {
        "digest": {"sha256": root["digest"].removeprefix("sha256:")},
        **({"name": name} if name else {}),
    }
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": predicate,
        "predicate": {},
    }
    kind, data = "application/vnd.in-toto+json", json.dumps(statement).encode()
    envelope = {
        "payload": base64.b64encode(data).decode(),
        "payloadType": kind,
        "signatures": [{"sig": base64.b64encode(signer.sign(Envelope(data, kind, {}).pae())).decode()}],
    }
    return json.dumps(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": material or {"publicKey": {"hint": "x"}},
            "dsseEnvelope": envelope,
        }
    ).encode()


def refer(writer: LayoutWriter, subject: Node, data: bytes, kind: str = BUNDLE) -> Node:
    """A referrer with one layer; it is listed in the layout."""
    made = manifest(
        writer,
        writer.blob(b"{}", EMPTY),
        [writer.blob(data, kind)],
        subject={key: subject[key] for key in ("mediaType", "digest", "size")},
        artifactType=kind,
    )
    writer.attach(made)
    return made
