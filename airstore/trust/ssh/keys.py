"""Private keys in OpenSSH's file format (PROTOCOL.key), which stock ssh-keygen and git use."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm

from airstore.core.errors import NotFoundError, NotTrustedError, UsageError
from airstore.core.limits import LIMITS
from airstore.trust.ssh.algorithm import KINDS, AnyPrivateKey, public_of, signature_of
from airstore.trust.ssh.newfile import write_new
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.wire import put_string

# The library's reader and writer of key files takes a part of a short command's time to load, and who only
# verifies does without.

__all__ = ["Passphrase", "PrivateKey", "PublicKey"]

Passphrase = Callable[[], bytes]


class PrivateKey:
    """One private key. Its text form shows the public fingerprint only."""

    __slots__ = ("_key", "public")

    def __init__(self, key: AnyPrivateKey) -> None:
        found = public_of(key.public_key())
        if found is None:
            raise UsageError("an elliptic curve of another name than P-256")
        self._key = key
        self.public = PublicKey(found[1], found[0])

    @classmethod
    def generate(cls, kind: str = "ed25519") -> PrivateKey:
        """A new key from the system's random numbers; ``kind`` is one of `KINDS`."""
        return cls(KINDS[kind]())

    @classmethod
    def load(cls, path: Path, passphrase: Passphrase | None = None) -> PrivateKey:
        """Read a key file; ``passphrase`` is called only where the file asks for one.

        Raises:
            NotFoundError: no such file, or it cannot be read.
            NotTrustedError: others may read the file, or the passphrase is wrong.
            UsageError: not an Ed25519 or ECDSA P-256 key in OpenSSH format, or no passphrase is at hand that
                it needs.
        """
        data = _read_private(path)
        key: object
        from cryptography.hazmat.primitives.serialization import load_ssh_private_key  # noqa: PLC0415

        try:
            key = load_ssh_private_key(data, None)
        except TypeError:  # how cryptography says that there is a passphrase
            key = _decrypt(path, data, passphrase)
        except (ValueError, UnsupportedAlgorithm) as fault:
            raise _not_a_key(path, str(fault)) from fault
        if not isinstance(key, AnyPrivateKey) or public_of(key.public_key()) is None:
            raise _not_a_key(path, "it is a key of another type")
        loaded = cls(key)
        if loaded.public.wire not in _body(data):  # the library takes any 32 bytes for a secret
            raise _not_a_key(path, "its secret part does not belong to its public one: it is damaged")
        return loaded

    @staticmethod
    def names(path: Path, key: PublicKey) -> bool:
        """Whether a private key's file says that this is its public half; it does so before any passphrase.

        Raises:
            NotFoundError, NotTrustedError, UsageError: as `load`.
        """
        try:
            return put_string(key.wire) in _body(_read_private(path))
        except ValueError as fault:
            raise _not_a_key(path, "it is damaged") from fault

    def save(self, path: Path, passphrase: bytes | None = None) -> None:
        """Write a key file that its owner alone can read; with a passphrase it is encrypted (bcrypt-kdf).

        Raises:
            UsageError: the file exists, or the passphrase is empty.
            StorageError: the disk is full or failed.
        """
        if passphrase is not None and not passphrase:
            raise UsageError("the passphrase is empty", hint="give one, or ask for a key without passphrase")
        write_new(path, self._serialize(passphrase), 0o600)

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data``, as `PublicKey.verifies` takes it; the same for the same data."""
        return signature_of(self._key, data)

    def _serialize(self, passphrase: bytes | None) -> bytes:
        from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415

        protection: form.KeySerializationEncryption = form.NoEncryption()
        if passphrase is not None:
            protection = form.BestAvailableEncryption(passphrase)
        return self._key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, protection)

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.fingerprint})"


def _read_private(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe must not hold us up
        with os.fdopen(handle, "rb") as file:
            _check_private(path, os.fstat(file.fileno()))
            data = file.read(LIMITS.key_file + 1)
    except OSError as fault:
        raise NotFoundError(f"cannot read the private key {path}: {fault.strerror}") from fault
    if len(data) > LIMITS.key_file:
        raise _not_a_key(path, f"it is larger than {LIMITS.key_file} bytes")
    return data


def _body(data: bytes) -> bytes:
    """What the lines between the markers say; the public key is there in clear, always."""
    return base64.b64decode(data.partition(b"PRIVATE KEY-----")[2].partition(b"-----END")[0])


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _not_a_key(path, "it is not a regular file")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise NotTrustedError(
            f"the private key {path} is open to other users (mode {mode:04o})", hint=f"run: chmod 600 {path}"
        )


def _decrypt(path: Path, data: bytes, passphrase: Passphrase | None) -> object:
    if passphrase is None:
        raise UsageError(f"the private key {path} is protected by a passphrase and none was given")
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key  # noqa: PLC0415

    try:
        return load_ssh_private_key(data, passphrase())
    except (TypeError, ValueError, UnsupportedAlgorithm) as fault:  # TypeError: an empty passphrase
        raise NotTrustedError(
            f"the private key {path} does not open: wrong passphrase, or the file is damaged"
        ) from fault


def _not_a_key(path: Path, reason: str) -> UsageError:
    return UsageError(
        f"{path} is not an Ed25519 or ECDSA P-256 private key in OpenSSH format: {reason}",
        hint="make one with: airstore key generate NAME (or ssh-keygen -t ed25519)",
    )
