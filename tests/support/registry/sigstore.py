"""A sigstore of our own: authority and logs, with every part in the test's hands."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

IDENTITY = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1"
ISSUER = "https://token.actions.githubusercontent.com"
WHEN = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
_STAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_OLD_ISSUER_OID = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_OID = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


def new_key() -> ec.EllipticCurvePrivateKey:
    """One on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Its public half in DER."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def b64(data: bytes) -> str:
    """Standard, as text."""
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

    ca: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    middle: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    certificate_log: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    log: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    stamped: bool = True

    def trusted_root(self, **periods: dict[str, str]) -> dict[str, Any]:
        """The document; periods of ``logs``, ``authorities`` and ``ctlogs`` other than all time."""
        all_time = {"start": "2020-01-01T00:00:00Z"}

        def of_log(key: ec.EllipticCurvePrivateKey, name: str) -> dict[str, Any]:
            public = {"rawBytes": b64(spki(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
            return {
                "baseUrl": "https://log.example.com",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {**public, "validFor": periods.get(name, all_time)},
                "logId": {"keyId": b64(hashlib.sha256(spki(key)).digest())},
            }

        chain = [{"rawBytes": b64(each.public_bytes(Encoding.DER))} for each in (self.issuer(), self.root())]
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
        for oid, text in ((_OLD_ISSUER_OID, issuer.encode()), (_ISSUER_OID, _der(0x0C, issuer.encode()))):
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, text), critical=False)
        if not self.stamped:
            return builder.sign(self.middle, SHA256())
        bare = builder.sign(self.middle, SHA256()).tbs_certificate_bytes
        stamps = x509.UnrecognizedExtension(_STAMPS, _der(4, self._stamps(bare)))
        return builder.add_extension(stamps, critical=False).sign(self.middle, SHA256())

    def _stamps(self, bare: bytes) -> bytes:
        """RFC 6962, section 3.3: a list of one timestamp over a certificate that has none yet."""
        moment = int(WHEN.timestamp() * 1000).to_bytes(8, "big")
        issuer = hashlib.sha256(spki(self.middle)).digest()
        signed = b"\0\0" + moment + b"\0\1" + issuer + len(bare).to_bytes(3, "big") + bare + b"\0\0"
        signature = self.certificate_log.sign(signed, ec.ECDSA(SHA256()))
        log = hashlib.sha256(spki(self.certificate_log)).digest()
        one = b"\0" + log + moment + b"\0\0" + b"\4\3" + len(signature).to_bytes(2, "big") + signature
        one = len(one).to_bytes(2, "big") + one
        return len(one).to_bytes(2, "big") + one

    def entry(self, body: dict[str, Any], after: timedelta = timedelta(minutes=1)) -> dict[str, Any]:
        """What the log says, in the form of the annotation."""
        payload = {
            "body": b64(json.dumps(body).encode()),
            "integratedTime": int((WHEN + after).timestamp()),
            "logID": hashlib.sha256(spki(self.log)).hexdigest(),
            "logIndex": 7,
        }
        promised = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
        return {"SignedEntryTimestamp": b64(self.log.sign(promised, ec.ECDSA(SHA256()))), "Payload": payload}


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
