import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from securesystemslib.dsse import Envelope as SslibEnvelope
from securesystemslib.signer import Key, Signature

from airstore.core.errors import DamagedError, NotTrustedError, UsageError
from airstore.core.limits import LIMITS
from airstore.trust import envelope
from airstore.trust.role import Role
from airstore.trust.ssh.kms import to_sslib
from tests.trust.trust_parts import ALICE, BOB, MALLORY

TYPE = "application/vnd.airstore.test+json"
PAYLOAD = b'{"answer": 42}\n'
ROLE = Role((ALICE.public, BOB.public), 1)
BOTH = Role((ALICE.public, BOB.public), 2)


def opened(signed: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(signed)
    return document


def closed(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def check(signed: bytes, role: Role = ROLE, payload_type: str = TYPE) -> bytes:
    return envelope.verify(signed, payload_type, role, "the test")


def test_verified_bytes_are_the_signed_bytes() -> None:
    assert check(envelope.sign(PAYLOAD, TYPE, [ALICE])) == PAYLOAD
    assert check(envelope.sign(PAYLOAD, TYPE, [ALICE, BOB]), BOTH) == PAYLOAD


def test_envelopes_are_the_same_bytes_every_time() -> None:
    assert envelope.sign(PAYLOAD, TYPE, [ALICE]) == envelope.sign(PAYLOAD, TYPE, [ALICE])


def test_securesystemslib_reads_what_we_sign() -> None:
    theirs = SslibEnvelope.from_dict(opened(envelope.sign(PAYLOAD, TYPE, [ALICE, BOB])))
    assert len(theirs.verify([to_sslib(ALICE.public), to_sslib(BOB.public)], 2)) == 2


def test_pre_authentication_encoding_of_the_specification() -> None:
    """The example of DSSE 1.0.2, protocol.md: its encoding, and its ECDSA signature over that encoding."""
    example = (b"hello world", "http://example.com/HelloWorld")
    theirs = SslibEnvelope(*example, {})
    assert theirs.pae() == envelope.Envelope(*example, ()).signed
    assert theirs.pae() == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    x = 46950820868899156662930047687818585632848591499744589407958293238635476079160
    y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
    sig = base64.b64decode(
        "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
    )
    der = utils.encode_dss_signature(int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big"))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    public.verify(der, theirs.pae(), ec.ECDSA(SHA256()))


def test_encoding_counts_bytes_and_is_what_we_sign() -> None:
    signed = opened(envelope.sign("größer".encode(), TYPE, [ALICE]))
    pae = f"DSSEv1 {len(TYPE)} {TYPE} 8 größer".encode()
    assert ALICE.public.verifies(base64.b64decode(signed["signatures"][0]["sig"]), pae)


def test_threat_key_embedded_in_envelope() -> None:
    """Keys come from the local root alone, whatever the envelope brings along."""
    document = opened(envelope.sign(PAYLOAD, TYPE, [MALLORY]))
    document["signatures"][0]["publicKey"] = MALLORY.public.openssh()
    document["signatures"][0]["cert"] = "anything"
    document["keys"] = {MALLORY.public.keyid: MALLORY.public.raw.hex()}
    with pytest.raises(NotTrustedError, match="0 of the 2 trusted keys; 1 must sign"):
        check(closed(document))


def test_threat_keyid_swap() -> None:
    """An attacker's signature under a trusted key id proves nothing."""
    document = opened(envelope.sign(PAYLOAD, TYPE, [MALLORY]))
    document["signatures"][0]["keyid"] = ALICE.public.keyid
    with pytest.raises(NotTrustedError, match="0 of the 2"):
        check(closed(document))


@pytest.mark.parametrize("keyid", [None, "", "0" * 64, MALLORY.public.keyid, BOB.public.keyid, 7, ["x"]])
def test_keyid_is_only_a_hint(keyid: object) -> None:
    document = opened(envelope.sign(PAYLOAD, TYPE, [ALICE]))
    document["signatures"][0]["keyid"] = keyid
    assert check(closed(document)) == PAYLOAD
    del document["signatures"][0]["keyid"]
    assert check(closed(document)) == PAYLOAD


def test_swapped_keyids_of_two_honest_signers_still_verify() -> None:
    document = opened(envelope.sign(PAYLOAD, TYPE, [ALICE, BOB]))
    first, second = document["signatures"]
    first["keyid"], second["keyid"] = second["keyid"], first["keyid"]
    assert check(closed(document), BOTH) == PAYLOAD


def test_threat_one_key_two_ids() -> None:
    """One stolen key signs twice under two ids; distinct key bytes are what counts."""
    document = opened(envelope.sign(PAYLOAD, TYPE, [ALICE]))
    again = dict(document["signatures"][0], keyid=BOB.public.keyid)
    document["signatures"].append(again)
    with pytest.raises(NotTrustedError, match="1 of the 2 trusted keys; 2 must sign"):
        check(closed(document), BOTH)


def test_threat_one_key_two_ids_in_a_role_is_refused() -> None:
    with pytest.raises(UsageError, match="listed twice"):
        Role((ALICE.public, ALICE.public), 2)


def test_one_key_asked_for_twice_counts_once() -> None:
    found = envelope.read(envelope.sign(PAYLOAD, TYPE, [ALICE]), TYPE, "the test")
    assert found.signed_by([ALICE.public, BOB.public, ALICE.public]) == (ALICE.public,)


def test_why_not_securesystemslibs_own_threshold() -> None:
    """The reason for counting here: the library takes one key under two ids for two."""
    signed = SslibEnvelope(PAYLOAD, TYPE, {})
    keys: list[Key] = []
    for keyid in ("one", "two"):
        public = to_sslib(ALICE.public)
        public.keyid = keyid
        signed.signatures[keyid] = Signature(keyid, ALICE.sign(signed.pae()).hex())
        keys.append(public)
    assert len(signed.verify(keys, 2)) == 2


@pytest.mark.parametrize("threshold", [0, -1, 3])
def test_impossible_thresholds_are_refused(threshold: int) -> None:
    with pytest.raises(UsageError, match="threshold"):
        Role((ALICE.public, BOB.public), threshold)


def test_threat_payload_type_confusion() -> None:
    """A genuine signature over another kind of document, even one with the very same bytes."""
    signed = envelope.sign(PAYLOAD, "application/vnd.airstore.other+json", [ALICE])
    with pytest.raises(NotTrustedError, match=r"signed as 'application/vnd\.airstore\.other\+json'"):
        check(signed)
    renamed = closed(opened(signed) | {"payloadType": TYPE})
    with pytest.raises(NotTrustedError, match="0 of the 2"):
        check(renamed)
    for near in (TYPE.upper(), TYPE + " ", TYPE + "\n"):
        with pytest.raises(NotTrustedError, match="signed as"):
            check(closed(opened(signed) | {"payloadType": near}))


def test_payload_type_is_compared_before_the_payload_is_touched() -> None:
    document = opened(envelope.sign(PAYLOAD, "text/other", [ALICE]))
    document["payload"] = "!!! not even base64 !!!"
    with pytest.raises(NotTrustedError, match="signed as 'text/other'"):
        check(closed(document))


def test_threat_duplicate_json_keys() -> None:
    """Two parsers must not see two payloads in one envelope."""
    signed = envelope.sign(PAYLOAD, TYPE, [ALICE])
    evil = base64.b64encode(b'{"answer": 666}').decode()
    for field in ("payload", "payloadType", "signatures"):
        doubled = signed.replace(f' "{field}"'.encode(), f' "{field}": "{evil}",\n "{field}"'.encode(), 1)
        with pytest.raises(DamagedError, match=f"duplicate key '{field}'"):
            check(doubled)


def test_changed_payload_is_refused() -> None:
    document = opened(envelope.sign(PAYLOAD, TYPE, [ALICE]))
    document["payload"] = base64.b64encode(PAYLOAD.replace(b"42", b"43")).decode()
    with pytest.raises(NotTrustedError):
        check(closed(document))


def test_both_base64_alphabets_are_accepted() -> None:
    payload = b"\xfb\xff\xfe" * 5
    document = opened(envelope.sign(payload, TYPE, [ALICE]))
    assert "+" in document["payload"]
    document["payload"] = base64.urlsafe_b64encode(payload).decode()
    raw = base64.b64decode(document["signatures"][0]["sig"])
    document["signatures"][0]["sig"] = base64.urlsafe_b64encode(raw).decode()
    assert check(closed(document)) == payload


@pytest.mark.parametrize(
    "text", ["%%%%", "YQ", "YQ=", "Y Q==", "YQ==\n", "YQ==YQ==", "gr\u00fc\u00df", "\ud800"]
)
@pytest.mark.parametrize("place", ["payload", "sig"])
def test_malformed_base64_is_damage(text: str, place: str) -> None:
    document = opened(envelope.sign(PAYLOAD, TYPE, [ALICE]))
    if place == "payload":
        document["payload"] = text
    else:
        document["signatures"][0]["sig"] = text
    with pytest.raises(DamagedError, match=r"not base64|surrogates not allowed"):
        check(closed(document))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"payload": "", "payloadType": TYPE},
        {"payload": 1, "payloadType": TYPE, "signatures": []},
        {"payload": "", "payloadType": TYPE, "signatures": {}},
        {"payload": "", "payloadType": TYPE, "signatures": ["x"]},
        {"payload": "", "payloadType": TYPE, "signatures": [{}]},
        {"payload": "", "payloadType": TYPE, "signatures": [{"sig": None}]},
        [],
        None,
    ],
)
def test_other_shapes_are_damage(document: Any) -> None:
    with pytest.raises(DamagedError):
        check(closed(document))


def test_count_of_signatures_is_bounded_both_ways() -> None:
    document = opened(envelope.sign(PAYLOAD, TYPE, [ALICE]))
    for count in (0, LIMITS.signatures + 1):
        many = closed(document | {"signatures": document["signatures"] * count})
        with pytest.raises(NotTrustedError, match=f"{count} signatures"):
            check(many)
