"""Bundles with entries of a transparency log: the proof beside the promise, and each kind of entry."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from airstore.trust.upstream.claim import bundle_claim
from airstore.trust.upstream.identity import UpstreamIdentity
from airstore.trust.upstream.trusted_root import TrustedRoot
from tests.support.registry import log_proof
from tests.support.registry.keyless import Making
from tests.support.registry.layouts import Node
from tests.support.registry.sigstore import IDENTITY, ISSUER, Sigstore

IMAGE = {"digest": "sha256:" + "ab" * 32}
FIRST = "application/vnd.dev.sigstore.bundle+json;version=0.1"


@pytest.fixture(scope="module")
def making() -> Making:
    return Making()


def verdict(making: Making, bundle: Node) -> str | None:
    """Why a bundle does not count; None where it does."""
    trusted = json.dumps(making.sigstore.trusted_root()).encode()
    claim = bundle_claim(json.dumps(bundle).encode(), "bundle")
    assert claim is not None
    root = TrustedRoot.parse(trusted, "root.json", "root.json")
    return UpstreamIdentity(IDENTITY, ISSUER, root).verdict(claim.signed)


def made(making: Making, **changes: Any) -> tuple[Node, Node]:
    """A bundle, and its entry to be changed."""
    bundle = json.loads(making.but(**changes).bundle(IMAGE))
    return bundle, bundle["verificationMaterial"]["tlogEntries"][0]


@pytest.mark.parametrize("kind", ["dsse", "intoto"])
@pytest.mark.parametrize("place", [(0, 1), (0, 5), (4, 5), (63, 64)], ids=str)
def test_a_bundle_with_a_proof(place: tuple[int, int], kind: str, making: Making) -> None:
    bundle, _ = made(making, place=place, kind=kind)
    assert verdict(making, bundle) is None


def of_another_entry(making: Making, entry: Node) -> None:
    entry["inclusionProof"] = log_proof.proof(making.sigstore.log, b"another", 5, 7)


def by_another_log(_: Making, entry: Node) -> None:
    body = base64.b64decode(entry["canonicalizedBody"])
    entry["inclusionProof"] = log_proof.proof(Sigstore().log, body, 5, 7)


def of_another_tree(making: Making, entry: Node) -> None:
    entry["inclusionProof"]["checkpoint"]["envelope"] = log_proof.checkpoint(
        making.sigstore.log, 7, bytes(32)
    )


def without_a_hash(_: Making, entry: Node) -> None:
    entry["inclusionProof"]["hashes"].pop()


def without_a_checkpoint(_: Making, entry: Node) -> None:
    del entry["inclusionProof"]["checkpoint"]


def without_a_size(_: Making, entry: Node) -> None:
    del entry["inclusionProof"]["treeSize"]


def of_numbers(_: Making, entry: Node) -> None:
    entry["inclusionProof"]["hashes"] = [1]


def none(_: Making, entry: Node) -> None:
    del entry["inclusionProof"]


DAMAGE: dict[str, tuple[Callable[[Making, Node], None], str]] = {
    "another entry": (of_another_entry, "the log's proof does not lead from the entry to the root hash"),
    "another log": (by_another_log, "the checkpoint of the log's proof is not by the log's key"),
    "another tree": (of_another_tree, "the log's proof is for another tree than its checkpoint"),
    "a hash less": (without_a_hash, "the log's proof does not lead from the entry to the root hash"),
    "no checkpoint": (without_a_checkpoint, "the log's proof has no checkpoint"),
    "no size": (without_a_size, "its log entry cannot be read: 'treeSize'"),
    "numbers": (of_numbers, "its log entry cannot be read"),
    "none": (none, "its log entry has no proof of inclusion"),
}


@pytest.mark.parametrize("kind", ["dsse", "intoto"])
@pytest.mark.parametrize("case", DAMAGE)
def test_a_good_promise_beside_a_damaged_proof(case: str, kind: str, making: Making) -> None:
    damage, reason = DAMAGE[case]
    bundle, entry = made(making, kind=kind)
    damage(making, entry)
    assert reason in str(verdict(making, bundle))


def test_the_first_bundles_may_lack_a_proof_and_none_may_have_a_damaged_one(making: Making) -> None:
    bundle, entry = made(making)
    bundle["mediaType"] = FIRST
    entry["inclusionProof"]["hashes"].pop()
    assert "does not lead from the entry" in str(verdict(making, bundle))
    del entry["inclusionProof"]
    assert verdict(making, bundle) is None


def test_a_proof_is_no_promise(making: Making) -> None:
    """Without one nothing says when the log took it in."""
    bundle, entry = made(making)
    del entry["inclusionPromise"]
    assert "has no time that the log vouches for" in str(verdict(making, bundle))
    bundle, entry = made(making)
    entry["integratedTime"] = str(int(entry["integratedTime"]) + 1)
    assert "the log's promise is not by the log's key" in str(verdict(making, bundle))


@pytest.mark.parametrize("kind", ["dsse", "intoto"])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"logs": b"another"}, "the log's entry is of another payload"),
        ({"signs": b"another"}, "its certificate's key did not make it"),
    ],
    ids=["payload", "signature"],
)
def test_entries_of_something_else(changes: Node, kind: str, reason: str, making: Making) -> None:
    bundle, _ = made(making, kind=kind, **changes)
    assert reason in str(verdict(making, bundle))


@pytest.mark.parametrize("kind", ["dsse", "intoto"])
def test_an_entry_of_another_signature_of_the_same_payload(kind: str, making: Making) -> None:
    (bundle, _), (other, _) = made(making, kind=kind), made(making, kind=kind)
    assert bundle["dsseEnvelope"]["payload"] == other["dsseEnvelope"]["payload"]
    bundle["verificationMaterial"] = other["verificationMaterial"]  # the certificate of the same key, too
    assert "of another signature or certificate" in str(verdict(making, bundle))


@pytest.mark.parametrize("kind", ["dsse", "intoto"])
def test_an_entry_of_another_certificate_of_the_same_key(kind: str, making: Making) -> None:
    bundle, _ = made(making, kind=kind, identity="https://github.com/mallory/app")
    der = making.certificate().public_bytes(Encoding.DER)
    bundle["verificationMaterial"]["certificate"]["rawBytes"] = base64.b64encode(der).decode()
    assert "of another signature or certificate" in str(verdict(making, bundle))


@pytest.mark.parametrize("version", ["0.0.1", "0.0.3"])
def test_other_versions_of_entries_are_not_guessed_at(version: str, making: Making) -> None:
    """Entries intoto 0.0.1 hold no signature."""
    maker = making.but(kind="intoto", version=version)
    assert f"it is of the kind ('intoto', '{version}')" in str(
        verdict(making, json.loads(maker.bundle(IMAGE)))
    )


def test_an_entry_by_another_hash(making: Making) -> None:
    bundle, entry = made(making)
    body = json.loads(base64.b64decode(entry["canonicalizedBody"]))
    body["spec"]["payloadHash"]["algorithm"] = "sha512"
    logged = making.sigstore.entry(body)
    entry["canonicalizedBody"] = logged["Payload"]["body"]
    entry["inclusionPromise"]["signedEntryTimestamp"] = logged["SignedEntryTimestamp"]
    data = base64.b64decode(entry["canonicalizedBody"])
    entry["inclusionProof"] = log_proof.proof(making.sigstore.log, data, 5, 7)
    assert "its hash is 'sha512'" in str(verdict(making, bundle))
