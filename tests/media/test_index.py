"""The index: every one that can be written reads back, and whatever else it says is refused as damage."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError, UsageError
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.core.progress import QUIET
from airstore.media.index import MediaFile, MediaIndex, ReleaseId
from airstore.media.writer import MediaContents, write_media
from airstore.ops.stores.directory import open_directory
from airstore.trust import envelope
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.statement import MEDIA, RELEASE, STATEMENT_TYPE, Statement, statement
from tests.support.faults.forged_media import payload_of, sign_index, sign_payload, write_index
from tests.support.product.road_fixtures import Copy
from tests.support.product.road_parts import Outcome, Road, airstore, refused, unchanged

digests = st.binary(min_size=32, max_size=32).map(Digest.from_raw)
versions = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,20}", fullmatch=True)
releases = st.builds(
    ReleaseId, versions, st.integers(1, 1 << 50), digests, st.from_regex(r"[a-f0-9]{40}", fullmatch=True)
)
files = st.builds(MediaFile, st.integers(0, 1 << 60), digests)
indexes = st.builds(
    lambda product, site, release, base, bundle, packs: MediaIndex(
        product,
        site,
        release,
        base,
        {"history.bundle": bundle} | {f"packs/{pack.digest.hex}.pack": pack for pack in packs},
    ),
    st.text(min_size=1, max_size=30),
    st.text(max_size=30),
    releases,
    st.none() | releases,
    files,
    st.lists(files, max_size=3),
)
shared = st.builds(
    lambda index, sites, bases: replace(
        index, site="", sites=tuple(sites), base=bases[0] if bases else index.base, bases=tuple(bases)
    ),
    indexes,
    st.lists(st.text(min_size=1, max_size=9), unique=True, min_size=1, max_size=3),
    st.lists(releases, unique=True, max_size=3),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
DIGEST = Digest.of(b"x")


@given(index=indexes | shared)
def test_an_index_reads_back_as_it_was_written(index: MediaIndex) -> None:
    assert MediaIndex.of(Statement.parse(index.to_statement()), "index") == index
    assert index.kind == ("delta" if index.base else "full")
    assert index.size == sum(file.size for file in index.files.values())


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("v3", {"sites": ["a", "b"], "bases": []}),
        ("v4", {}),
        ("v4", {"sites": [], "bases": []}),
        ("v4", {"sites": ["a"]}),
        ("v4", {"sites": ["a", "b"], "bases": [], "site": "c"}),
        ("v4", {"sites": ["a", "a"], "bases": []}),
        ("v4", {"sites": [], "bases": [ReleaseId("1", 1, DIGEST, "0" * 40).to_json()]}),
    ],
)
def test_sites_and_bases_that_cannot_be_are_refused(kind: str, changes: dict[str, Any]) -> None:
    bundle = {"history.bundle": MediaFile(1, DIGEST)}
    index = MediaIndex("shop", "", ReleaseId("2", 2, DIGEST, "0" * 40), None, bundle)
    document = json.loads(index.to_statement())
    document["predicateType"] = f"urn:airstore:media:{kind}"
    document["predicate"] |= changes
    with pytest.raises(DamagedError):
        MediaIndex.of(Statement.parse(json.dumps(document).encode()), "index")


@given(index=indexes | shared, value=json_values, data=st.data())
def test_anything_else_in_its_place_is_damage_or_means_something_else(
    index: MediaIndex, value: Any, data: st.DataObject
) -> None:
    """Never an error of Python's: a signed index by a newer or broken publisher is still only damage."""
    document = json.loads(index.to_statement())
    spots = list(_spots(document))
    parent, key = data.draw(st.sampled_from(spots))
    parent[key] = value
    try:
        read = MediaIndex.of(Statement.parse(json.dumps(document).encode()), "index")
    except DamagedError:
        return
    assert json.loads(read.to_statement()) == _sorted(document)


def _spots(node: Any) -> Any:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        yield node, key
        yield from _spots(child)


def _sorted(document: Any) -> Any:
    return {**document, "subject": sorted(document["subject"], key=lambda subject: str(subject["name"]))}


@pytest.mark.parametrize(
    "path",
    ["../history.bundle", "/etc/passwd", "packs/../x", "packs/a.pack", "index.json", "packs/..pack", "x"],
)
def test_a_path_that_is_not_ours_is_damage(path: str) -> None:
    index = MediaIndex(
        "shop",
        "",
        ReleaseId("1", 1, DIGEST, "a" * 40),
        None,
        {"history.bundle": MediaFile(1, DIGEST), path: MediaFile(1, DIGEST)},
    )
    with pytest.raises(DamagedError, match="index"):
        MediaIndex.of(Statement.parse(index.to_statement()), "index")


def test_a_pack_under_another_name_than_its_digest_is_damage() -> None:
    other = Digest.of(b"y")
    files = {"history.bundle": MediaFile(1, DIGEST), f"packs/{other.hex}.pack": MediaFile(1, DIGEST)}
    index = MediaIndex("shop", "", ReleaseId("1", 1, DIGEST, "a" * 40), None, files)
    with pytest.raises(DamagedError, match="not its name"):
        MediaIndex.of(Statement.parse(index.to_statement()), "index")


def take_in(site: Path, media: Path) -> Outcome:
    return airstore("-C", site, "media", "import", media)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "not valid JSON"),
        (b"\0" * 100, "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "not a signed envelope"),
        (b'{"payload": 1, "payloadType": "x", "signatures": []}', "not a signed envelope"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"payload": NaN}', "not JSON"),
    ],
)
def test_an_index_that_is_none_is_damage(data: bytes, word: str, road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    write_index(media, data)
    with unchanged(site):
        refused(take_in(site, media), 20, "index.json", word)
        refused(airstore("media", "inspect", media), 20, "index.json", word)


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
