"""Signatures without keys as cosign makes them, by a sigstore of our own; tests replace one part each."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from securesystemslib.dsse import Envelope

from scripts.images.fixture_images import LayoutWriter
from tests.support.registry import log_proof, signatures
from tests.support.registry.layouts import Node
from tests.support.registry.sigstore import IDENTITY, ISSUER, Sigstore, b64, new_key

_NO_HASH = {"algorithm": "sha256", "value": "00" * 32}


@dataclass(frozen=True)
class Making:
    """How a keyless signature is made; tests replace one thing each.

    Attributes:
        signs: what the certificate's key signs, where that is not what travels.
        logs: what the entry is of, where that is not what travels.
        after: when the log took it in, after the certificate began.
        place: index in the log's tree, and entries in it.
        kind: of the entry of a bundle, ``dsse`` or ``intoto``.
        version: of an entry ``intoto``.
    """

    sigstore: Sigstore = field(default_factory=Sigstore)
    identity: str = IDENTITY
    issuer: str = ISSUER
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    signs: bytes | None = None
    logs: bytes | None = None
    after: timedelta = timedelta(minutes=1)
    logged: bool = True
    place: tuple[int, int] = (5, 7)
    kind: str = "dsse"
    version: str = "0.0.2"

    def but(self, **changes: Any) -> Making:
        return replace(self, **changes)

    def certificate(self) -> x509.Certificate:
        return self.sigstore.certificate(self.key, self.identity, self.issuer, self.purpose)

    def by_tag(self, writer: LayoutWriter, root: Node, name: str, digest: str = "") -> Node:
        """A layer with annotations under cosign's tag, as cosign 2 writes it."""
        return signatures.by_tag(writer, root, [self.annotated(writer, root, name, digest)])

    def annotated(self, writer: LayoutWriter, root: Node, name: str, digest: str = "") -> Node:
        """That layer alone, its annotations to be changed."""
        data = signatures.payload(digest or root["digest"], name)
        signature, pem = self._sign(data), self.certificate().public_bytes(Encoding.PEM)
        body = {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": self._digest(data)}},
                "signature": {"content": b64(signature), "publicKey": {"content": b64(pem)}},
            },
        }
        more = {"dev.sigstore.cosign/certificate": pem.decode()}
        if self.logged:
            more["dev.sigstore.cosign/bundle"] = json.dumps(self.sigstore.entry(body, self.after))
        return signatures.signature_layer(writer, data, signature, **more)

    def bundle(self, root: Node, predicate: str = signatures.SIGNED) -> bytes:
        """As cosign 3 writes it."""
        plain = json.loads(signatures.bundle(root, signatures.ecdsa(), predicate=predicate))
        envelope = plain["dsseEnvelope"]
        data = base64.b64decode(envelope["payload"])
        signature = self._sign(Envelope(data, envelope["payloadType"], {}).pae())
        envelope["signatures"] = [{"sig": b64(signature)}]
        certificate = self.certificate()
        pem = certificate.public_bytes(Encoding.PEM)
        body = self._body(envelope["payloadType"], data, b64(signature), b64(pem))
        plain["verificationMaterial"] = {
            "certificate": {"rawBytes": b64(certificate.public_bytes(Encoding.DER))},
            "tlogEntries": [self._in_bundle(body)] if self.logged else [],
        }
        return json.dumps(plain).encode()

    def _body(self, media_type: str, data: bytes, signature: str, pem: str) -> dict[str, Any]:
        payload = {"payloadHash": {"algorithm": "sha256", "value": self._digest(data)}}
        if self.kind == "intoto":
            twice = {"sig": b64(signature.encode()), "publicKey": pem}
            envelope = {"payloadType": media_type, "signatures": [twice]}
            content = {"envelope": envelope, "hash": _NO_HASH, **payload}
            return {"apiVersion": self.version, "kind": "intoto", "spec": {"content": content}}
        signed = [{"signature": signature, "verifier": pem}]
        return {
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {"envelopeHash": _NO_HASH, **payload, "signatures": signed},
        }

    def refer(self, writer: LayoutWriter, root: Node) -> Node:
        return signatures.refer(writer, root, self.bundle(root))

    def _in_bundle(self, body: dict[str, Any]) -> dict[str, Any]:
        entry = self.sigstore.entry(body, self.after)
        payload = entry["Payload"]
        return {
            "logIndex": str(payload["logIndex"]),
            "logId": {"keyId": b64(bytes.fromhex(payload["logID"]))},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
            "integratedTime": str(payload["integratedTime"]),
            "inclusionPromise": {"signedEntryTimestamp": entry["SignedEntryTimestamp"]},
            "inclusionProof": log_proof.proof(
                self.sigstore.log, base64.b64decode(payload["body"]), *self.place
            ),
            "canonicalizedBody": payload["body"],
        }

    def _sign(self, data: bytes) -> bytes:
        return self.key.sign(data if self.signs is None else self.signs, ec.ECDSA(SHA256()))

    def _digest(self, data: bytes) -> str:
        return hashlib.sha256(data if self.logs is None else self.logs).hexdigest()
