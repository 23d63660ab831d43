"""Upstream signatures verified again, by whoever holds the release: a publisher's word is not enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.core.image.digest import Digest
from airstore.trust.upstream.claim import Claim
from tests.support.product.road_parts import airstore, done, refused, unchanged
from tests.support.product.sharing import share
from tests.support.product.tiny_product import IMAGE, Tiny, site_of
from tests.support.product.upstream_parts import NAME, ask, holds_but_for, write
from tests.support.registry import signatures
from tests.support.registry.servers import RegistryServer
from tests.support.registry.signatures import UpstreamSigner, ecdsa

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def signer() -> UpstreamSigner:
    return ecdsa()


def claiming(tiny: Tiny, signer: UpstreamSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release whose publisher says that an image is signed by a key that never signed it."""
    writer, root = write(tiny)
    signatures.signed(writer, root, NAME, ecdsa())
    writer.finish()
    ask(tiny, signer)
    with monkeypatch.context() as thief:
        thief.setattr(Claim, "signed_by", lambda *_: True)
        tiny.create("1.0.0")


def test_a_publisher_that_records_what_does_not_hold_is_refused(
    tiny: Tiny, signer: UpstreamSigner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As a thief of its key can: only the supplier's own signature says that it is the supplier's image."""
    claiming(tiny, signer, monkeypatch)
    refused(airstore("-C", tiny.store, "release", "verify"), 30, "signers/keys/up.pub signed it", str(IMAGE))
    done("-C", tiny.store, "media", "create", "--to", "1.0.0", tmp_path / "m")
    site = tmp_path / "site"
    done("init", site, "--site", "acme", "--trust", tiny.store / "trust" / "root.json")
    with unchanged(site):
        for more in (("--dry-run",), ()):
            outcome = airstore("-C", site, "media", "import", *more, tmp_path / "m")
            refused(outcome, 30, "what is attached", "ask the publisher")


@pytest.mark.parametrize("form", ["simple-signing", "bundle"])
def test_signatures_are_verified_again_at_the_site(form: str, tiny: Tiny, signer: UpstreamSigner) -> None:
    writer, root = write(tiny)
    if form == "bundle":
        signatures.refer(writer, root, signatures.bundle(root, signer))
    else:
        signatures.signed(writer, root, NAME, signer)
    writer.finish()
    ask(tiny, signer)
    assert tiny.create("1.0.0").code == 0
    for store in (tiny.store, site_of(tiny)):
        (row,) = done("-C", store, "release", "verify", "-o", "json").json()
        assert (row["upstream"], row["state"]) == (1, "good")


def test_what_is_not_here_is_said_and_is_not_taken_for_none(tiny: Tiny, signer: UpstreamSigner) -> None:
    """Full media bring the history of all releases, and the images of one."""
    for version in ("1.0.0", "1.1.0"):
        writer, root = write(tiny)
        signatures.signed(writer, root, NAME, signer)  # ECDSA: another one each time
        writer.finish()
        if version == "1.0.0":
            ask(tiny, signer)
        assert tiny.create(version).code == 0
    site = site_of(tiny, "1.1.0")
    outcome = done("-C", site, "release", "verify", "-o", "json")
    assert [(row["upstream"], row["recorded"]) for row in outcome.json()] == [(0, 1), (1, 1)]
    assert "release 1.0.0: 0 of 1 upstream signatures are here" in outcome.err
    assert "1.1.0" not in outcome.err


def test_a_clone_verifies_them_too_without_the_registry(
    tiny: Tiny, signer: UpstreamSigner, registry: RegistryServer, prefix: str, tmp_path: Path
) -> None:
    """Signatures are small enough to come with the clone."""
    writer, root = write(tiny)
    signatures.signed(writer, root, NAME, signer)
    writer.finish()
    ask(tiny, signer)
    tiny.create("1.0.0")
    shared = share(tiny, tmp_path, registry.host, prefix)
    done("-C", tiny.store, "push")
    clone = shared.clone("runner")
    remotes = clone / "remotes.json"
    remotes.write_text(remotes.read_text().replace(registry.host, "127.0.0.1:1"))
    (row,) = done("-C", clone, "release", "verify", "-o", "json").json()
    assert (row["upstream"], row["state"]) == (1, "good")


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": Digest.of(b"another key")},
        {"key": "signers/none.pub"},
        {"digest": Digest.of(b"not attached")},
        {"form": "bundle"},
        {"signed_as": "registry.example.com/other"},
    ],
    ids=["fingerprint", "key", "digest", "form", "name"],
)
def test_each_thing_that_is_recorded_of_a_signature_counts(
    change: dict[str, object], tiny: Tiny, signer: UpstreamSigner
) -> None:
    writer, root = write(tiny)
    signatures.signed(writer, root, NAME, signer)
    writer.finish()
    ask(tiny, signer)
    tiny.create("1.0.0")
    holds_but_for(tiny, change)
    holds_but_for(tiny, {}, of=Digest.of(b"another image"))
