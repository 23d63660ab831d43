"""The same verdicts as the real cosign on what the real cosign signed (scripts/vectors/cosign.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import AirstoreError
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.ops.publish.upstream.claims import attached_claims
from airstore.registry.sources.layout import OciLayout
from airstore.trust.upstream.claim import bundle_claim, simple_claim
from airstore.trust.upstream.key import UpstreamKey

VECTORS = Path(__file__).parents[3] / "fixtures" / "cosign"
VERDICTS = json.loads((VECTORS / "verdicts.json").read_text())
# cosign 3.1.3 signs with SHA-384 under P-384 and verifies with SHA-256: it refuses its own signatures. And it
# counts any attestation by the key as a signature of the image.
OTHERWISE = {
    ("p384-simple", "p384.pub"): True,
    ("p384-bundle", "p384.pub"): True,
    ("attested", "p256.pub"): False,
}


@pytest.fixture(scope="module")
def images() -> Iterator[OciLayout]:
    with OciLayout.directory(VECTORS / "images") as layout:
        yield layout


def key_of(name: str) -> UpstreamKey:
    return UpstreamKey.parse((VECTORS / name).read_bytes(), name, name)


@pytest.mark.parametrize(
    "verdict", VERDICTS, ids=[f"{v['image'][23:]}-{v['digest'][7:11]}-{v['key']}" for v in VERDICTS]
)
def test_what_cosign_says(verdict: dict[str, Any], images: OciLayout) -> None:
    digest, key = Digest(verdict["digest"]), key_of(verdict["key"])
    found = attached_claims(images, Reference.parse(f"{verdict['image']}:1"), digest)
    assert found.unread == ()
    good = any(digest in each.claim.images and each.claim.signed_by(key) for each in found.claims)
    case = verdict["image"].rpartition("/")[2], verdict["key"]
    assert good == OTHERWISE.get(case, verdict["good"])


def test_the_vectors_are_what_they_should_be() -> None:
    assert {each["good"] for each in VERDICTS} == {True, False}
    assert len(VERDICTS) > 20


def _bundle() -> bytes:
    """One that a key of the vectors made."""
    key = key_of("p256.pub")
    for blob in sorted((VECTORS / "images/blobs/sha256").iterdir()):
        data = blob.read_bytes()
        claim = bundle_claim(data, "it") if b"dsseEnvelope" in data else None
        if claim and claim.signed_by(key):
            return data
    raise AssertionError("no bundle by p256.pub")


@given(st.binary(max_size=300))
def test_other_bytes_are_no_claim(data: bytes) -> None:
    for read in (bundle_claim, lambda data, what: simple_claim(data, {}, what)):
        with pytest.raises(AirstoreError):
            read(data, "it")
    with pytest.raises(AirstoreError):
        UpstreamKey.parse(data, "it", "it")


@given(st.data())
def test_a_changed_bundle_is_refused_or_does_not_verify(data: st.DataObject) -> None:
    """One byte of what is signed, or of the signature: no key holds, whatever else may be read."""
    whole = _bundle()
    keys = [key_of(path.name) for path in VECTORS.glob("*.pub")]
    document = json.loads(whole)
    part = data.draw(st.sampled_from(["payload", "sig"]))
    envelope = document["dsseEnvelope"]
    holder = envelope if part == "payload" else envelope["signatures"][0]
    text = holder[part]
    position = data.draw(st.integers(0, len(text) - 5))
    letter = data.draw(st.sampled_from("ABCabc019+/"))
    if text[position] == letter:
        return
    holder[part] = text[:position] + letter + text[position + 1 :]
    try:
        claim = bundle_claim(json.dumps(document).encode(), "it")
    except AirstoreError:
        return
    assert claim is None or not any(claim.signed_by(key) for key in keys)
