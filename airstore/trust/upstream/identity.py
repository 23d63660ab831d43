"""Signers by the identity in a certificate (keyless), by a carried trusted root: no network, no clock."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from airstore.core.errors import AirstoreError, NotTrustedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.trust.upstream.certificate import SigningCertificate
from airstore.trust.upstream.log_entry import LogEntry
from airstore.trust.upstream.trusted_root import TrustedRoot


@frozen
class Evidence:
    """What came with a signature that a certificate's key made."""

    certificate: SigningCertificate
    entry: LogEntry


@frozen
class SignedBytes:
    """A signature.

    Attributes:
        data: what it is over.
        payload: of that, without an envelope.
        evidence: reads what came with it; None where a key alone made it.
    """

    signatures: tuple[bytes, ...]
    data: bytes
    payload: bytes
    evidence: Callable[[], Evidence] | None


@frozen
class UpstreamIdentity:
    """Whoever an issuer gave an identity to, at the time that a log says.

    Attributes:
        identity: a mail address or URI, a pattern of `fnmatch` where ``exact`` is not set.
        issuer: the OIDC provider's URL, exactly.
    """

    identity: str
    issuer: str
    root: TrustedRoot
    exact: bool = False

    @property
    def name(self) -> str:
        """Where the release's tree has the trusted root."""
        return self.root.name

    @property
    def fingerprint(self) -> Digest:
        """Of the trusted root."""
        return self.root.fingerprint

    def __str__(self) -> str:
        return f"{self.identity} of {self.issuer}"

    def signer_of(self, signed: SignedBytes) -> str:
        """Who made a signature, as its certificate has it.

        Raises:
            NotTrustedError: it is by nobody who is meant here, with the reason.
            DamagedError, UsageError: what came with it cannot be read.
        """
        if signed.evidence is None:
            raise NotTrustedError("it is by a key, without a certificate")
        evidence = signed.evidence()
        certificate, entry = evidence.certificate, evidence.entry
        entry.vouched(self.root)
        certificate.check(self.root, entry.time)
        signature = next(
            (each for each in signed.signatures if certificate.key.verifies(each, signed.data)), None
        )
        if signature is None:
            raise NotTrustedError("its certificate's key did not make it")
        entry.check_covers(signature, signed.payload, certificate.der)
        return self._meant(certificate)

    def verdict(self, signed: SignedBytes) -> str | None:
        """Why a signature does not count; None where it does."""
        try:
            self.signer_of(signed)
        except AirstoreError as fault:
            return str(fault)
        return None

    def _meant(self, certificate: SigningCertificate) -> str:
        names, issuer = certificate.identities, certificate.issuer
        found = [
            each
            for each in names
            if each == self.identity or (not self.exact and fnmatchcase(each, self.identity))
        ]
        if not found or issuer != self.issuer:
            other = [
                part for part, same in (("identity", found), ("issuer", issuer == self.issuer)) if not same
            ]
            by = f"{' and '.join(names) or 'nobody'} of {issuer or 'no issuer'}"
            raise NotTrustedError(f"it is by {by}: another {' and another '.join(other)}")
        return found[0]
