"""The index: every one that can be written reads back, and whatever else it says is refused as damage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.model.release_id import ReleaseId
from airstore.media.index import MediaFile, MediaIndex
from airstore.trust.statement import Statement
from tests.support.faults.forged_media import write_index
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
