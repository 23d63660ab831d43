"""What kinds of keys there are: Ed25519 (RFC 8032, RFC 8709) and ECDSA on P-256 (FIPS 186-5, RFC 5656).

Signatures are as DSSE and TUF have them: 64 bytes for Ed25519, DER of r and s for ECDSA. OpenSSH has r and s
as two numbers of RFC 4251 in place of DER.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.trust.wire import WireReader, put_number

AnyPublicKey = Ed25519PublicKey | EllipticCurvePublicKey
AnyPrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey

_WHAT = "SSH signature"
_FIELD = 2**255 - 19
# y of the points of order 1, 2, 4 and 8. Under such a key one signature fits messages that nobody signed, and
# OpenSSL does not refuse it.
_SMALL_ORDER = {
    0,
    1,
    _FIELD - 1,
    int.from_bytes(
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
    ),
    int.from_bytes(
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
    ),
}


class Algorithm(Protocol):
    """One kind of key.

    Attributes:
        name: of the key type in OpenSSH.
        fields: strings between name and key in SSH's wire form.
        tuf: type and scheme as TUF has them (1.0.34, section 4.2).
    """

    name: ClassVar[str]
    fields: ClassVar[tuple[bytes, ...]]
    tuf: ClassVar[tuple[str, str]]

    def check(self, raw: bytes) -> None:
        """Raise `DamagedError` unless these are the bytes of a key under which signatures prove something."""

    def load(self, raw: bytes) -> AnyPublicKey:
        """The key for the library."""

    def tuf_form(self, raw: bytes) -> str:
        """The key as TUF has it."""

    def verifies(self, raw: bytes, signature: bytes, data: bytes) -> bool:
        """Whether the key made the signature over exactly these bytes."""

    def to_ssh(self, signature: bytes) -> bytes:
        """The signature as OpenSSH has it."""

    def from_ssh(self, signature: bytes) -> bytes:
        """The other way; raises `DamagedError` where it is not of that form."""


@frozen
class Ed25519:
    """Keys of 32 bytes; the only kind that is made without being asked for another."""

    name: ClassVar[str] = "ssh-ed25519"
    fields: ClassVar[tuple[bytes, ...]] = ()
    tuf: ClassVar[tuple[str, str]] = ("ed25519", "ed25519")

    def check(self, raw: bytes) -> None:
        """Not a point in its one canonical encoding, or a point of small order, is refused."""
        if len(raw) != 32:
            raise DamagedError(f"an Ed25519 public key has 32 bytes, not {len(raw)}")
        y = int.from_bytes(raw, "little") & (2**255 - 1)
        if y >= _FIELD or y in _SMALL_ORDER:
            raise DamagedError("this Ed25519 public key is weak: signatures under it prove nothing")

    def load(self, raw: bytes) -> Ed25519PublicKey:
        """See `Algorithm`."""
        return Ed25519PublicKey.from_public_bytes(raw)

    def tuf_form(self, raw: bytes) -> str:
        """Hex."""
        return raw.hex()

    def verifies(self, raw: bytes, signature: bytes, data: bytes) -> bool:
        """See `Algorithm`."""
        try:
            self.load(raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def to_ssh(self, signature: bytes) -> bytes:
        """The same 64 bytes."""
        return signature

    def from_ssh(self, signature: bytes) -> bytes:
        """The same 64 bytes."""
        if len(signature) != 64:
            raise DamagedError(f"{_WHAT} has {len(signature)} bytes of signature instead of 64")
        return signature


@frozen
class EcdsaP256:
    """Keys of 65 bytes, an uncompressed point: what security tokens and key services have most often."""

    name: ClassVar[str] = "ecdsa-sha2-nistp256"
    fields: ClassVar[tuple[bytes, ...]] = (b"nistp256",)
    tuf: ClassVar[tuple[str, str]] = ("ecdsa", name)

    def check(self, raw: bytes) -> None:
        """The curve has no points of small order; what is not on it is refused."""
        if len(raw) != 65 or raw[0] != 4:
            raise DamagedError("an ECDSA public key on P-256 is an uncompressed point of 65 bytes")
        try:
            self.load(raw)
        except ValueError as fault:
            raise DamagedError("this ECDSA public key is not a point of P-256") from fault

    def load(self, raw: bytes) -> EllipticCurvePublicKey:
        """See `Algorithm`."""
        return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)

    def tuf_form(self, raw: bytes) -> str:
        """PEM (RFC 7468, section 13)."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

        return self.load(raw).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def verifies(self, raw: bytes, signature: bytes, data: bytes) -> bool:
        """See `Algorithm`."""
        try:
            self.load(raw).verify(signature, data, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def to_ssh(self, signature: bytes) -> bytes:
        """Two numbers (RFC 5656, section 3.1.2)."""
        return b"".join(map(put_number, decode_dss_signature(signature)))

    def from_ssh(self, signature: bytes) -> bytes:
        """DER of the two numbers."""
        reader = WireReader(signature, _WHAT)
        r, s = reader.natural(), reader.natural()
        reader.end()
        return encode_dss_signature(r, s)


ED25519, ECDSA_P256 = Ed25519(), EcdsaP256()
ALGORITHMS: dict[str, Algorithm] = {each.name: each for each in (ED25519, ECDSA_P256)}
# How people name them on the command line.
KINDS: dict[str, Callable[[], AnyPrivateKey]] = {
    "ed25519": Ed25519PrivateKey.generate,
    "ecdsa-p256": lambda: generate_private_key(SECP256R1()),
}


def public_of(key: AnyPublicKey) -> tuple[Algorithm, bytes] | None:
    """Kind and bytes of a key of the library; None for an elliptic curve of another name."""
    if isinstance(key, Ed25519PublicKey):
        return ED25519, key.public_bytes_raw()
    if not isinstance(key.curve, SECP256R1):
        return None
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    return ECDSA_P256, key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def signature_of(key: AnyPrivateKey, data: bytes) -> bytes:
    """Sign; the same data give the same signature (RFC 6979 for ECDSA), and so the same release again."""
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, ECDSA(SHA256(), deterministic_signing=True))
