"""What a trusted root has to have, when what it names counts, and whom an identity means."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airstore.core.errors import NotTrustedError, UsageError
from airstore.trust.upstream.certificate import _ISSUER, _UTF8, _text
from airstore.trust.upstream.identity import SignedBytes, UpstreamIdentity
from airstore.trust.upstream.trusted_root import Period, TrustedRoot
from tests.support.registry.keyless import Making
from tests.support.registry.sigstore import IDENTITY, ISSUER
from tests.trust.upstream.test_upstream_identities import verdict

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
Document = dict[str, Any]


@pytest.fixture(scope="module")
def making() -> Making:
    return Making()


def parse(document: Document) -> TrustedRoot:
    return TrustedRoot.parse(json.dumps(document).encode(), "root.json", "root.json")


@pytest.mark.parametrize("part", ["certificateAuthorities", "tlogs", "ctlogs"])
@pytest.mark.parametrize("left", [True, False])
def test_a_part_that_is_missing_is_named(part: str, left: bool, making: Making) -> None:
    document: Document = making.sigstore.trusted_root()
    del document[part]
    if left:
        document[part] = []
    with pytest.raises(UsageError, match=f"names no {part}$"):
        parse(document)


def test_an_authority_without_certificates(making: Making) -> None:
    document: Document = making.sigstore.trusted_root()
    document["certificateAuthorities"][0]["certChain"]["certificates"] = []
    with pytest.raises(UsageError, match="an authority has no certificate"):
        parse(document)


@pytest.mark.parametrize("end", ["start", "end"])
def test_a_time_says_its_zone(end: str, making: Making) -> None:
    document: Document = making.sigstore.trusted_root()
    document["tlogs"][0]["publicKey"]["validFor"][end] = "2024-05-06T07:08:09"
    with pytest.raises(UsageError, match="has no zone"):
        parse(document)


@pytest.mark.parametrize("kind", ["application/json", "", None, 5])
def test_another_kind_of_document(kind: object, making: Making) -> None:
    with pytest.raises(UsageError, match="its mediaType is"):
        parse({**making.sigstore.trusted_root(), "mediaType": kind})


def test_a_period_includes_its_ends() -> None:
    period, second = Period(START, END), timedelta(seconds=1)
    assert [period.holds(each) for each in (START, END)] == [True, True]
    assert [period.holds(each) for each in (START - second, END + second)] == [False, False]
    assert Period(START, None).holds(END + timedelta(days=9999))


def test_what_a_key_alone_signed_is_by_no_identity(making: Making) -> None:
    identity = UpstreamIdentity("*", ISSUER, parse(making.sigstore.trusted_root()))
    with pytest.raises(NotTrustedError, match="by a key, without a certificate"):
        identity.signer_of(SignedBytes((b"signature",), b"data", b"data", None))


@pytest.mark.parametrize(
    ("exact", "why"), [(False, None), (True, f"it is by {IDENTITY} of {ISSUER}: another identity")]
)
def test_an_exact_identity_is_no_pattern(
    exact: bool, why: str | None, making: Making, tmp_path: Path
) -> None:
    """What a release records is a name, though a certificate's name may have an asterisk in it."""
    document: Document = making.sigstore.trusted_root()
    assert verdict(tmp_path, "bundle", making, document, IDENTITY.replace("v1", "v?"), exact=exact) == why


def test_a_log_of_certificates_of_another_id(making: Making, tmp_path: Path) -> None:
    """A key that stands for two logs would let one speak for the other."""
    document: Document = making.sigstore.trusted_root()
    document["ctlogs"][0]["logId"]["keyId"] = base64.b64encode(bytes(32)).decode()
    assert "in no log of certificates" in str(verdict(tmp_path, "bundle", making, document, exact=True))


@pytest.mark.parametrize("size", [1, 127, 128, 255])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_an_issuer_is_as_long_as_it_says(size: int, more: int) -> None:
    length = bytes((size,)) if size < 128 else bytes((0x81, size))
    text = b"a" * (size + more)
    expected = text.decode() if not more else None
    assert _text(bytes((_UTF8,)) + length + text, _ISSUER) == expected
