"""Which signatures with certificates count by a carried trusted root, in both of cosign's forms."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.ops.publish.upstream.claims import attached_claims
from airstore.registry.sources.layout import OciLayout
from airstore.trust.upstream.identity import UpstreamIdentity
from airstore.trust.upstream.trusted_root import TrustedRoot
from scripts.images.fixture_images import LayoutWriter
from tests.support.registry import layouts, signatures
from tests.support.registry.keyless import Making
from tests.support.registry.layouts import Node
from tests.support.registry.sigstore import IDENTITY, ISSUER, Sigstore

NAME = "registry.example.com/tiny/app"
OTHER = "https://github.com/mallory/app/.github/workflows/release.yml@refs/tags/v1"
FORMS = ("simple-signing", "bundle")
PAST = {"start": "2020-01-01T00:00:00Z", "end": "2023-01-01T00:00:00Z"}


@pytest.fixture(scope="module")
def making() -> Making:
    return Making()


def verdict(
    base: Path,
    form: str,
    making: Making,
    document: Node,
    identity: str = IDENTITY,
    issuer: str = ISSUER,
    *,
    exact: bool = False,
) -> str | None:
    """Of an image with one signature: why it does not count, None where it does."""
    writer = LayoutWriter(base)
    root = layouts.image(writer, "app")
    writer.name(root, f"{NAME}:1")
    _ = making.refer(writer, root) if form == "bundle" else making.by_tag(writer, root, NAME)
    writer.finish()
    trusted = TrustedRoot.parse(json.dumps(document).encode(), "root.json", "root.json")
    with OciLayout.directory(base) as layout:
        (found,) = attached_claims(layout, Reference.parse(f"{NAME}:1"), Digest(root["digest"])).claims
        assert found.claim.form == form
        return UpstreamIdentity(identity, issuer, trusted, exact).verdict(found.claim.signed)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "identity", [IDENTITY, "https://github.com/acme/*@refs/tags/v?", "*/release.yml@refs/tags/v1"]
)
def test_the_identity_and_patterns_of_it(identity: str, form: str, making: Making, tmp_path: Path) -> None:
    assert verdict(tmp_path, form, making, making.sigstore.trusted_root(), identity) is None


@pytest.mark.parametrize("issuer", ["https://x.example.com/" + "a" * size for size in (10, 120, 200)])
def test_issuers_of_any_length(issuer: str, making: Making, tmp_path: Path) -> None:
    made, document = making.but(issuer=issuer), making.sigstore.trusted_root()
    assert verdict(tmp_path, "bundle", made, document, issuer=issuer) is None


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "identity": ({"identity": OTHER}, f"it is by {OTHER} of {ISSUER}: another identity"),
    "mail": ({"identity": "mallory@example.com"}, "it is by mallory@example.com"),
    "issuer": ({"issuer": f"{ISSUER}/"}, f"it is by {IDENTITY} of {ISSUER}/: another issuer"),
    "both": ({"identity": OTHER, "issuer": f"{ISSUER}/"}, f"{ISSUER}/: another identity and another issuer"),
    "late": ({"after": timedelta(minutes=11)}, "its certificate was not valid at 2024-05-06T07:19:09Z"),
    "early": ({"after": timedelta(minutes=-1)}, "its certificate was not valid at 2024-05-06T07:07:09Z"),
    "unlogged": ({"logged": False}, "it has not one entry of a transparency log"),
    "payload": ({"logs": b"another"}, "the log's entry is of another payload"),
    "signature": ({"signs": b"another"}, "its certificate's key did not make it"),
    "purpose": ({"purpose": ExtendedKeyUsageOID.CLIENT_AUTH}, "its certificate is not for signing code"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CHANGES)
def test_what_is_no_signature_by_the_identity(case: str, form: str, making: Making, tmp_path: Path) -> None:
    changes, reason = CHANGES[case]
    why = verdict(tmp_path, form, making.but(**changes), making.sigstore.trusted_root())
    assert why is not None
    assert reason in why


FAULTS: dict[str, tuple[set[str], dict[str, Any], str]] = {
    "log": ({"log"}, {}, "root.json has no log"),
    "authority": ({"ca", "middle"}, {}, "its certificate is by no authority of root.json"),
    "certificates": ({"certificate_log"}, {}, "its certificate is in no log of certificates"),
    "old log": (set(), {"logs": PAST}, "did not sign at 2024-05-06"),
    "old authority": (set(), {"authorities": PAST}, "is by no authority of root.json that was good"),
    "old certificates": (set(), {"ctlogs": PAST}, "its certificate is in no log of certificates"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_trusted_root_without_what_made_it(case: str, making: Making, tmp_path: Path) -> None:
    foreign, periods, reason = FAULTS[case]
    fresh = Sigstore()
    sigstore = replace(making.sigstore, **{name: getattr(fresh, name) for name in foreign})
    assert reason in str(verdict(tmp_path, "bundle", making, sigstore.trusted_root(**periods)))


def test_a_certificate_that_was_never_logged(making: Making, tmp_path: Path) -> None:
    bare = making.but(sigstore=replace(making.sigstore, stamped=False))
    why = verdict(tmp_path, "bundle", bare, making.sigstore.trusted_root())
    assert "in no log of certificates" in str(why)


@pytest.mark.parametrize("form", FORMS)
def test_the_promise_of_the_log_counts_and_not_its_id(form: str, making: Making, tmp_path: Path) -> None:
    document = making.sigstore.trusted_root()
    other = Sigstore().trusted_root()["tlogs"][0]["publicKey"]["rawBytes"]
    document["tlogs"][0]["publicKey"]["rawBytes"] = other
    assert verdict(tmp_path, form, making, document) == "the log's promise is not by the log's key"


@pytest.mark.parametrize(
    "entries", [5, "text", {}, [5], [{}], [{"inclusionPromise": 1, "integratedTime": "x"}]]
)
def test_entries_that_are_none(entries: object, making: Making, tmp_path: Path) -> None:
    writer = LayoutWriter(tmp_path)
    root = layouts.image(writer, "app")
    bundle = json.loads(making.bundle(root))
    bundle["verificationMaterial"]["tlogEntries"] = entries
    writer.name(root, f"{NAME}:1")
    signatures.refer(writer, root, json.dumps(bundle).encode())
    writer.finish()
    document = json.dumps(making.sigstore.trusted_root()).encode()
    with OciLayout.directory(tmp_path) as layout:
        (found,) = attached_claims(layout, Reference.parse(f"{NAME}:1"), Digest(root["digest"])).claims
        trusted = TrustedRoot.parse(document, "root.json", "root.json")
        assert "entry" in str(UpstreamIdentity(IDENTITY, ISSUER, trusted).verdict(found.claim.signed))


def test_the_timestamp_in_a_certificate_counts_and_not_its_logs_id(making: Making, tmp_path: Path) -> None:
    document = making.sigstore.trusted_root()
    other = Sigstore().trusted_root()["ctlogs"][0]["publicKey"]["rawBytes"]
    document["ctlogs"][0]["publicKey"]["rawBytes"] = other
    assert "in no log of certificates" in str(verdict(tmp_path, "bundle", making, document))
