"""Certificates of signers, as Fulcio issues them for some minutes: chain, log of certificates, who it is.

Sources: RFC 5280; RFC 6962, section 3.2 (precertificates); Fulcio's certificate specification and its OIDs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import (
    Certificate,
    DuplicateExtension,
    ExtendedKeyUsage,
    ExtensionNotFound,
    InvalidVersion,
    ObjectIdentifier,
    PrecertificateSignedCertificateTimestamps,
    RFC822Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    UnrecognizedExtension,
    UnsupportedGeneralNameType,
    load_der_x509_certificate,
    load_pem_x509_certificate,
)
from cryptography.x509.certificate_transparency import SignedCertificateTimestamp
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from airstore.core.errors import DamagedError, NotTrustedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.trust.upstream.key import UpstreamKey
from airstore.trust.upstream.trusted_root import Authority, TrustedRoot

_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")  # a UTF8String in DER
_OLD_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")  # the text alone
_UTF8 = 0x0C
_FAULTS = (ValueError, InvalidVersion, DuplicateExtension, UnsupportedGeneralNameType)


@frozen
class SigningCertificate:
    """A certificate that came with a signature; nothing in it is trusted before `check`."""

    certificate: Certificate

    @classmethod
    def from_pem(cls, text: str, what: str) -> SigningCertificate:
        """From PEM; what comes after the first certificate does not count.

        Raises:
            DamagedError: as `parse` does.
        """
        try:
            der = load_pem_x509_certificate(text.encode()).public_bytes(Encoding.DER)
        except _FAULTS as fault:
            raise DamagedError(f"{what}: its certificate cannot be read: {fault}") from fault
        return cls.parse(der, what)

    @classmethod
    def parse(cls, der: bytes, what: str) -> SigningCertificate:
        """From DER.

        Raises:
            DamagedError: not a certificate, or its extensions cannot be read.
        """
        try:
            certificate = load_der_x509_certificate(der)
            _ = certificate.extensions, certificate.not_valid_before_utc, certificate.not_valid_after_utc
        except _FAULTS as fault:
            raise DamagedError(f"{what}: its certificate cannot be read: {fault}") from fault
        return cls(certificate)

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def key(self) -> UpstreamKey:
        """What signed.

        Raises:
            UsageError: a key of a kind that is not accepted.
        """
        return UpstreamKey.from_der(_spki(self.certificate), "the certificate's key")

    @property
    def identities(self) -> tuple[str, ...]:
        """Mail addresses and URIs that it is for."""
        try:
            names = self.certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
        except ExtensionNotFound:
            return ()
        return (*names.get_values_for_type(RFC822Name), *names.get_values_for_type(UniformResourceIdentifier))

    @property
    def issuer(self) -> str | None:
        """Who said who it is (an OIDC provider); None where nothing is said."""
        for oid in (_ISSUER, _OLD_ISSUER):
            try:
                extension = self.certificate.extensions.get_extension_for_oid(oid).value
            except ExtensionNotFound:
                continue
            if isinstance(extension, UnrecognizedExtension):
                return _text(extension.value, oid)
        return None

    def check(self, root: TrustedRoot, when: datetime) -> None:
        """Verify that an authority issued it for signing, that it was valid at a time, and was logged.

        Raises:
            NotTrustedError: it is not so.
        """
        valid = self.certificate.not_valid_before_utc <= when <= self.certificate.not_valid_after_utc
        if not valid:
            moment = f"{when:%Y-%m-%dT%H:%M:%SZ}"
            raise NotTrustedError(f"its certificate was not valid at {moment}, when the log took it in")
        chain = self._chain(root, when)
        try:
            usage = self.certificate.extensions.get_extension_for_class(ExtendedKeyUsage).value
        except ExtensionNotFound:
            usage = ExtendedKeyUsage([])
        if ExtendedKeyUsageOID.CODE_SIGNING not in usage:
            raise NotTrustedError("its certificate is not for signing code")
        if not any(self._logged(each, chain[1], root) for each in self._timestamps()):
            raise NotTrustedError(f"its certificate is in no log of certificates of {root.name}")

    def _chain(self, root: TrustedRoot, when: datetime) -> list[Certificate]:
        authorities = [each for each in root.authorities if each.period.holds(when)]
        for authority in authorities:
            try:
                return _verified(self.certificate, authority, when)
            except (VerificationError, UnsupportedGeneralNameType):
                continue
        raise NotTrustedError(
            f"its certificate is by no authority of {root.name} that was good at {when:%Y-%m-%d}"
        )

    def _timestamps(self) -> Iterator[SignedCertificateTimestamp]:
        try:
            found = self.certificate.extensions.get_extension_for_class(
                PrecertificateSignedCertificateTimestamps
            )
        except ExtensionNotFound:
            return
        yield from list(found.value)[:8]

    def _logged(self, stamp: SignedCertificateTimestamp, issuer: Certificate, root: TrustedRoot) -> bool:
        if not isinstance(stamp.signature_hash_algorithm, SHA256):
            return False  # nothing else is used; the library gives only those of precertificates
        when = stamp.timestamp.replace(tzinfo=UTC)
        signed = _stamped(stamp, when, self.certificate.tbs_precertificate_bytes, issuer)
        return any(
            log.key.verifies(stamp.signature, signed)
            for log in root.certificate_logs
            if log.id == stamp.log_id and log.period.holds(when)
        )


def _verified(certificate: Certificate, authority: Authority, when: datetime) -> list[Certificate]:
    # The library's policy for clients asks for their extended usage; a signer has another, see `check`.
    authorities = ExtensionPolicy.webpki_defaults_ca().may_be_present(
        ExtendedKeyUsage, Criticality.AGNOSTIC, None
    )
    signers = ExtensionPolicy.webpki_defaults_ee().may_be_present(
        ExtendedKeyUsage, Criticality.AGNOSTIC, None
    )
    builder = PolicyBuilder().store(Store([authority.chain[-1]])).time(when.replace(tzinfo=None))
    builder = builder.extension_policies(ca_policy=authorities, ee_policy=signers)
    return builder.build_client_verifier().verify(certificate, list(authority.chain[:-1])).chain


def _stamped(stamp: SignedCertificateTimestamp, when: datetime, tbs: bytes, issuer: Certificate) -> bytes:
    """RFC 6962, section 3.2: what a log of certificates signs of a precertificate, lengths big-endian.

    | bytes | meaning |
    | --- | --- |
    | 1, 1 | version, 0: a certificate's timestamp |
    | 8 | milliseconds since the epoch |
    | 2 | 1: a precertificate |
    | 32 | SHA-256 of the issuer's key |
    | 3 + n | the certificate without its timestamps and signature |
    | 2 + n | extensions |
    """
    milliseconds = int(when.timestamp()) * 1000 + when.microsecond // 1000
    extensions = stamp.extension_bytes
    return b"".join(
        (
            bytes((stamp.version.value, 0)),
            milliseconds.to_bytes(8, "big"),
            (1).to_bytes(2, "big"),
            bytes.fromhex(Digest.of(_spki(issuer)).hex),
            len(tbs).to_bytes(3, "big") + tbs,
            len(extensions).to_bytes(2, "big") + extensions,
        )
    )


def _spki(certificate: Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _text(value: bytes, oid: ObjectIdentifier) -> str | None:
    """An issuer; None where the bytes are no text of that form (lengths above 127 take a byte more)."""
    if oid == _ISSUER:
        long = value[1:2] == b"\x81"
        head, text = value[:1], value[3 if long else 2 :]
        if head != bytes((_UTF8,)) or value[2 if long else 1 : 3 if long else 2] != bytes((len(text) % 256,)):
            return None
        value = text
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
