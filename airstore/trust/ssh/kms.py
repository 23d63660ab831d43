"""Keys in a key management service: it signs, and never gives a private key away.

What speaks to the service is securesystemslib with the provider's own library; a key is named by
securesystemslib's URI, which a public key's file has as its comment. Services sign bytes as they are, so
SSH's form of a signature (`airstore.trust.ssh.sshsig`) needs nothing of them that an envelope does not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from securesystemslib.exceptions import UnsupportedAlgorithmError, UnsupportedLibraryError
from securesystemslib.signer import AWSSigner, Key, SecretsHandler, Signature, Signer, VaultSigner

from airstore.core.errors import AirstoreError, NotTrustedError, TransferError, UsageError
from airstore.trust.ssh.publickey import PublicKey

_EXTRAS = {"hv": "kms-vault", "awskms": "kms-aws"}
_P256 = "ecdsa-sha2-nistp256"
FORMS = "hv:NAME, Ed25519 in HashiCorp Vault; awskms:KEY, P-256 at AWS"
logging.getLogger("securesystemslib").addHandler(logging.NullHandler())  # what it says is in our message


def is_kms_uri(text: str) -> bool:
    """Whether a text names a key of a service."""
    return text.partition(":")[0] in _EXTRAS and ":" in text


@dataclass(frozen=True)
class KmsKey:
    """One key of a service.

    Attributes:
        uri: securesystemslib's, such as ``hv:release/1`` or ``awskms:alias/release``. Whose account
            it is, and at which address, is in the provider's own variables and files.
    """

    public: PublicKey
    uri: str

    @classmethod
    def ask(cls, uri: str) -> KmsKey:
        """A key by what its service says of it; without a version it is the newest.

        Raises:
            UsageError: not such a URI, a library is missing, or it is a key of another kind.
            TransferError: the service refused or did not answer.
        """
        scheme, _, name = uri.partition(":")
        if not (is_kms_uri(uri) and name):
            raise UsageError(f"{uri!r} names no key of a service", hint=f"keys are: {FORMS}")
        with _answering(uri):  # Vault's keys are read as Ed25519, those of AWS as P-256; others are refused
            found, key = VaultSigner.import_(name) if scheme == "hv" else AWSSigner.import_(name, _P256)
            return cls(PublicKey.of_sslib(key), found)

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data``, as `PublicKey.verifies` takes it.

        Raises:
            NotTrustedError: the service signed with another key.
            UsageError, TransferError: as `ask`.
        """
        with _answering(self.uri):
            service = Signer.from_priv_key_uri(self.uri, self.public.sslib())
            signature = bytes.fromhex(service.sign(data).signature)
        if not self.public.verifies(signature, data):
            raise NotTrustedError(
                f"the signature of {self.uri} is not by {self.public.fingerprint}",
                hint="is it that account, and that version of the key?",
            )
        return signature

    def signer(self) -> Signer:
        """The key as a `securesystemslib` signer."""
        return _KmsSigner(self)


class _KmsSigner(Signer):
    """What an envelope asks for: `KmsKey.sign`, which verifies what the service answers."""

    def __init__(self, key: KmsKey) -> None:
        self._key = key

    @property
    def public_key(self) -> Key:
        return self._key.public.sslib()

    @classmethod
    def from_priv_key_uri(
        cls,
        priv_key_uri: str,
        public_key: Key,
        secrets_handler: SecretsHandler | None = None,  # noqa: ARG003 - a service has credentials of its own
    ) -> Signer:
        return cls(KmsKey(PublicKey.of_sslib(public_key), priv_key_uri))

    def sign(self, payload: bytes) -> Signature:
        return Signature(self.public_key.keyid, self._key.sign(payload).hex())


@contextmanager
def _answering(uri: str) -> Iterator[None]:
    """Errors of whatever library it is, each with classes of its own, as one that says what to do."""
    extra = _EXTRAS[uri.partition(":")[0]]
    try:
        yield
    except AirstoreError:
        raise
    except UnsupportedLibraryError as fault:
        raise UsageError(
            f"signing with {uri} needs a library that is not installed",
            hint=f"pip install 'airstore[{extra}]'",
        ) from fault
    except (UnsupportedAlgorithmError, ValueError) as fault:
        raise UsageError(f"{uri} is no key that can sign here: {fault}", hint=f"keys are: {FORMS}") from fault
    except Exception as fault:
        said = " ".join(str(fault).split()) or type(fault).__name__
        raise TransferError(
            f"{uri}: the service did not do it: {said}",
            hint="look at the address and the credentials, which are in the provider's own variables",
        ) from fault
