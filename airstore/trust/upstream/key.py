"""Public keys of upstream signers: PEM files as cosign writes them; ECDSA, RSA and Ed25519."""

from __future__ import annotations

import re
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.trust.ssh.algorithm import ED25519

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_PUBLIC = ("PUBLIC KEY", "RSA PUBLIC KEY")
_RSA_BITS = 2048
# SHA-256 is cosign's hash with any curve; its newer versions take the curve's own.
_CURVES: dict[str, tuple[HashAlgorithm, ...]] = {
    SECP256R1.name: (SHA256(),),
    SECP384R1.name: (SHA256(), SHA384()),
    SECP521R1.name: (SHA256(), SHA512()),
}


@frozen
class UpstreamKey:
    """One public key; two are the same when their bytes are.

    Attributes:
        der: SubjectPublicKeyInfo (RFC 5280).
        name: the file that it came from.
    """

    der: bytes
    name: str

    @classmethod
    def parse(cls, data: bytes, what: str, name: str) -> UpstreamKey:
        """From a PEM file with exactly one public key; line ends and space around it do not matter.

        Args:
            data: the file.
            what: the file's name in messages.
            name: what the key is called.

        Raises:
            UsageError: no such key, a private one, several, or one under which signatures prove too little.
        """
        kind, block = _the_block(data, what)
        if kind not in _PUBLIC:
            raise UsageError(f"{what} has no public key but: {kind.lower()}", hint=_hint(kind))
        return cls(_accepted(load_pem_public_key, block.encode(), what), name)

    @classmethod
    def from_der(cls, der: bytes, what: str) -> UpstreamKey:
        """From the bytes of a SubjectPublicKeyInfo.

        Raises:
            UsageError: as `parse` does.
        """
        return cls(_accepted(load_der_public_key, der, what), what)

    @property
    def fingerprint(self) -> Digest:
        """SHA-256 of the DER form, which cosign gives as a hint."""
        return Digest.of(self.der)

    @property
    def pem(self) -> bytes:
        """The key and nothing else, always in the same bytes."""
        return load_der_public_key(self.der).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether this key made the signature over exactly these bytes."""
        key = load_der_public_key(self.der)
        if isinstance(key, EllipticCurvePublicKey):
            ways = [(ECDSA(each),) for each in _CURVES[key.curve.name]]
            return any(_holds(key.verify, signature, data, *way) for way in ways)
        if isinstance(key, RSAPublicKey):
            return _holds(key.verify, signature, data, PKCS1v15(), SHA256())
        return isinstance(key, Ed25519PublicKey) and _holds(key.verify, signature, data)


def _holds(verify: Callable[..., None], *arguments: object) -> bool:
    try:
        verify(*arguments)
    except InvalidSignature:
        return False
    return True


def _the_block(data: bytes, what: str) -> tuple[str, str]:
    if len(data) > LIMITS.key_file:
        raise UsageError(f"{what} is {len(data)} bytes; a public key has a few hundred")
    text = data.decode("utf-8-sig", errors="replace")
    text = "\n".join(line.strip() for line in text.splitlines())
    blocks = [(found[1], found[0]) for found in _BLOCK.finditer(text)]
    if not blocks:
        raise UsageError(f"{what} is not a public key in PEM", hint=_hint(text.strip().partition(" ")[0]))
    if len(blocks) > 1:
        kinds = ", ".join(kind.lower() for kind, _ in blocks)
        raise UsageError(f"{what} holds {len(blocks)} things ({kinds})", hint="one public key a file")
    return blocks[0]


def _hint(kind: str) -> str:
    if "PRIVATE" in kind:
        return (
            "keep it secret and write its public half: cosign public-key --key FILE, or openssl pkey -pubout"
        )
    if kind == "CERTIFICATE":
        return "rules name keys: openssl x509 -pubkey -noout gives the certificate's"
    if kind.startswith(("ssh-", "ecdsa-")):
        return "ssh-keygen -e -m PKCS8 -f FILE writes an OpenSSH key as PEM"
    return "it begins with -----BEGIN PUBLIC KEY-----, as cosign.pub does"


def _accepted(load: Callable[[bytes], PublicKeyTypes], data: bytes, what: str) -> bytes:
    """The DER form of a key under which signatures prove enough."""
    try:
        key = load(data)
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise UsageError(f"{what} is not a public key: {fault}") from fault
    _check(key, what)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _check(key: object, what: str) -> None:
    if isinstance(key, EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise UsageError(f"{what}: keys on the curve {key.curve.name} are not accepted")
    elif isinstance(key, RSAPublicKey):
        if key.key_size < _RSA_BITS:
            raise UsageError(f"{what}: an RSA key of {key.key_size} bits is too weak; {_RSA_BITS} at least")
    elif isinstance(key, Ed25519PublicKey):
        try:
            ED25519.check(key.public_bytes_raw())
        except DamagedError as fault:
            raise UsageError(f"{what}: {fault}") from fault
    else:
        raise UsageError(f"{what}: only ECDSA, RSA and Ed25519 keys are accepted")
