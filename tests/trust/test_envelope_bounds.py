"""Envelopes that are too large or arbitrary, and signatures that are added."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as SslibEnvelope
from securesystemslib.signer import CryptoSigner

from airstore.core.errors import AirstoreError, DamagedError, NotTrustedError, UsageError
from airstore.core.limits import LIMITS
from airstore.trust import envelope
from airstore.trust.role import Role
from airstore.trust.ssh.kms import from_sslib
from tests.trust.test_envelope import BOTH, PAYLOAD, TYPE, check, opened
from tests.trust.trust_parts import ALICE, BOB, BOUNDED, CAROL


def test_oversized_and_deep_envelopes_are_damage() -> None:
    for data in (b" " * (LIMITS.envelope + 1), b"[" * 100_000, b'{"a":' * 1000, b'{"payload": NaN}', b"\xff"):
        with pytest.raises(DamagedError):
            check(data)


@BOUNDED
@given(st.binary(max_size=500), st.sets(st.sampled_from([1, 2, 3]), min_size=1))
def test_any_payload_by_any_signers_comes_back(payload: bytes, who: set[int]) -> None:
    keys = [{1: ALICE, 2: BOB, 3: CAROL}[number] for number in sorted(who)]
    role = Role(tuple(key.public for key in keys), len(keys))
    assert check(envelope.sign(payload, TYPE, keys), role) == payload


@BOUNDED
@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_damaged(data: bytes) -> None:
    with pytest.raises(DamagedError):
        check(data)


@BOUNDED
@given(st.data())
def test_mutated_envelope_never_yields_other_bytes(data: st.DataObject) -> None:
    signed = bytearray(envelope.sign(PAYLOAD, TYPE, [ALICE]))
    for _ in range(data.draw(st.integers(1, 3))):
        signed[data.draw(st.integers(0, len(signed) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DamagedError, NotTrustedError):
        assert check(bytes(signed)) == PAYLOAD  # the change hit the key id, or white space


def test_signing_needs_a_key_and_each_key_once() -> None:
    with pytest.raises(UsageError, match="no key"):
        envelope.sign(PAYLOAD, TYPE, [])
    with pytest.raises(UsageError, match="given twice"):
        envelope.sign(PAYLOAD, TYPE, [ALICE, ALICE])
    with pytest.raises(UsageError, match="ASCII"):
        envelope.sign(PAYLOAD, "application/größe", [ALICE])


def test_signatures_can_be_added_one_after_the_other() -> None:
    first = envelope.sign(PAYLOAD, TYPE, [ALICE])
    with pytest.raises(NotTrustedError):
        check(first, BOTH)
    second = envelope.add_signatures(first, TYPE, [BOB], "the test")
    assert check(second, BOTH) == PAYLOAD
    assert envelope.add_signatures(second, TYPE, [BOB], "the test") == second
    assert len(opened(envelope.add_signatures(second, TYPE, [BOB, CAROL], "the test"))["signatures"]) == 3


def test_adding_a_signature_keeps_to_the_type() -> None:
    first = envelope.sign(PAYLOAD, "text/other", [ALICE])
    with pytest.raises(NotTrustedError, match="signed as"):
        envelope.add_signatures(first, TYPE, [BOB], "the test")
    with pytest.raises(UsageError, match="no key"):
        envelope.add_signatures(first, "text/other", [], "the test")


def test_what_securesystemslib_signs_verifies_here() -> None:
    signer = CryptoSigner.generate_ed25519()
    theirs = SslibEnvelope(PAYLOAD, TYPE, {})
    theirs.sign(signer)
    role = Role((from_sslib(signer.public_key),), 1)
    assert check(json.dumps(theirs.to_dict()).encode(), role) == PAYLOAD


@BOUNDED
@given(st.binary(max_size=300), st.text(max_size=100))
def test_what_is_signed_is_what_securesystemslib_signs(payload: bytes, payload_type: str) -> None:
    theirs = SslibEnvelope(payload, payload_type, {}).pae()
    assert envelope.Envelope(payload, payload_type, ()).signed == theirs


def test_failing_signer_is_named() -> None:
    class Broken:
        """A token that was pulled out: any exception at all."""

        public = ALICE.public

        def sign(self, data: bytes) -> bytes:
            raise RuntimeError(f"no token in slot 0 for {len(data)} bytes")

    with pytest.raises(AirstoreError, match=f"{ALICE.public.keyid} failed: no token in slot 0"):
        envelope.sign(PAYLOAD, TYPE, [Broken()])
