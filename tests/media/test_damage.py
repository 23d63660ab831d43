"""Media that were cut, flipped or mixed up: each is refused, and the site's store stays as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.product.road_fixtures import Copy
from tests.support.product.road_parts import (
    Outcome,
    Road,
    airstore,
    done,
    flipped,
    leftovers,
    media_files,
    overwrite,
    pack_of,
    refused,
    release_blobs,
    rewrite,
    snapshot,
    unchanged,
)

KINDS = ("index.json", "history.bundle", "packs")


def take_in(site: Path, media: Path) -> Outcome:
    return airstore("-C", site, "media", "import", media)


def file_of(media: Path, kind: str) -> Path:
    return pack_of(media) if kind == "packs" else media / kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_is_refused(kind: str, road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    path = file_of(media, kind)
    whole = path.read_bytes()
    end = len(whole.rstrip())  # the index ends with a newline that means nothing
    cuts = {0, 1, 100, end // 3, end // 2, end - 100, end - 1}
    code = 20 if kind == "index.json" else 21
    with unchanged(site):
        for cut in sorted(cuts):
            overwrite(path, whole[:cut])
            refused(take_in(site, media), code, str(path))
            if kind != "index.json":
                refused(airstore("-C", site, "media", "verify", media), 21, str(path), str(len(whole)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_longer_file_is_refused(kind: str, road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    path = file_of(media, kind)
    rewrite(path, lambda data: data + b"x")
    with unchanged(site):
        refused(take_in(site, media), 20, str(path))


@pytest.mark.parametrize("kind", ["history.bundle", "packs"])
def test_a_flipped_bit_anywhere_is_refused(kind: str, road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    path = file_of(media, kind)
    whole = path.read_bytes()
    with unchanged(site):
        for position in range(0, len(whole), max(1, len(whole) // 12)):
            overwrite(path, flipped(whole, position))
            refused(take_in(site, media), 20, str(path), "other content")
            refused(airstore("-C", site, "media", "verify", media), 20, str(path))


def test_a_flipped_bit_of_the_index_is_refused_or_is_no_part_of_what_counts(
    road: Road, copy: Copy, site: Path, tmp_path: Path
) -> None:
    """A key id is a hint to DSSE, so a flip inside it changes nothing; everything else is refused."""
    media = copy(road.delta)
    path = media / "index.json"
    whole = path.read_bytes()
    before = snapshot(site)
    harmless = 0
    for position in [*range(0, len(whole), len(whole) // 40), whole.index(b'"keyid"') + 20]:
        changed = flipped(whole, position)
        overwrite(path, changed)
        outcome = take_in(site, media)
        if outcome.code:
            assert outcome.code in {20, 30}, outcome
            refused(outcome, outcome.code, "index")
            assert snapshot(site) == before
            assert leftovers(site) == []
            continue
        assert without_hints(changed) == without_hints(whole)
        harmless += 1
        shutil.rmtree(site)
        shutil.copytree(road.site, site)
    assert harmless  # the key id was among them


def without_hints(index: bytes) -> object:
    document = json.loads(index)
    signatures = [signature["sig"] for signature in document["signatures"]]
    return document["payload"], document["payloadType"], signatures


def test_every_missing_file_is_named(road: Road, copy: Copy, new_site: Path) -> None:
    with unchanged(new_site):
        for name in media_files(road.full):
            media = copy(road.full)
            (media / name).unlink()
            code = 10 if name == "index.json" else 21
            refused(take_in(new_site, media), code, name, "missing", "hint: ")


@pytest.mark.parametrize("name", ["notes.txt", f"packs/{'0' * 64}.pack", "packs/deeper/x", "index.json.bak"])
def test_an_extra_file_is_refused(name: str, road: Road, copy: Copy, new_site: Path) -> None:
    media = copy(road.full)
    (media / name).parent.mkdir(exist_ok=True)
    (media / name).write_text("surprise")
    with unchanged(new_site):
        refused(take_in(new_site, media), 20, name, "not listed")
        refused(airstore("-C", new_site, "media", "verify", media), 20, name, "not listed")


def test_an_extra_link_is_refused(road: Road, copy: Copy, new_site: Path) -> None:
    media = copy(road.full)
    (media / "more").symlink_to("/")
    with unchanged(new_site):
        refused(take_in(new_site, media), 20, "more", "not listed")


@pytest.mark.parametrize("name", ["history.bundle", "packs", "index.json"])
def test_a_link_instead_of_a_file_is_refused(
    name: str, road: Road, copy: Copy, new_site: Path, tmp_path: Path
) -> None:
    media = copy(road.full)
    elsewhere = tmp_path / "elsewhere"
    path = file_of(media, name)
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with unchanged(new_site):
        refused(take_in(new_site, media), 10 if name == "index.json" else 21, path.name)


def test_packs_of_two_media_cannot_change_places(road: Road, copy: Copy, new_site: Path) -> None:
    """Each under the other's name, and then each as its own name says but on the wrong media."""
    full, delta = copy(road.full), whole_files(road, copy)
    mine, theirs = pack_of(full), pack_of(delta)
    ours = mine.read_bytes()
    overwrite(mine, theirs.read_bytes())
    overwrite(theirs, ours)
    with unchanged(new_site):
        refused(take_in(new_site, full), 21, mine.name)
        mine.unlink()
        shutil.copy(pack_of(whole_files(road, copy)), full / "packs")
        refused(take_in(new_site, full), 21, mine.name, "missing")


def whole_files(road: Road, copy: Copy) -> Path:
    """A delta of new files as they are."""
    media = copy(road.delta)
    shutil.rmtree(media)
    made = ("media", "create", "--to", "1.1.0", "--from", "1.0.0", "--effort", "none", media)
    done("-C", road.publisher, *made)
    return media


def test_parts_of_two_deltas_do_not_make_one(own_road: Road, road: Road, copy: Copy, site: Path) -> None:
    """Mix and match: the packs of one, the history of another."""
    values = own_road.product.parent / "values" / "small.yaml"
    values.write_text(values.read_text() + "# another build\n")
    publisher = ("-C", own_road.publisher)
    assert airstore(*publisher, "release", "create", "--version", "1.2.0").code == 0
    other = own_road.base / "delta-1.2.0"
    assert airstore(*publisher, "media", "create", "--to", "1.2.0", "--from", "1.0.0", other).code == 0
    for name in ("history.bundle", "index.json"):
        media = copy(road.delta)
        overwrite(media / name, (other / name).read_bytes())
        with unchanged(site):
            outcome = take_in(site, media)
            assert outcome.code in {20, 21}, outcome
            refused(outcome, outcome.code, str(media))


def test_the_bundle_of_another_release_is_refused(road: Road, copy: Copy, new_site: Path) -> None:
    media = copy(road.full)
    overwrite(media / "history.bundle", (road.full_new / "history.bundle").read_bytes())
    with unchanged(new_site):
        outcome = take_in(new_site, media)
        assert outcome.code in {20, 21}, outcome
        refused(outcome, outcome.code, "history.bundle")


def test_verify_names_every_damaged_file(road: Road, copy: Copy) -> None:
    media = copy(road.full)
    rewrite(media / "history.bundle", lambda data: flipped(data, len(data) // 2))
    rewrite(pack_of(media), lambda data: flipped(data, len(data) // 2))
    outcome = airstore("media", "verify", media, "--trust", road.root)
    assert outcome.code == 20
    assert "history.bundle" in outcome.err
    assert pack_of(media).name in outcome.err


def test_nothing_and_other_things_are_no_media(road: Road, site: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with unchanged(site):
        for place in (empty, tmp_path / "nowhere", road.product, road.publisher):
            refused(take_in(site, place), 10, "holds no airstore media", "hint: ")


def test_media_made_twice_are_the_same_and_hold_what_they_say(road: Road, tmp_path: Path) -> None:
    again = {road.full: ("1.0.0", "--effort", "none"), road.full_new: ("1.1.0",)}
    for media, words in again.items():
        made = tmp_path / media.name
        assert airstore("-C", road.publisher, "media", "create", "--to", *words, made).code == 0
        assert snapshot(made) == snapshot(media)
    shown = airstore("media", "inspect", road.full, "-o", "json").json()
    assert {entry["file"] for entry in shown["files"]} == set(media_files(road.full)) - {"index.json"}
    assert shown["total_bytes"] == sum(
        (road.full / name).stat().st_size for name in media_files(road.full) if name != "index.json"
    )


def test_a_delta_brings_what_full_media_bring(road: Road, site: Path, new_site: Path) -> None:
    assert take_in(site, road.delta).code == 0
    assert take_in(new_site, road.full_new).code == 0
    for store in (site, new_site):
        assert release_blobs(store, "1.1.0") == release_blobs(road.publisher, "1.1.0")
        assert airstore("-C", store, "check").code == 0
