"""A sigstore of our own: authority and logs, with every part in the test's hands."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from securesystemslib.dsse import Envelope

from scripts.images.fixture_images import LayoutWriter
from tests.support.registry import log_proof, signatures
from tests.support.registry.layouts import Node

IDENTITY = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1"
ISSUER = "https://token.actions.githubusercontent.com"
WHEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
_STAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_NO_HASH = {"algorithm": "sha256", "value": "00" * 32}
_ISSUER_OID = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _der(tag: int, data: bytes) -> bytes:
    size = len(data)
    length = (
        bytes((size,))
        if size < 128
        else bytes((0x81, size))
        if size < 256
        else b"\x82" + size.to_bytes(2, "big")
    )
    return bytes((tag,)) + length + data


@dataclass(frozen=True)
class Sigstore:
    """An instance; `trusted_root` is what one carries of it.

    Attributes:
        stamped: whether certificates carry a timestamp of the log of certificates.
    """

    ca: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    middle: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    certificate_log: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    log: ec.EllipticCurvePrivateKey = field(default_factory=_key)
    stamped: bool = True

    def trusted_root(self, **periods: dict[str, str]) -> dict[str, Any]:
        """The document; periods of ``logs``, ``authorities`` and ``ctlogs`` other than all time."""
        all_time = {"start": "2020-01-01T00:00:00Z"}

        def of_log(key: ec.EllipticCurvePrivateKey, name: str) -> dict[str, Any]:
            public = {"rawBytes": _b64(_spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
            return {
                "baseUrl": "https://log.example.com",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {**public, "validFor": periods.get(name, all_time)},
                "logId": {"keyId": _b64(hashlib.sha256(_spki(key)).digest())},
            }

        chain = [{"rawBytes": _b64(each.public_bytes(Encoding.DER))} for each in (self.issuer(), self.root())]
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [of_log(self.log, "logs")],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "example", "commonName": "example"},
                    "uri": "https://ca.example.com",
                    "certChain": {"certificates": chain},
                    "validFor": periods.get("authorities", all_time),
                }
            ],
            "ctlogs": [of_log(self.certificate_log, "ctlogs")],
            "timestampAuthorities": [],
        }

    def root(self) -> x509.Certificate:
        return self._authority("root", self.ca, "root", self.ca)

    def issuer(self) -> x509.Certificate:
        return self._authority("middle", self.middle, "root", self.ca)

    def _authority(
        self, name: str, key: ec.EllipticCurvePrivateKey, by: str, signer: ec.EllipticCurvePrivateKey
    ) -> x509.Certificate:
        builder = _named(
            x509.CertificateBuilder(), name, by, key, WHEN - timedelta(days=900), WHEN + timedelta(days=900)
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs=False), critical=True)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(identifier, critical=False)
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return builder.add_extension(own, critical=False).sign(signer, SHA256())

    def certificate(
        self,
        key: ec.EllipticCurvePrivateKey,
        identity: str = IDENTITY,
        issuer: str = ISSUER,
        purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
    ) -> x509.Certificate:
        """One for ten minutes, as Fulcio issues them."""
        builder = _named(x509.CertificateBuilder(), None, "middle", key, WHEN, WHEN + timedelta(minutes=10))
        name = x509.RFC822Name(identity) if "/" not in identity else x509.UniformResourceIdentifier(identity)
        builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(_usage(signs=True), critical=True)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.middle.public_key())
        builder = builder.add_extension(identifier, critical=False)
        text = x509.UnrecognizedExtension(_ISSUER_OID, _der(0x0C, issuer.encode()))
        builder = builder.add_extension(text, critical=False)
        if not self.stamped:
            return builder.sign(self.middle, SHA256())
        bare = builder.sign(self.middle, SHA256()).tbs_certificate_bytes
        stamps = x509.UnrecognizedExtension(_STAMPS, _der(4, self._stamps(bare)))
        return builder.add_extension(stamps, critical=False).sign(self.middle, SHA256())

    def _stamps(self, bare: bytes) -> bytes:
        """RFC 6962, section 3.3: a list of one timestamp over a certificate that has none yet."""
        moment = int(WHEN.timestamp() * 1000).to_bytes(8, "big")
        issuer = hashlib.sha256(_spki(self.middle)).digest()
        signed = b"\0\0" + moment + b"\0\1" + issuer + len(bare).to_bytes(3, "big") + bare + b"\0\0"
        signature = self.certificate_log.sign(signed, ec.ECDSA(SHA256()))
        log = hashlib.sha256(_spki(self.certificate_log)).digest()
        one = b"\0" + log + moment + b"\0\0" + b"\4\3" + len(signature).to_bytes(2, "big") + signature
        one = len(one).to_bytes(2, "big") + one
        return len(one).to_bytes(2, "big") + one

    def entry(self, body: dict[str, Any], after: timedelta = timedelta(minutes=1)) -> dict[str, Any]:
        """What the log says, in the form of the annotation."""
        payload = {
            "body": _b64(json.dumps(body).encode()),
            "integratedTime": int((WHEN + after).timestamp()),
            "logID": hashlib.sha256(_spki(self.log)).hexdigest(),
            "logIndex": 7,
        }
        promised = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
        return {"SignedEntryTimestamp": _b64(self.log.sign(promised, ec.ECDSA(SHA256()))), "Payload": payload}


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
    key: ec.EllipticCurvePrivateKey = field(default_factory=_key)
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
        data = signatures.payload(digest or root["digest"], name)
        signature, pem = self._sign(data), self.certificate().public_bytes(Encoding.PEM)
        body = {
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {"algorithm": "sha256", "value": self._digest(data)}},
                "signature": {"content": _b64(signature), "publicKey": {"content": _b64(pem)}},
            },
        }
        more = {"dev.sigstore.cosign/certificate": pem.decode()}
        if self.logged:
            more["dev.sigstore.cosign/bundle"] = json.dumps(self.sigstore.entry(body, self.after))
        return signatures.by_tag(writer, root, [signatures.signature_layer(writer, data, signature, **more)])

    def bundle(self, root: Node, predicate: str = signatures.SIGNED) -> bytes:
        """As cosign 3 writes it."""
        plain = json.loads(signatures.bundle(root, signatures.ecdsa(), predicate=predicate))
        envelope = plain["dsseEnvelope"]
        data = base64.b64decode(envelope["payload"])
        signature = self._sign(Envelope(data, envelope["payloadType"], {}).pae())
        envelope["signatures"] = [{"sig": _b64(signature)}]
        certificate = self.certificate()
        pem = certificate.public_bytes(Encoding.PEM)
        body = self._body(envelope["payloadType"], data, _b64(signature), _b64(pem))
        plain["verificationMaterial"] = {
            "certificate": {"rawBytes": _b64(certificate.public_bytes(Encoding.DER))},
            "tlogEntries": [self._in_bundle(body)] if self.logged else [],
        }
        return json.dumps(plain).encode()

    def _body(self, media_type: str, data: bytes, signature: str, pem: str) -> dict[str, Any]:
        payload = {"payloadHash": {"algorithm": "sha256", "value": self._digest(data)}}
        if self.kind == "intoto":
            twice = {"sig": _b64(signature.encode()), "publicKey": pem}
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
            "logId": {"keyId": _b64(bytes.fromhex(payload["logID"]))},
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


def _named(
    builder: x509.CertificateBuilder, name: str | None, by: str, key: ec.EllipticCurvePrivateKey,
    start: datetime, end: datetime,
) -> x509.CertificateBuilder:  # fmt: skip
    def common(text: str | None) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])

    return (
        builder.subject_name(common(name))
        .issuer_name(common(by))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    others = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=signs, key_cert_sign=not signs, crl_sign=not signs, **others)
