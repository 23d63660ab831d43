"""Indexes that are none, too large, ambiguous, or not signed by who may."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airstore.core.errors import UsageError
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.core.model.release_id import ReleaseId
from airstore.core.progress import QUIET
from airstore.media.index import MediaIndex
from airstore.media.writer import MediaContents, write_media
from airstore.ops.stores.directory import open_directory
from airstore.trust import envelope
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.statement import MEDIA, RELEASE, STATEMENT_TYPE, Statement, statement
from tests.media.test_index import DIGEST, take_in
from tests.support.faults.forged_media import payload_of, sign_index, sign_payload, write_index
from tests.support.product.road_fixtures import Copy
from tests.support.product.road_parts import Road, airstore, refused, unchanged


@pytest.mark.parametrize("size", [1 << 40, LIMITS.media_index + 1])
def test_a_huge_index_is_not_read(size: int, road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    (media / "index.json").chmod(0o644)
    os.truncate(media / "index.json", size)  # sparse
    with unchanged(site):
        refused(take_in(site, media), 20, "index.json", "larger than")


def test_no_media_are_made_whose_index_no_site_would_read(road: Road, tmp_path: Path) -> None:
    store = open_directory(road.publisher)
    found = store.history.find("1.0.0")
    release = ReleaseId("1.0.0", 1, Digest.of(b"release"), found.commit)
    with store.open_blobs() as blobs, pytest.raises(UsageError, match="and sites read 4194304"):
        write_media(
            tmp_path / "out",
            MediaContents(blobs, store.history),
            lambda files: MediaIndex("shop", "", release, None, files),
            lambda _payload: b" " * (LIMITS.media_index + 1),
            QUIET,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["payload", "payloadType", "signatures", "anything"])
def test_duplicate_keys_in_the_envelope_are_damage(key: str, road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    text = (media / "index.json").read_text().lstrip()
    write_index(media, f'{{"{key}": "", "{key}": "", {text[1:]}'.encode())
    with unchanged(site):
        refused(take_in(site, media), 20, "index.json", f"duplicate key {key!r}")


def test_duplicate_keys_inside_what_is_signed_are_damage(road: Road, copy: Copy, site: Path) -> None:
    """The right key signed it; two readers could still read two things."""
    media = copy(road.delta)
    text = json.dumps(payload_of(media)).replace('"product": "shop"', '"product": "shop", "product": "shop"')
    sign_payload(media, road.key, text.encode())
    with unchanged(site):
        refused(take_in(site, media), 20, "index.json", "duplicate key 'product'")


def test_an_index_without_signatures_is_not_trusted(road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    document = json.loads((media / "index.json").read_bytes())
    write_index(media, json.dumps(document | {"signatures": []}).encode())
    with unchanged(site):
        refused(take_in(site, media), 30, "index.json", "0 signatures")


def test_an_index_signed_by_another_key_is_not_trusted(road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    sign_index(media, PrivateKey.generate())
    with unchanged(site):
        refused(take_in(site, media), 30, "index.json", "signed by 0 of the 1 trusted keys", "hint: ")
        refused(airstore("media", "verify", media, "--trust", road.root), 30, "signed by 0 of the 1")


def test_a_key_id_of_ours_on_a_signature_of_theirs_helps_nobody(road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    sign_index(media, PrivateKey.generate())
    document = json.loads((media / "index.json").read_bytes())
    document["signatures"][0]["keyid"] = road.key.public.keyid
    write_index(media, json.dumps(document).encode())
    with unchanged(site):
        refused(take_in(site, media), 30, "signed by 0 of the 1")


def test_a_payload_of_another_type_is_not_trusted(road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    payload = json.dumps(payload_of(media)).encode()
    for other in ("application/json", "application/vnd.airstore.root+json", STATEMENT_TYPE.upper()):
        sign_payload(media, road.key, payload, other)
        with unchanged(site):
            refused(take_in(site, media), 30, "index.json", other)


def test_a_payload_type_that_was_not_signed_is_not_trusted(road: Road, copy: Copy, site: Path) -> None:
    """Only the label says in-toto; the signature is over the label that was there."""
    media = copy(road.delta)
    sign_payload(media, road.key, json.dumps(payload_of(media)).encode(), "application/json")
    document = json.loads((media / "index.json").read_bytes())
    write_index(media, json.dumps(document | {"payloadType": STATEMENT_TYPE}).encode())
    with unchanged(site):
        refused(take_in(site, media), 30, "signed by 0 of the 1")


def test_a_release_statement_is_no_media_index(road: Road, copy: Copy, site: Path) -> None:
    """The same key signs both; what it says decides."""
    media = copy(road.delta)
    signed = statement(RELEASE, {"release.json": DIGEST}, payload_of(media)["predicate"])
    sign_payload(media, road.key, signed)
    with unchanged(site):
        refused(take_in(site, media), 30, "index.json", RELEASE, MEDIA)
        refused(airstore("media", "inspect", media), 20, "index.json", RELEASE)


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda document: document["predicate"].update(kind="Release"), "kind"),
        (lambda document: document["predicate"].update(extra=1), "extra"),
        (lambda document: document["predicate"].pop("site"), "site"),
        (lambda document: document["predicate"]["sizes"].update({"history.bundle": -1}), "-1"),
        (lambda document: document["predicate"]["sizes"].update({"history.bundle": True}), "True"),
        (lambda document: document["predicate"]["sizes"].popitem(), "sizes"),
        (lambda document: document["subject"].pop(), "different files"),
        (lambda document: document["subject"].append(document["subject"][0]), "twice"),
        (lambda document: document["subject"][0]["digest"].update(sha256="A" * 64), "lower-case"),
        (lambda document: document["predicate"]["release"].update(digest="sha256:" + "A" * 64), "digest"),
        (lambda document: document["predicate"]["release"].update(commit="main"), "commit"),
        (lambda document: document["predicate"]["release"].update(version="../1.1.0"), "version"),
        (lambda document: document["predicate"]["release"].update(sequence=2.0), "sequence"),
        (lambda document: document.update(_type="https://in-toto.io/Statement/v0.1"), "Statement"),
    ],
)
def test_a_signed_index_of_another_form_is_damage(
    change: Change, word: str, road: Road, copy: Copy, site: Path
) -> None:
    media = copy(road.delta)
    document = payload_of(media)
    change(document)
    sign_payload(media, road.key, json.dumps(document).encode())
    with unchanged(site):
        outcome = take_in(site, media)
        assert outcome.code == 20, outcome
        assert word in outcome.err
        assert "Traceback" not in outcome.err


def test_index_signatures_are_over_exactly_the_bytes_read(road: Road) -> None:
    found = envelope.read((road.delta / "index.json").read_bytes(), STATEMENT_TYPE, "index")
    assert found.signed_by([road.key.public]) == (road.key.public,)
    assert MediaIndex.of(Statement.parse(found.payload), "index").to_statement() == found.payload
