"""Who must have signed an image upstream: the product file's rules, and what ``release.json`` says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest


@frozen
class RuleIdentity:
    """Whose certificates a rule takes.

    Attributes:
        identity: glob pattern over the mail address or URI in the certificate.
        issuer: URL of the OIDC provider that vouched for it, exactly.
        trusted_root: file in the product's directory that says which authorities and logs count.
    """

    identity: str
    issuer: str
    trusted_root: str


@frozen
class SignatureRule:
    """One rule of ``images.signatures``.

    Attributes:
        images: glob patterns over ``HOST/PATH:TAG``; the rule is for images that fit one of them.
        keys: files of public keys in the product's directory; a signature by one of them is enough.
        signed_as: glob patterns over the repository that the signature names; empty means the image's own.
        identity: in place of keys, whose certificates count; None where there are keys.
    """

    images: tuple[str, ...]
    keys: tuple[str, ...]
    signed_as: tuple[str, ...] = ()
    identity: RuleIdentity | None = None

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> SignatureRule:
        """From a rule that the schema has let through."""
        identity = None
        if "identity" in entry:
            identity = RuleIdentity(entry["identity"], entry["issuer"], entry["trustedRoot"])
        keys, signed_as = tuple(entry.get("keys", ())), tuple(entry.get("signedAs", ()))
        return cls(tuple(entry["images"]), keys, signed_as, identity)


@frozen
class CertificateHolder:
    """Whom a certificate is for, and the OIDC provider that vouched for that."""

    identity: str
    issuer: str

    def __str__(self) -> str:
        return f"{self.identity} of {self.issuer}"


@frozen
class UpstreamSignature:
    """An upstream signature of an image that the publisher verified.

    Attributes:
        rule: the pattern that asked for it.
        key: file of the key in the release's tree; of the trusted root, where a certificate's key signed.
        fingerprint: SHA-256 of the key as DER (SubjectPublicKeyInfo), which cosign gives as a hint; or of the
            trusted root.
        digest: the manifest that carries the signature; one of the image's referrers.
        form: ``simple-signing`` or ``bundle``.
        signed_as: the repository that the signer named; None where the signature names none.
        holder: of the certificate; None where a key of the product file signed.
    """

    rule: str
    key: str
    fingerprint: Digest
    digest: Digest
    form: str
    signed_as: str | None
    holder: CertificateHolder | None = None

    @property
    def signer(self) -> str:
        """Who signed, for people."""
        return str(self.holder) if self.holder else self.key

    def to_json(self) -> dict[str, Any]:
        """As ``release.json`` has it."""
        return {
            "rule": self.rule,
            "key": self.key,
            "fingerprint": str(self.fingerprint),
            "digest": str(self.digest),
            "form": self.form,
            **({"signedAs": self.signed_as} if self.signed_as else {}),
            **({"identity": self.holder.identity, "issuer": self.holder.issuer} if self.holder else {}),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> UpstreamSignature:
        """From ``release.json``, which was held against its schema."""
        return cls(
            entry["rule"],
            entry["key"],
            Digest(entry["fingerprint"]),
            Digest(entry["digest"]),
            entry["form"],
            entry.get("signedAs"),
            CertificateHolder(entry["identity"], entry["issuer"]) if "identity" in entry else None,
        )

    def __str__(self) -> str:
        by = f"{self.holder} by {self.key}" if self.holder else self.key
        return f"{by} ({self.fingerprint}) in {self.digest}"


def signatures_to_json(signatures: Iterable[UpstreamSignature]) -> dict[str, Any]:
    """The field of an image; none where there is none, so that older releases stay the same bytes."""
    entries = [signature.to_json() for signature in signatures]
    return {"signatures": entries} if entries else {}


def signatures_from_json(image: Mapping[str, Any]) -> tuple[UpstreamSignature, ...]:
    """From an image of ``release.json``, which was held against its schema."""
    return tuple(map(UpstreamSignature.from_json, image.get("signatures", ())))
