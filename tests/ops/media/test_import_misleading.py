"""Media by the right key about the wrong things: another site, base, pack, history or age."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from tests.support.faults.forged_media import Forge, git, rename_pack, sign_index
from tests.support.product.road_fixtures import Copy
from tests.support.product.road_parts import (
    Outcome,
    Road,
    airstore,
    done,
    flipped,
    overwrite,
    pack_of,
    refused,
    sound,
    unchanged,
)

pytestmark = pytest.mark.slow


def take_in(site: Path, media: Path) -> Outcome:
    return airstore("-C", site, "media", "import", media)


def other_media(road: Road, beside: Path) -> Path:
    """Media for 1.1.0 with packs."""
    other = beside.parent / "other"
    made = ("media", "create", "--to", "1.1.0", "--from", "1.0.0", "--effort", "none", other)
    done("-C", road.publisher, *made)
    return other


@pytest.fixture
def forge(own_road: Road) -> Forge:
    """A publisher that holds 1.0.0 only and goes on from there by hand."""
    forge = Forge(own_road.publisher, own_road.key)
    forge.rewind("1.0.0")
    return forge


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.mark.parametrize(
    ("changes", "code", "word"),
    [
        ({"product": "other"}, 31, "product 'other'"),
        ({"site": "other"}, 31, "site 'other'"),
        ({"site": "\x1b[31mred"}, 31, "site '\\x1b[31mred'"),
    ],
)
def test_an_index_for_somebody_else_is_out_of_sequence(
    changes: dict[str, str], code: int, word: str, road: Road, copy: Copy, site: Path
) -> None:
    media = copy(road.delta)
    sign_index(media, road.key, **changes)
    with unchanged(site):
        refused(take_in(site, media), code, word)


def test_an_index_that_promises_another_release_is_refused(road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    real = sign_index(media, road.key).release
    for lie in (
        replace(real, commit="0" * 40),
        replace(real, digest=Digest.of(b"lie")),
        replace(real, sequence=3),
        replace(real, version="9.9.9"),
    ):
        sign_index(media, road.key, release=lie)
        with unchanged(site):
            refused(take_in(site, media), 20, "index")


def test_a_delta_for_a_base_that_is_another_release_is_incomplete(road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    base = sign_index(media, road.key).base
    assert base is not None
    sign_index(media, road.key, base=replace(base, commit="1" * 40))
    with unchanged(site):
        refused(take_in(site, media), 21, "delta from release 1.0.0", "hint: ")


def test_a_delta_without_its_base_names_the_media_that_help(road: Road, new_site: Path) -> None:
    with unchanged(new_site):
        refused(take_in(new_site, road.delta), 21, "release 1.0.0", "1.1.0", "--receipt", "full media")
    done("-C", new_site, "media", "import", road.full, road.delta)
    sound(new_site, "1.0.0", "1.1.0")


def test_a_delta_that_says_it_is_full_is_incomplete(road: Road, copy: Copy, new_site: Path) -> None:
    """What is needed is looked up, never believed."""
    media = copy(road.delta)
    sign_index(media, road.key, base=None)
    with unchanged(new_site):
        outcome = take_in(new_site, media)
        refused(outcome, 21, "release")


def test_media_that_lack_a_blob_name_what_needs_it(
    own_road: Road, site: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge = Forge(own_road.publisher, own_road.key)
    old, new = forge._blobs("1.0.0"), forge._blobs("1.1.0")
    layer = max(forge.history.release("1.1.0").blobs().values(), key=_newness(own_road)).digest
    new.remove(layer)
    monkeypatch.setattr(forge, "_blobs", {"1.0.0": old, "1.1.0": new}.__getitem__)
    media = forge.media(out, "1.1.0", "1.0.0")
    with unchanged(site):
        refused(take_in(site, media), 21, "1 blobs of release 1.1.0", "shop/api:1.1.0", "--receipt")


def _newness(road: Road) -> Callable[[Descriptor], int]:
    old = Forge(road.publisher, road.key).history.release("1.0.0").blobs()
    return lambda blob: 0 if blob.digest in old else blob.size


@pytest.mark.parametrize("renamed", [True, False])
def test_a_damaged_pack_under_a_good_signature_is_damage(
    renamed: bool, road: Road, copy: Copy, new_site: Path
) -> None:
    """A publisher's disk that rots between reading and signing."""
    whole = pack_of(road.full).read_bytes()
    for position in range(0, len(whole), len(whole) // 6):
        media = copy(road.full)
        overwrite(pack_of(media), flipped(whole, position))
        if renamed:
            rename_pack(pack_of(media))
        sign_index(media, road.key)
        with unchanged(new_site):
            outcome = take_in(new_site, media)
            assert outcome.code in {20, 21}, outcome
            refused(outcome, outcome.code)
        shutil.rmtree(media)


def test_another_pack_under_a_good_signature_is_incomplete(road: Road, copy: Copy, new_site: Path) -> None:
    media = copy(road.full)
    pack_of(media).unlink()
    shutil.copy(pack_of(other_media(road, media)), media / "packs")
    sign_index(media, road.key)
    with unchanged(new_site):
        refused(take_in(new_site, media), 21, "blobs of release 1.0.0")


def test_more_than_is_needed_does_no_harm(road: Road, copy: Copy, new_site: Path) -> None:
    media = copy(road.full)
    shutil.copy(pack_of(other_media(road, media)), media / "packs")
    sign_index(media, road.key)
    assert take_in(new_site, media).code == 0
    sound(new_site, "1.0.0")


@pytest.mark.parametrize("part", ["history.bundle", "pack"])
def test_rubbish_under_a_good_signature_is_damage(part: str, road: Road, copy: Copy, new_site: Path) -> None:
    for rubbish in (b"", b"x", b"# v2 git bundle\n\n", bytes(5000)):
        media = copy(road.full)
        if part == "pack":
            overwrite(pack_of(media), rubbish)
            rename_pack(pack_of(media))
        else:
            overwrite(media / part, rubbish)
        sign_index(media, road.key)
        with unchanged(new_site):
            refused(take_in(new_site, media), 20)


def test_the_bundle_of_another_release_under_a_good_signature_is_refused(
    road: Road, copy: Copy, new_site: Path, site: Path
) -> None:
    media = copy(road.full)
    overwrite(media / "history.bundle", (road.full_new / "history.bundle").read_bytes())
    sign_index(media, road.key)
    with unchanged(new_site):
        refused(take_in(new_site, media), 20, "another release")
    later = copy(road.full_new)
    overwrite(later / "history.bundle", (road.full / "history.bundle").read_bytes())
    sign_index(later, road.key)
    with unchanged(site):
        refused(take_in(site, later), 20)


def test_the_history_of_another_publisher_is_refused(
    road: Road, site: Path, out: Path, own_road: Road
) -> None:
    """Same key, another first commit."""
    forge = Forge(own_road.publisher, own_road.key)
    files = forge.history.files("1.0.0")
    git(forge.history.path, "update-ref", "-d", "refs/heads/main")
    for version in ("1.0.0", "1.1.0"):
        git(forge.history.path, "update-ref", "-d", f"refs/tags/{version}")
    forge.history = forge.directory.history
    forge._commit(files, "1.0.0", forge.key, forge.key)  # same tree, another date: another commit
    forge.next("1.1.0")
    with unchanged(site):
        outcome = take_in(site, forge.media(out, "1.1.0"))
        refused(outcome, 31, "hint: ")


def test_two_histories_by_one_key_are_a_fork(own_road: Road, road: Road, site: Path, tmp_path: Path) -> None:
    """Two publishers with copies of the same store both make a 1.1.0."""
    forge = Forge(own_road.publisher, own_road.key)
    forge.rewind("1.0.0")
    values = own_road.product.parent / "values" / "large.yaml"
    values.write_text(values.read_text() + "# the other 1.1.0\n")
    publisher = ("-C", own_road.publisher)
    done(*publisher, "release", "create", "--version", "1.1.0")
    other_delta, other_full = tmp_path / "delta", tmp_path / "full"
    done(*publisher, "media", "create", "--to", "1.1.0", "--from", "1.0.0", other_delta)
    done(*publisher, "media", "create", "--to", "1.1.0", other_full)
    done("-C", site, "media", "import", road.delta)
    with unchanged(site):
        for media in (other_delta, other_full):
            refused(take_in(site, media), 31, "fork", "hint: ")
    done(*publisher, "release", "create", "--version", "1.2.0")
    later = tmp_path / "later"
    done(*publisher, "media", "create", "--to", "1.2.0", later)
    with unchanged(site):
        refused(take_in(site, later), 31, "hint: ")
    sound(site, "1.0.0", "1.1.0")


def test_older_media_are_stale(road: Road, site: Path) -> None:
    done("-C", site, "media", "import", road.delta)
    with unchanged(site):
        refused(take_in(site, road.full), 31, "stale", "sequence 1", "2", "hint: ")


def test_media_of_another_publisher_are_not_trusted(own_road: Road, site: Path, tmp_path: Path) -> None:
    """Another key altogether, whatever it says about the product."""
    publisher = own_road.publisher
    shutil.rmtree(publisher)
    done("init", publisher, "--product", own_road.product)
    done("-C", publisher, "key", "generate", "release")
    done("-C", publisher, "release", "create", "--version", "1.1.0")
    done("-C", publisher, "media", "create", "--to", "1.1.0", tmp_path / "theirs")
    with unchanged(site):
        refused(take_in(site, tmp_path / "theirs"), 30, "signed by 0 of the 1 trusted keys")
