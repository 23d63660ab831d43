"""A certificate authority of the site's own and server certificates under it (RFC 5280, RFC 9525).

Keys are EC P-256, which every container runtime takes. The authority is constrained to sign server
certificates only directly (``pathlen`` 0).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import field

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen

CA_DAYS = 3650
SERVER_DAYS = 825  # what Apple's platforms accept at most for an own authority
RENEW_DAYS = 60  # a certificate that ends sooner is renewed
_SLACK = dt.timedelta(hours=1)  # clocks at sites differ
_LONGEST = 64  # characters of a common name


@frozen
class KeyPair:
    """A certificate (PEM, with the chain where there is one) and its private key (PEM, PKCS#8)."""

    certificate: bytes
    key: bytes = field(repr=False)


def create_authority(name: str, now: dt.datetime) -> KeyPair:
    """A new certificate authority, self-signed, valid for ten years."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    builder = _builder(subject, subject, key.public_key(), now, CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    return KeyPair(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def issue(authority: KeyPair, names: Sequence[str], now: dt.datetime) -> KeyPair:
    """A server certificate for host names and IP addresses; the first is also its common name.

    Raises:
        UsageError: no name, or one that cannot be in a certificate.
        DamagedError: the authority is unreadable.
    """
    if not names:
        raise UsageError("a server certificate needs at least one host name")
    ca, ca_key = _load(authority.certificate), _load_key(authority.key)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_subject(names[0]), ca.subject, key.public_key(), now, SERVER_DAYS)
    alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
    builder = builder.add_extension(alternatives, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = builder.add_extension(server, critical=False)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = builder.add_extension(issuer_key, critical=False)
    return KeyPair(_pem(builder.sign(ca_key, hashes.SHA256())), _key_pem(key))


def unusable(
    pair: KeyPair, names: Sequence[str], now: dt.datetime, authority: bytes | None = None
) -> str | None:
    """Why a server certificate does not serve these names; None if it does.

    Args:
        pair: certificate and key.
        names: host names and IP addresses it must be valid for.
        now: when.
        authority: certificate (PEM) that must have signed it; None: whoever.

    Raises:
        DamagedError: certificate, key or authority are unreadable.
    """
    certificate = _load(pair.certificate)
    if certificate.public_key() != _load_any_key(pair.key):
        return "the private key belongs to another certificate"
    if certificate.not_valid_before_utc > now:
        return f"it is valid from {certificate.not_valid_before_utc:%Y-%m-%d}"
    if certificate.not_valid_after_utc < now:
        return f"it expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    lacking = [name for name in names if not _covers(certificate, name)]
    if lacking:
        return f"it is not valid for {', '.join(lacking)}"
    if authority is not None and not _signed(pair.certificate, _load(authority)):
        return "it is not signed by the given certificate authority"
    return None


def days_left(certificate: bytes, now: dt.datetime) -> int:
    """Whole days until a certificate (PEM) ends; negative after that.

    Raises:
        DamagedError: not a certificate.
    """
    return (_load(certificate).not_valid_after_utc - now).days


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    builder = builder.not_valid_before(now - _SLACK).not_valid_after(now + dt.timedelta(days=days))
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    return builder.add_extension(identifier, critical=False)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_LONGEST])])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as fault:
        raise UsageError(f"not a host name: {name!r}", hint="write it in its ASCII form") from fault


def _covers(certificate: x509.Certificate, name: str) -> bool:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return False
    wanted = _general(name)
    if isinstance(wanted, x509.IPAddress):
        return wanted.value in extension.value.get_values_for_type(x509.IPAddress)
    known = {entry.lower() for entry in extension.value.get_values_for_type(x509.DNSName)}
    return bool({name.lower(), "*." + name.lower().partition(".")[2]} & known)


def _signed(chain: bytes, authority: x509.Certificate) -> bool:
    try:
        certificates = x509.load_pem_x509_certificates(chain)
        for certificate, issuer in zip(certificates, [*certificates[1:], authority], strict=True):
            if certificate != issuer:  # a chain may end with the authority itself
                certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _load(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except ValueError as fault:
        raise DamagedError("not a certificate in PEM form") from fault


def _load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as fault:
        raise DamagedError("not a private key in PEM form without a passphrase") from fault
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise DamagedError("the authority's key is not an elliptic-curve key")
    return key


def _load_any_key(pem: bytes) -> object:
    try:
        return serialization.load_pem_private_key(pem, None).public_key()
    except (ValueError, TypeError) as fault:
        raise DamagedError("not a private key in PEM form without a passphrase") from fault


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
