"""Signed envelopes: DSSE 1.0.2 (protocol.md, envelope.md).

Not by `securesystemslib`, for three reasons measured on 1.6.0: its ``verify`` counts one key under two ids as
two; it demands a key id, which DSSE calls an unauthenticated hint; and it loads the libraries of every key
management service, which costs each command more than all it does. Tests hold the two to each other.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airstore.core.errors import AirstoreError, DamagedError, NotTrustedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson
from airstore.trust.role import Role
from airstore.trust.ssh.publickey import PublicKey
from airstore.trust.ssh.signing import SigningKey
from airstore.trust.wire import decode_base64


@frozen
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
        """The bytes that signatures are over: the pre-authentication encoding (protocol.md)."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(self.payload), self.payload)


def sign(payload: bytes, payload_type: str, keys: Sequence[SigningKey]) -> bytes:
    """Sign a payload with keys in files, agents or services; the envelope as JSON.

    Raises:
        UsageError: no key, one key twice, or a payload type that is not ASCII.
        NotTrustedError: a key does not sign.
    """
    return _to_json(payload, payload_type, _signatures(payload, payload_type, keys))


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
    fresh = [key for key in keys if key.public not in already]
    if keys and not fresh:
        return envelope
    return _to_json(found.payload, payload_type, _signatures(found.payload, payload_type, fresh), entries)


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
    made = {key.keyid: merged.by(key) for key in merged.signed_by(keys)}
    return _to_json(first.payload, payload_type, dict(sorted(made.items())))


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
    return _to_json(payload, payload_type, {})


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


def _signatures(payload: bytes, payload_type: str, keys: Sequence[SigningKey]) -> dict[str, bytes]:
    """By key id."""
    if not payload_type.isascii():
        raise UsageError(f"the payload type must be ASCII: {payload_type!r}")
    if not keys:
        raise UsageError("nothing to sign with: no key was given")
    signed = Envelope(payload, payload_type, ()).signed
    made = {key.public.keyid: _sign_one(signed, key) for key in keys}
    if len(made) != len(keys):
        raise UsageError("one key was given twice; each signs once")
    return made


def _sign_one(signed: bytes, key: SigningKey) -> bytes:
    try:
        return key.sign(signed)
    except AirstoreError:  # it says itself what to do
        raise
    except Exception as fault:  # whatever the library of a token or a service raises
        raise NotTrustedError(f"the signer of key {key.public.keyid} failed: {fault}") from fault


def _to_json(
    payload: bytes,
    payload_type: str,
    signatures: Mapping[str, bytes],
    earlier: Iterable[dict[str, Any]] = (),
) -> bytes:
    made = ({"keyid": keyid, "sig": _base64(sig)} for keyid, sig in signatures.items())
    return strictjson.dumps(
        {"payload": _base64(payload), "payloadType": payload_type, "signatures": [*earlier, *made]}
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
