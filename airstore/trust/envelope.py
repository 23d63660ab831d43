"""Signed envelopes: DSSE 1.0.2 (protocol.md, envelope.md), made by `securesystemslib` signers.

Verification is our own over its pre-authentication encoding, for two reasons measured on 1.6.0: its
``verify`` counts one key under two ids as two, and it demands a key id, which DSSE calls an
unauthenticated hint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from securesystemslib.dsse import Envelope as SslibEnvelope
from securesystemslib.signer import Signature, Signer

from airstore.core.errors import AirstoreError, DamagedError, NotTrustedError, UsageError
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson
from airstore.trust.role import Role
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.ssh.signing import SigningKey
from airstore.trust.wire import decode_base64


@dataclass(frozen=True)
class Envelope:
    """An envelope as read; nothing in it is trusted yet."""

    payload: bytes
    payload_type: str
    signatures: tuple[bytes, ...]

    def signed_by(self, keys: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
        """Those of ``keys`` that signed, each once; key ids in the envelope play no part."""
        signed = self.signed
        return tuple(
            key for key in dict.fromkeys(keys) if any(key.verifies(sig, signed) for sig in self.signatures)
        )

    def by(self, key: PublicKey) -> bytes:
        """The signature of a key that has signed; always the same one, where it has several."""
        return min(sig for sig in self.signatures if key.verifies(sig, self.signed))

    @property
    def signed(self) -> bytes:
        """The bytes that signatures are over."""
        return SslibEnvelope(self.payload, self.payload_type, {}).pae()


def sign(payload: bytes, payload_type: str, keys: Sequence[SigningKey]) -> bytes:
    """Sign a payload with key files; the envelope as JSON.

    Raises:
        UsageError: no key, one key twice, or a payload type that is not ASCII.
    """
    return sign_with(payload, payload_type, [key.signer() for key in keys])


def sign_with(payload: bytes, payload_type: str, signers: Sequence[Signer]) -> bytes:
    """Sign a payload with any `securesystemslib` signers: key files, PKCS#11, KMS, Vault.

    Raises:
        UsageError: no signer, one key twice, or a payload type that is not ASCII.
        NotTrustedError: a signer fails.
    """
    return _to_json(_signed(payload, payload_type, signers), ())


def add_signatures(envelope: bytes, payload_type: str, keys: Sequence[SigningKey], what: str) -> bytes:
    """Sign the payload of an existing envelope as well; signatures already there are kept.

    Raises:
        UsageError: no key, or one key twice.
        NotTrustedError: the envelope is of another payload type.
        DamagedError: not an envelope.
    """
    found = read(envelope, payload_type, what, draft=True)
    entries = strictjson.load_object(envelope, what, LIMITS.envelope)["signatures"]
    already = set(found.signed_by(key.public for key in keys))
    fresh = [key.signer() for key in keys if key.public not in already]
    if keys and not fresh:
        return envelope
    return _to_json(_signed(found.payload, payload_type, fresh), entries)


def combined(
    envelopes: Sequence[bytes], payload_type: str, keys: Sequence[PublicKey], what: str
) -> bytes | None:
    """One envelope with every signature by one of ``keys`` that any of several has; the order plays no part.

    Args:
        envelopes: at least one.
        payload_type: of them.
        keys: whose signatures are kept; others may be anybody's, and could fill an envelope.
        what: the document's name in messages.

    Returns:
        None where they are not about the same payload.

    Raises:
        NotTrustedError, DamagedError: as `read`.
    """
    found = [read(each, payload_type, what) for each in envelopes]
    first = found[0]
    if any(each.payload != first.payload for each in found):
        return None
    merged = Envelope(first.payload, payload_type, tuple(sig for each in found for sig in each.signatures))
    made = {key.keyid: Signature(key.keyid, merged.by(key).hex()) for key in merged.signed_by(keys)}
    return _to_json(SslibEnvelope(first.payload, payload_type, dict(sorted(made.items()))), ())


def verify(envelope: bytes, payload_type: str, role: Role, what: str) -> bytes:
    """Check that enough of a role's keys signed; exactly the bytes they signed are given back.

    Args:
        envelope: the JSON envelope.
        payload_type: the one type accepted, compared before anything of the payload is looked at.
        role: the trusted keys; a key inside the envelope is never used.
        what: the document's name in messages.

    Raises:
        NotTrustedError: another payload type, or too few signatures by distinct keys of the role.
        DamagedError: not an envelope.
    """
    found = read(envelope, payload_type, what)
    count = len(found.signed_by(role.keys))
    if count < role.threshold:
        raise NotTrustedError(
            f"{what} is signed by {count} of the {len(role.keys)} trusted keys; {role.threshold} must sign",
            hint="get it again from the publisher, or check that this side has the right trust root",
        )
    return found.payload


def unsigned(payload: bytes, payload_type: str) -> bytes:
    """An envelope that nobody has signed yet: a draft, for `add_signatures`."""
    return _to_json(SslibEnvelope(payload, payload_type, {}), ())


def read(envelope: bytes, payload_type: str, what: str, *, draft: bool = False) -> Envelope:
    """Read an envelope without checking any signature; fields unknown to DSSE are ignored, as it asks.

    Args:
        envelope: the JSON envelope.
        payload_type: the one type accepted.
        what: the document's name in messages.
        draft: it may be one that nobody has signed yet.

    Raises:
        NotTrustedError: another payload type.
        DamagedError: too large, not strict JSON, or not an envelope.
    """
    document = strictjson.load_object(envelope, what, LIMITS.envelope)
    found_type, payload, entries = (document.get(key) for key in ("payloadType", "payload", "signatures"))
    if not isinstance(found_type, str) or not isinstance(payload, str) or not isinstance(entries, list):
        raise DamagedError(f"{what} is not a signed envelope: it needs payload, payloadType and signatures")
    if found_type != payload_type:
        raise NotTrustedError(f"{what} is signed as {found_type[:100]!r}, not as {payload_type!r}")
    if not (0 if draft else 1) <= len(entries) <= LIMITS.signatures:
        raise NotTrustedError(f"{what} has {len(entries)} signatures; 1 to {LIMITS.signatures} are accepted")
    return Envelope(_decode(payload, what), found_type, tuple(_signature(entry, what) for entry in entries))


def _signature(entry: object, what: str) -> bytes:
    text = entry.get("sig") if isinstance(entry, dict) else None
    if not isinstance(text, str):
        raise DamagedError(f"{what}: a signature needs the field sig")
    return _decode(text, what)


def _decode(text: str, what: str) -> bytes:
    """Both alphabets, as DSSE demands of verifiers."""
    return decode_base64(text.replace("-", "+").replace("_", "/"), what)


def _signed(payload: bytes, payload_type: str, signers: Sequence[Signer]) -> SslibEnvelope:
    if not payload_type.isascii():
        raise UsageError(f"the payload type must be ASCII: {payload_type!r}")
    if not signers:
        raise UsageError("nothing to sign with: no key was given")
    envelope = SslibEnvelope(payload, payload_type, {})
    for signer in signers:
        _sign_one(envelope, signer)
    if len(envelope.signatures) != len(signers):
        raise UsageError("one key was given twice; each signs once")
    return envelope


def _sign_one(envelope: SslibEnvelope, signer: Signer) -> Signature:
    try:
        return envelope.sign(signer)
    except AirstoreError:  # it says itself what to do
        raise
    except Exception as fault:  # signers may raise anything, says their interface: network, token, KMS
        raise NotTrustedError(f"the signer of key {signer.public_key.keyid} failed: {fault}") from fault


def _to_json(envelope: SslibEnvelope, earlier: Iterable[dict[str, Any]]) -> bytes:
    document = envelope.to_dict()
    document["signatures"] = [*earlier, *document["signatures"]]
    return strictjson.dumps(document)
