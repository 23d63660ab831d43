"""Upstream signatures by the identity in a certificate (cosign without keys): publisher, release and site."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airstore.core.image.digest import Digest
from airstore.core.model.signers import CertificateHolder
from tests.support.product.road_parts import done, refused, sound, unchanged
from tests.support.product.tiny_product import IMAGE, Tiny, site_of
from tests.support.product.upstream_parts import NAME, holds_but_for, released, write
from tests.support.registry import signatures
from tests.support.registry.keyless import Making
from tests.support.registry.layouts import Node
from tests.support.registry.signatures import ecdsa
from tests.support.registry.sigstore import IDENTITY, ISSUER

pytestmark = pytest.mark.slow
RULE = (
    'images:\n  signatures: [{images: ["registry.example.com/tiny/*"], identity: "%s", issuer: "%s", '
    "trustedRoot: keys/root.json}]\n"
)
WORKFLOWS = "https://github.com/acme/*/.github/workflows/release.yml@refs/tags/*"


@pytest.fixture(scope="module")
def making() -> Making:
    return Making()


def ask(tiny: Tiny, root: dict[str, Any] | bytes, identity: str = IDENTITY, issuer: str = ISSUER) -> None:
    """Have the product file ask for signatures by an identity."""
    keys = tiny.product.parent / "keys"
    keys.mkdir(exist_ok=True)
    (keys / "root.json").write_bytes(root if isinstance(root, bytes) else json.dumps(root).encode())
    tiny.edit("images:\n", RULE % (identity, issuer))


@pytest.mark.parametrize("form", ["simple-signing", "bundle"])
@pytest.mark.parametrize("identity", [IDENTITY, WORKFLOWS], ids=["exact", "glob"])
def test_a_signature_by_an_identity_is_recorded_shown_and_verified_at_the_site(
    form: str, identity: str, tiny: Tiny, making: Making
) -> None:
    writer, root = write(tiny)
    made = making.refer(writer, root) if form == "bundle" else making.by_tag(writer, root, NAME)
    writer.finish()
    ask(tiny, making.sigstore.trusted_root(), identity)
    assert tiny.create("1.0.0", "-o", "json").json()["signed_images"] == 1
    (found,) = released(tiny)["signatures"]
    print_ = Digest.of((tiny.base / "keys/root.json").read_bytes())
    assert found.pop("signedAs", NAME) == NAME
    assert found == {
        "rule": "registry.example.com/tiny/*",
        "key": "signers/keys/root.json",
        "fingerprint": print_,
        "digest": made["digest"],
        "form": form,
        "identity": IDENTITY,
        "issuer": ISSUER,
    }
    site = site_of(tiny)
    sound(site, "1.0.0")
    shown = done("-C", site, "release", "show", "1.0.0").out
    assert f"{IMAGE} is signed upstream by {IDENTITY} of {ISSUER} by signers/keys/root.json" in shown
    (row,) = done("-C", site, "release", "verify", "-o", "json").json()
    assert (row["upstream"], row["state"]) == (1, "good")


OTHER = "https://github.com/mallory/app/.github/workflows/release.yml@refs/tags/v1"


def test_of_another_digest_of_another_name_and_by_a_key(tiny: Tiny, making: Making) -> None:
    other = "sha256:" + "ab" * 32
    writer, root = write(tiny)
    making.by_tag(writer, root, NAME, other)
    making.by_tag(writer, root, "docker.io/library/redis")
    signatures.signed(writer, root, NAME, ecdsa())
    writer.finish()
    ask(tiny, making.sigstore.trusted_root())
    reasons = (
        f"by {IDENTITY} of {ISSUER} is for {other}",
        "is for docker.io/library/redis: write",
        "it is by a key",
    )
    refused(tiny.create(), 30, *reasons)


def test_an_attestation_and_a_cut_bundle_are_no_signatures(tiny: Tiny, making: Making) -> None:
    writer, root = write(tiny)
    attests = making.bundle(root, "https://cosign.sigstore.dev/attestation/vuln/v1")
    signatures.refer(writer, root, attests)
    signatures.refer(writer, root, making.bundle(root)[:-40])
    writer.finish()
    ask(tiny, making.sigstore.trusted_root())
    refused(
        tiny.create(), 30, f"no signature is attached; {IDENTITY} of {ISSUER} must sign", "cannot be read"
    )


def test_why_a_rule_takes_no_signature_is_said_line_by_line(tiny: Tiny, making: Making) -> None:
    writer, root = write(tiny)
    made = making.refer(writer, root)["digest"].removeprefix("sha256:")[:12]
    writer.finish()
    ask(tiny, making.sigstore.trusted_root(), "https://github.com/acme/.+", f"{ISSUER}/")
    with unchanged(tiny.store):
        refused(
            tiny.create(),
            30,
            f"none by https://github.com/acme/.+ of {ISSUER}/, where * stands for what .* is in a regular",
            f"\n    of the signature {made}: it is by {IDENTITY} of {ISSUER}: another identity and another",
            "a trusted root that is older than a signature may lack its log or authority",
        )


def test_of_two_signatures_one_good_one_is_enough(tiny: Tiny, making: Making) -> None:
    writer, root = write(tiny)
    making.but(identity=OTHER).refer(writer, root)
    good = making.refer(writer, root)
    making.but(logged=False).by_tag(writer, root, NAME)
    writer.finish()
    ask(tiny, making.sigstore.trusted_root())
    assert tiny.create().code == 0
    assert released(tiny)["signatures"][0]["digest"] == good["digest"]


def _without(part: str, document: Node) -> Node:
    return {**document, part: []}


def test_files_that_are_no_trusted_root(tiny: Tiny, making: Making) -> None:
    document = making.sigstore.trusted_root()
    ask(tiny, b"{}")
    for data, fault in (
        (b"{}", "keys/root.json is no trusted root of sigstore: its mediaType is 'None'"),
        (ecdsa().pem, "keys/root.json is no trusted root of sigstore"),
        (json.dumps(_without("tlogs", document)).encode(), "keys/root.json names no tlogs"),
        (json.dumps(_without("ctlogs", document)).encode(), "keys/root.json names no ctlogs"),
        (json.dumps(document).encode()[:-9], "keys/root.json is no trusted root"),
        (b" " * (1 << 21), "keys/root.json is no trusted root"),
    ):
        (tiny.base / "keys/root.json").write_bytes(data)
        with unchanged(tiny.store):
            refused(tiny.create(), 2, fault, "trusted_root.json that cosign trusted-root create writes")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f', issuer: "{ISSUER}"', ""),
        ("trustedRoot: keys/root.json", "keys: [keys/root.json]"),
        ("trustedRoot: keys/root.json", "trustedRoot: keys/root.json, keys: [keys/root.json]"),
        (f'identity: "{IDENTITY}"', 'identity: "*"'),
        (f'identity: "{IDENTITY}"', f'identity: "^{IDENTITY}"'),
        (f'identity: "{IDENTITY}"', f'identity: "{IDENTITY}$"'),
        (f'identity: "{IDENTITY}"', "identity: 'https://github\\.com/acme/app'"),
        (f'issuer: "{ISSUER}"', 'issuer: "https://*"'),
    ],
    ids=["no issuer", "no root", "keys too", "anybody", "begins", "ends", "escaped", "any issuer"],
)
def test_rules_that_are_half_or_mean_anybody(old: str, new: str, tiny: Tiny, making: Making) -> None:
    ask(tiny, making.sigstore.trusted_root())
    tiny.edit(old, new)
    with unchanged(tiny.store):
        refused(tiny.create(), 2, "airstore.yaml", "images.signatures[0]")


@pytest.mark.parametrize(
    "change",
    [
        {"holder": CertificateHolder(OTHER, ISSUER)},
        {"holder": CertificateHolder(WORKFLOWS, ISSUER)},
        {"holder": CertificateHolder(IDENTITY, "https://accounts.example.com")},
        {"holder": None},
        {"fingerprint": Digest.of(b"another root")},
        {"key": "airstore.yaml"},
        {"form": "simple-signing"},
    ],
    ids=["identity", "pattern", "issuer", "key", "root", "file", "form"],
)
def test_each_thing_that_is_recorded_counts_at_a_site(
    change: dict[str, object], tiny: Tiny, making: Making
) -> None:
    writer, root = write(tiny)
    making.refer(writer, root)
    writer.finish()
    ask(tiny, making.sigstore.trusted_root())
    assert tiny.create("1.0.0").code == 0
    holds_but_for(tiny, change)
