"""What signs: a key in a file, in a key management service, or in an ssh-agent."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from airstore.core.errors import NotFoundError
from airstore.trust.ssh.agent import AgentKey
from airstore.trust.ssh.keys import Passphrase, PrivateKey
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.ssh.uri import is_kms_uri


class SigningKey(Protocol):
    """A key that can sign now."""

    @property
    def public(self) -> PublicKey:
        """Its public half."""

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data``, as `PublicKey.verifies` takes it."""


def load_signing_key(path: Path, passphrase: Passphrase | None, agent: Path | None) -> SigningKey:
    """A private key's file; or a public one whose private half is elsewhere.

    Where the comment of the public one is the URI of a key management service, that signs; else, as git has
    it, an ssh-agent.

    Args:
        path: ``NAME`` or ``NAME.pub``; where only ``NAME.pub`` is there, the agent is asked.
        passphrase: see `PrivateKey.load`.
        agent: its socket.

    Raises:
        NotFoundError: no such file, no agent, or the agent does not hold the key.
        NotTrustedError, UsageError: as `PrivateKey.load`.
        DamagedError: not a public key, or what answers is no agent.
    """
    public = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    if path == public or (public.is_file() and not path.exists()):
        text = _read_text(public)
        key, comment = PublicKey.parse_openssh(text, str(public)), _comment(text)
        return _kms_key(key, comment) if is_kms_uri(comment) else AgentKey.find(key, agent)
    return PrivateKey.load(path, passphrase)


def _comment(text: str) -> str:
    return text.strip().partition(" ")[2].partition(" ")[2]


def _kms_key(key: PublicKey, uri: str) -> SigningKey:
    from airstore.trust.ssh.kms import KmsKey  # noqa: PLC0415 - loads the libraries of every service

    return KmsKey(key, uri)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as fault:
        raise NotFoundError(f"cannot read the public key {path}: {fault.strerror}") from fault
