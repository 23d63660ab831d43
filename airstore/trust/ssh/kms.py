"""Keys in a key management service: it signs, and never gives a private key away.

What speaks to the service is securesystemslib with the provider's own library; a key is named by
securesystemslib's URI, which a public key's file has as its comment. Services sign bytes as they are, so
SSH's form of a signature (`airstore.trust.ssh.sshsig`) needs nothing of them that an envelope does not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.exceptions import UnsupportedAlgorithmError, UnsupportedLibraryError
from securesystemslib.signer import AWSSigner, Key, Signer, SSlibKey, VaultSigner

from airstore.core.errors import AirstoreError, NotTrustedError, TransferError, UsageError
from airstore.core.frozen import frozen
from airstore.trust.ssh.algorithm import ALGORITHMS, public_of
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.ssh.uri import EXTRAS, is_kms_uri

_P256 = "ecdsa-sha2-nistp256"
FORMS = "hv:NAME, Ed25519 in HashiCorp Vault; awskms:KEY, P-256 at AWS"
logging.getLogger("securesystemslib").addHandler(logging.NullHandler())  # what it says is in our message


@frozen
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
            return cls(from_sslib(key), found)

    def sign(self, data: bytes) -> bytes:
        """The signature over ``data``, as `PublicKey.verifies` takes it.

        Raises:
            NotTrustedError: the service signed with another key.
            UsageError, TransferError: as `ask`.
        """
        with _answering(self.uri):
            service = Signer.from_priv_key_uri(self.uri, to_sslib(self.public))
            signature = bytes.fromhex(service.sign(data).signature)
        if not self.public.verifies(signature, data):
            raise NotTrustedError(
                f"the signature of {self.uri} is not by {self.public.fingerprint}",
                hint="is it that account, and that version of the key?",
            )
        return signature


def to_sslib(key: PublicKey) -> SSlibKey:
    """A key as `securesystemslib` knows it."""
    return SSlibKey.from_crypto(key.algorithm.load(key.raw))


def from_sslib(key: Key) -> PublicKey:
    """The other way.

    Raises:
        UsageError: a key of another kind.
    """
    form = str(key.keyval.get("public"))
    if key.keytype == "ed25519":
        return PublicKey(bytes.fromhex(form))
    found = load_pem_public_key(form.encode())
    known = public_of(found) if isinstance(found, EllipticCurvePublicKey) else None
    if known is None:
        raise UsageError(
            f"a key of type {key.scheme} cannot sign here; only {' or '.join(ALGORITHMS)} are accepted"
        )
    return PublicKey(known[1], known[0])


@contextmanager
def _answering(uri: str) -> Iterator[None]:
    """Errors of whatever library it is, each with classes of its own, as one that says what to do."""
    extra = EXTRAS[uri.partition(":")[0]]
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
