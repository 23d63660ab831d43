"""Signatures without keys in annotations, as cosign 2 writes them: each part of them counts."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.ops.publish.upstream.claims import attached_claims
from airstore.registry.sources.layout import OciLayout
from airstore.trust.upstream.claim import CERTIFICATE, LOGGED, SIGNATURE
from airstore.trust.upstream.identity import UpstreamIdentity
from airstore.trust.upstream.trusted_root import TrustedRoot
from scripts.images.fixture_images import LayoutWriter
from tests.support.registry import layouts
from tests.support.registry.keyless import Making
from tests.support.registry.layouts import Node
from tests.support.registry.signatures import by_tag
from tests.support.registry.sigstore import IDENTITY, ISSUER

NAME = "registry.example.com/tiny/app"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (FIPS 186-5)
Damage = Callable[[Making, Node], None]


@pytest.fixture(scope="module")
def making() -> Making:
    return Making()


def verdict(base: Path, making: Making, damage: Damage) -> str | None:
    """Of an image with one signature, its annotations changed: why it does not count, None where it does."""
    writer = LayoutWriter(base)
    root = layouts.image(writer, "app")
    writer.name(root, f"{NAME}:1")
    layer = making.annotated(writer, root, NAME)
    damage(making, layer["annotations"])
    by_tag(writer, root, [layer])
    writer.finish()
    document = json.dumps(making.sigstore.trusted_root()).encode()
    trusted = TrustedRoot.parse(document, "root.json", "root.json")
    with OciLayout.directory(base) as layout:
        (found,) = attached_claims(layout, Reference.parse(f"{NAME}:1"), Digest(root["digest"])).claims
        return UpstreamIdentity(IDENTITY, ISSUER, trusted).verdict(found.claim.signed)


def nothing(_: Making, notes: Node) -> None:
    assert {CERTIFICATE, LOGGED, SIGNATURE} <= notes.keys()


def entry(notes: Node) -> Node:
    found: Node = json.loads(notes[LOGGED])
    return found


def changed(notes: Node, **changes: object) -> None:
    """The log's entry with other fields, under the promise that it has."""
    document = entry(notes)
    document["Payload"] |= changes
    notes[LOGGED] = json.dumps(document)


def of_another_time(_: Making, notes: Node) -> None:
    changed(notes, integratedTime=entry(notes)["Payload"]["integratedTime"] + 1)


def of_another_place(_: Making, notes: Node) -> None:
    changed(notes, logIndex=8)


def of_another_log(_: Making, notes: Node) -> None:
    changed(notes, logID="00" * 32)


def of_another_body(_: Making, notes: Node) -> None:
    body = json.loads(base64.b64decode(entry(notes)["Payload"]["body"]))
    changed(notes, body=base64.b64encode(json.dumps({**body, "extra": 1}).encode()).decode())


def without_a_promise(_: Making, notes: Node) -> None:
    notes[LOGGED] = json.dumps({**entry(notes), "SignedEntryTimestamp": ""})


def cut(_: Making, notes: Node) -> None:
    notes[LOGGED] = notes[LOGGED][:-5]


def another_signature(_: Making, notes: Node) -> None:
    raw = base64.b64decode(notes[SIGNATURE])
    notes[SIGNATURE] = base64.b64encode(raw[:-1] + bytes((raw[-1] ^ 1,))).decode()


def another_that_holds(_: Making, notes: Node) -> None:
    """Of the same key and payload, and not the one that was logged: ECDSA's r and n - s."""
    r, s = decode_dss_signature(base64.b64decode(notes[SIGNATURE]))
    notes[SIGNATURE] = base64.b64encode(encode_dss_signature(r, _ORDER - s)).decode()


def another_certificate(making: Making, notes: Node) -> None:
    """Of the same key and identity, and not the one that was logged."""
    notes[CERTIFICATE] = making.certificate().public_bytes(Encoding.PEM).decode()


def no_certificate(_: Making, notes: Node) -> None:
    notes[CERTIFICATE] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def left_out(_: Making, notes: Node) -> None:
    del notes[CERTIFICATE]


def test_as_cosign_writes_it(making: Making, tmp_path: Path) -> None:
    assert verdict(tmp_path, making, nothing) is None


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (of_another_time, "the log's promise is not by the log's key"),
        (of_another_place, "the log's promise is not by the log's key"),
        (of_another_log, "root.json has no log 0000000000000000"),
        (of_another_body, "the log's promise is not by the log's key"),
        (without_a_promise, "the log's promise is not by the log's key"),
        (cut, "is not valid JSON"),
        (another_signature, "its certificate's key did not make it"),
        (another_that_holds, "the log's entry is of another signature or certificate"),
        (another_certificate, "the log's entry is of another signature or certificate"),
        (no_certificate, "its certificate cannot be read"),
        (left_out, "it is by a key, without a certificate"),
    ],
)
def test_a_damaged_part_of_it(damage: Damage, reason: str, making: Making, tmp_path: Path) -> None:
    assert reason in str(verdict(tmp_path, making, damage))
