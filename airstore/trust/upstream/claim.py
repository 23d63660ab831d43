"""What a signer says of an image: simple-signing payloads, and sigstore's bundles of an in-toto statement.

Sources: containers/image, "Atomic container signatures"; cosign's signature specification; sigstore's
protobuf specifications (bundle 0.3); in-toto Statement 0.1 and 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airstore.core.errors import AirstoreError, DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.core.limits import MIB
from airstore.core.parsing import strictjson
from airstore.trust import envelope
from airstore.trust.upstream import log_entry
from airstore.trust.upstream.certificate import SigningCertificate
from airstore.trust.upstream.identity import Evidence, SignedBytes, UpstreamIdentity
from airstore.trust.upstream.key import UpstreamKey
from airstore.trust.wire import decode_base64

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
CERTIFICATE = "dev.sigstore.cosign/certificate"
LOGGED = "dev.sigstore.cosign/bundle"
BUNDLE = "application/vnd.dev.sigstore.bundle."
LIMIT = 4 * MIB  # of one payload or bundle; they have a few kilobytes

STATEMENT = "application/vnd.in-toto+json"
SIGNED = "https://sigstore.dev/cosign/sign/v1"  # a statement that signs; others attest something
_STATEMENTS = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
_SIMPLE_TYPES = ("cosign container image signature", "atomic container signature")


@frozen
class Claim:
    """A signature and what it says; nothing in it is trusted before `signed_by`.

    Attributes:
        form: ``simple-signing`` or ``bundle``.
        images: digests that it is for.
        repository: what the signer called the image, without a tag; None where it says nothing.
        signed: the signature itself, and the certificate that came with it in place of a key.
    """

    form: str
    images: tuple[Digest, ...]
    repository: str | None
    signed: SignedBytes

    @property
    def keyless(self) -> bool:
        """Whether a certificate comes with it in place of a key."""
        return self.signed.evidence is not None

    def signed_by(self, signer: UpstreamKey | UpstreamIdentity) -> bool:
        """Whether a key made it, or whoever has an identity."""
        if isinstance(signer, UpstreamIdentity):
            return signer.verdict(self.signed) is None
        return any(signer.verifies(each, self.signed.data) for each in self.signed.signatures)


def simple_claim(payload: bytes, annotations: Mapping[str, str], what: str) -> Claim:
    """From a payload and the annotations of the layer that it is.

    Raises:
        DamagedError: not of that form.
    """
    signature = decode_base64(annotations.get(SIGNATURE, ""), f"{what}: the signature")
    document = strictjson.load_object(payload, what, LIMIT)
    critical = _object(document, "critical", what)
    if critical.get("type") not in _SIMPLE_TYPES:
        raise DamagedError(f"{what} is of type {str(critical.get('type'))[:100]!r}")
    digest = _object(critical, "image", what).get("docker-manifest-digest")
    name = _object(critical, "identity", what).get("docker-reference")
    return Claim(
        "simple-signing",
        (Digest(str(digest)),),
        _repository(name, what),
        SignedBytes((signature,), payload, payload, _annotated(annotations, what)),
    )


def bundle_claim(data: bytes, what: str) -> Claim | None:
    """From a sigstore bundle; None where it attests something and is no signature of the image.

    Raises:
        DamagedError: not of that form.
        NotTrustedError: its envelope holds no statement, or no signature.
    """
    document = strictjson.load_object(data, what, LIMIT)
    material = _object(document, "verificationMaterial", what)
    if "dsseEnvelope" not in document:
        raise DamagedError(f"{what} holds no DSSE envelope")
    text = strictjson.dumps(_object(document, "dsseEnvelope", what))
    signed = envelope.read(text, STATEMENT, what)
    statement = strictjson.load_object(signed.payload, what, LIMIT)
    if statement.get("_type") not in _STATEMENTS:
        raise DamagedError(f"{what} is no in-toto statement")
    if statement.get("predicateType") != SIGNED:
        return None
    subjects = statement.get("subject")
    found = [_subject(each, what) for each in subjects] if isinstance(subjects, list) else []
    names = {name for _, name in found}
    return Claim(
        "bundle",
        tuple(digest for digest, _ in found),
        _repository(names.pop(), what) if len(names) == 1 else None,
        SignedBytes(
            tuple(signed.signatures),
            signed.signed,
            signed.payload,
            None if "publicKey" in material else lambda: _material(document, material, what),
        ),
    )


def _annotated(annotations: Mapping[str, str], what: str) -> Callable[[], Evidence] | None:
    text = annotations.get(CERTIFICATE)
    if not text:
        return None

    def read() -> Evidence:
        certificate = SigningCertificate.from_pem(text, what)
        return Evidence(certificate, log_entry.from_annotation(annotations.get(LOGGED, ""), what))

    return read


def _material(document: Mapping[str, Any], material: Mapping[str, Any], what: str) -> Evidence:
    """Bundles of before 0.3 have a chain, the signer's certificate first; the rest does not count."""
    try:
        found = material.get("certificate") or material["x509CertificateChain"]["certificates"][0]
        der = decode_base64(found["rawBytes"], f"{what}: its certificate")
    except (KeyError, IndexError, TypeError) as fault:
        raise DamagedError(f"{what} has no certificate") from fault
    return Evidence(
        SigningCertificate.parse(der, what), log_entry.from_bundle(material, document.get("mediaType"), what)
    )


def _subject(entry: object, what: str) -> tuple[Digest, str]:
    if not isinstance(entry, dict):
        raise DamagedError(f"{what}: a subject must be an object")
    digest = _object(entry, "digest", what).get("sha256")
    return Digest(f"sha256:{digest}"), str(entry.get("name") or "")


def _repository(name: object, what: str) -> str | None:
    if not name:
        return None
    try:
        return Reference.parse(str(name)).name
    except AirstoreError as fault:
        raise DamagedError(f"{what} names {str(name)[:200]!r}, which is no image reference") from fault


def _object(document: Mapping[str, Any], key: str, what: str) -> dict[str, Any]:
    value = document.get(key)
    if not isinstance(value, dict):
        raise DamagedError(f"{what} lacks {key}")
    return value
