"""Public keys in the form that OpenSSH and git read (RFC 4253, RFC 8709, RFC 5656)."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.trust.ssh.algorithm import ALGORITHMS, ED25519, Algorithm
from airstore.trust.ssh.newfile import write_new
from airstore.trust.wire import WireReader, decode_base64, put_string

_FINGERPRINT = "SHA256:"
_TYPES = " or ".join(ALGORITHMS)


@frozen
class PublicKey:
    """One public key; two keys are the same when their bytes are.

    Attributes:
        raw: the bytes of its point.
        algorithm: what kind of key it is.

    Raises:
        DamagedError: not a point in its one canonical encoding, or one under which signatures prove nothing.
    """

    raw: bytes
    algorithm: Algorithm = ED25519

    def __post_init__(self) -> None:
        self.algorithm.check(self.raw)

    @classmethod
    def parse_openssh(cls, text: str, what: str = "public key") -> PublicKey:
        """From one line ``ssh-ed25519 AAAA... comment`` or ``ecdsa-sha2-nistp256 AAAA... comment``.

        Raises:
            DamagedError: not that form, or a key of another type.
        """
        fields = text.strip().split(None, 2)
        if len(text.strip().splitlines()) != 1 or len(fields) < 2:
            raise DamagedError(f"{what} must be one line: {ED25519.name} AAAA... comment")
        if fields[0] not in ALGORITHMS:
            raise DamagedError(f"{what} is of type {fields[0][:40]!r}; only {_TYPES} are accepted")
        key = cls.parse_wire(decode_base64(fields[1], what), what)
        if key.algorithm.name != fields[0]:
            raise DamagedError(f"{what} says that it is {fields[0]}, and is {key.algorithm.name}")
        return key

    @classmethod
    def parse_wire(cls, data: bytes, what: str = "public key") -> PublicKey:
        """From SSH's wire form (RFC 8709, section 4; RFC 5656, section 3.1).

        Raises:
            DamagedError: not that form.
        """
        reader = WireReader(data, what)
        algorithm = ALGORITHMS.get(reader.string().decode("latin-1"))
        if algorithm is None:
            raise DamagedError(f"{what} is not of type {_TYPES}")
        for field in algorithm.fields:
            if reader.string() != field:
                raise DamagedError(f"{what} is not a key of type {algorithm.name}")
        raw = reader.string()
        reader.end()
        return cls(raw, algorithm)

    @property
    def wire(self) -> bytes:
        """SSH's wire form."""
        return b"".join(map(put_string, (self.algorithm.name.encode(), *self.algorithm.fields, self.raw)))

    @property
    def keyid(self) -> str:
        """SHA-256 in hex of the key's canonical form (TUF 1.0.34, section 4.2); a hint, never a proof."""
        kind, scheme = self.algorithm.tuf
        form = self.algorithm.tuf_form(self.raw)  # canonical JSON has its newlines as they are
        text = f'{{"keytype":"{kind}","keyval":{{"public":"{form}"}},"scheme":"{scheme}"}}'
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it, for people to compare."""
        digest = base64.b64encode(hashlib.sha256(self.wire).digest()).decode()
        return _FINGERPRINT + digest.rstrip("=")

    def openssh(self, comment: str = "") -> str:
        """One line for ``.pub`` files, without a newline."""
        encoded = base64.b64encode(self.wire).decode()
        return f"{self.algorithm.name} {encoded} {' '.join(comment.split())}".rstrip()

    def save(self, path: Path, comment: str = "") -> None:
        """Write a ``.pub`` file; an existing file is never overwritten.

        Raises:
            UsageError: the file exists.
            StorageError: the disk is full or failed.
        """
        write_new(path, (self.openssh(comment) + "\n").encode(), 0o644)

    def save_named(self, path: Path, name: str) -> None:
        """As `save`, with its holder and fingerprint beside the key, so that a changed letter is noticed."""
        self.save(path, f"{name} {self.fingerprint}")

    @classmethod
    def load_named(cls, path: Path) -> PublicKey:
        """What `save_named` wrote; files without a fingerprint are read as they are.

        Raises:
            DamagedError: it is no key, or another one than its fingerprint says.
            StorageError: it cannot be read.
        """
        with storage_errors(path):
            text = path.read_bytes().decode(errors="replace")
        key = cls.parse_openssh(text, str(path))
        *_, last = text.split()
        if last.startswith(_FINGERPRINT) and last != key.fingerprint:
            raise DamagedError(f"{path} is not the key that its fingerprint says: {last}")
        return key

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether this key made the signature over exactly these bytes."""
        return self.algorithm.verifies(self.raw, signature, data)

    def ssh_signature(self, signature: bytes) -> bytes:
        """A signature by this key in SSH's wire form (RFC 4253, section 6.6)."""
        return put_string(self.algorithm.name.encode()) + put_string(self.algorithm.to_ssh(signature))

    def parse_signature(self, wire: bytes, what: str) -> bytes:
        """The other way.

        Raises:
            DamagedError: not that form, or a signature by a key of another kind.
        """
        reader = WireReader(wire, what)
        if reader.string() != self.algorithm.name.encode():
            raise DamagedError(f"{what} is not of type {self.algorithm.name}")
        signature = self.algorithm.from_ssh(reader.string())
        reader.end()
        return signature
