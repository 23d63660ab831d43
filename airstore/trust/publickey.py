"""Ed25519 public keys in the form that OpenSSH and git read (RFC 8709, RFC 8032)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.signer import SSlibKey

from airstore.core.errors import DamagedError
from airstore.trust.newfile import write_new
from airstore.trust.wire import WireReader, decode_base64, put_string

KEY_TYPE = "ssh-ed25519"
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


@dataclass(frozen=True)
class PublicKey:
    """One Ed25519 public key; two keys are the same when their bytes are.

    Attributes:
        raw: the 32 bytes of RFC 8032.

    Raises:
        DamagedError: not a point in its one canonical encoding, or a point of small order.
    """

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise DamagedError(f"an Ed25519 public key has 32 bytes, not {len(self.raw)}")
        y = int.from_bytes(self.raw, "little") & (2**255 - 1)
        if y >= _FIELD or y in _SMALL_ORDER:
            raise DamagedError("this Ed25519 public key is weak: signatures under it prove nothing")

    @classmethod
    def parse_openssh(cls, text: str, what: str = "public key") -> PublicKey:
        """From one line ``ssh-ed25519 AAAA... comment``.

        Raises:
            DamagedError: not that form, or a key of another type.
        """
        fields = text.strip().split(None, 2)
        if len(text.strip().splitlines()) != 1 or len(fields) < 2:
            raise DamagedError(f"{what} must be one line: {KEY_TYPE} AAAA... comment")
        if fields[0] != KEY_TYPE:
            raise DamagedError(f"{what} is of type {fields[0][:40]!r}; only {KEY_TYPE} is accepted")
        return cls.parse_wire(decode_base64(fields[1], what), what)

    @classmethod
    def parse_wire(cls, data: bytes, what: str = "public key") -> PublicKey:
        """From SSH's wire form (RFC 8709, section 4).

        Raises:
            DamagedError: not that form.
        """
        reader = WireReader(data, what)
        if reader.string() != KEY_TYPE.encode():
            raise DamagedError(f"{what} is not of type {KEY_TYPE}")
        raw = reader.string()
        reader.end()
        return cls(raw)

    @property
    def wire(self) -> bytes:
        """SSH's wire form."""
        return put_string(KEY_TYPE.encode()) + put_string(self.raw)

    @property
    def keyid(self) -> str:
        """SHA-256 in hex of the key's canonical form (TUF 1.0.34, section 4.2); a hint, never a proof."""
        return self.sslib().keyid

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it, for people to compare."""
        digest = base64.b64encode(hashlib.sha256(self.wire).digest()).decode()
        return "SHA256:" + digest.rstrip("=")

    def openssh(self, comment: str = "") -> str:
        """One line for ``.pub`` files, without a newline."""
        return f"{KEY_TYPE} {base64.b64encode(self.wire).decode()} {' '.join(comment.split())}".rstrip()

    def save(self, path: Path, comment: str = "") -> None:
        """Write a ``.pub`` file; an existing file is never overwritten.

        Raises:
            UsageError: the file exists.
            StorageError: the disk is full or failed.
        """
        write_new(path, (self.openssh(comment) + "\n").encode(), 0o644)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether this key made the signature over exactly these bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def sslib(self) -> SSlibKey:
        """The key as `securesystemslib` knows it."""
        return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(self.raw))
