"""An anchor outside of the store: a restored snapshot is noticed, and nothing has to go."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from airstore.core.errors import NotTrustedError, UsageError
from airstore.core.image.digest import Digest
from airstore.core.model.site import SiteFile
from airstore.history import ledger
from airstore.ops.applier.install import _check_settled
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.site import anchors, ledgers
from airstore.ops.stores.site.anchor_places import place_of
from airstore.trust.mark import Mark
from tests.support.product.repairs import broken, found_by_check, repaired
from tests.support.product.road_parts import Road, airstore, done, unchanged, write_site_file

pytestmark = pytest.mark.slow


@pytest.fixture
def anchored(road: Road, tmp_path: Path) -> Path:
    site, outside = tmp_path / "anchored", tmp_path / "outside"
    outside.mkdir()
    place = f"file://{outside}/mark.json"
    root = road.publisher / "trust" / "root.json"
    done("init", site, "--site", "acme", "--trust", root, "--anchor", place)
    done("-C", site, "media", "import", road.full)
    return site


def mark(site: Path) -> Mark:
    found = anchors.read_anchor(open_directory(site))
    assert found
    return found


def write(site: Path, when: int) -> None:
    store = open_directory(site)
    anchors.record(store, ledger.Entry("push", "1.0.0", "succeeded", when, {"registry": "r"}))


def restored(site: Path, tmp_path: Path, road: Road) -> Path:
    """The site as a snapshot has it that was taken before an import and an entry; returns the newer one."""
    write(site, 1)
    snapshot = shutil.copytree(site, tmp_path / "snapshot")
    done("-C", site, "media", "import", road.delta)
    write(site, 2)
    newer = site.rename(tmp_path / "newer")
    snapshot.rename(site)
    return newer


def test_the_anchor_follows_what_the_site_comes_to(anchored: Path, road: Road) -> None:
    assert (mark(anchored).sequence, mark(anchored).entries) == (1, 0)
    write(anchored, 1)
    assert mark(anchored).entries == 1
    done("-C", anchored, "media", "import", road.delta)
    assert mark(anchored).sequence == 2
    assert "sequence 2, 1 ledger entries" in done("-C", anchored, "anchor", "show").out
    done("-C", anchored, "check")


def test_a_restored_snapshot_is_noticed_and_comes_back(anchored: Path, tmp_path: Path, road: Road) -> None:
    newer = restored(anchored, tmp_path, road)
    write_site_file(anchored)
    for words in (("plan",), ("registry", "push", "127.0.0.1:1"), ("anchor", "show")):
        refused = airstore("-C", anchored, *words)
        assert refused.code == 31, refused
        assert "as a restored backup is: sequence 2 was trusted, here it is 1" in refused.err
    assert broken(anchored) == {anchors.ANCHOR}
    assert mark(anchored).sequence == 2
    imported = done("-C", anchored, "media", "import", road.delta)
    assert "warning: this store is older than its anchor" in imported.err
    assert [each["fault"] for each in found_by_check(anchored)] != []  # the ledger still lacks an entry
    assert mark(anchored).entries == 2
    assert repaired(anchored, newer).code == 0
    done("-C", anchored, "plan")
    done("-C", anchored, "check")
    assert [entry.when for entry in ledger.entries(open_directory(anchored).history)] == [2, 1]


def test_where_nobody_has_a_newer_copy_the_loss_is_accepted(
    anchored: Path, tmp_path: Path, road: Road
) -> None:
    shutil.rmtree(restored(anchored, tmp_path, road))
    done("-C", anchored, "media", "import", road.delta)
    assert repaired(anchored).code == 20
    kept = repaired(anchored, more=("--accept-lost-entries",))
    assert kept.code == 0, kept
    assert mark(anchored).entries == 3
    (gap, *_) = done("-C", anchored, "history", "-o", "json").json()
    assert (gap["action"], gap["details"]) == ("gap", "first 2, last 2")


def test_an_anchor_that_is_gone_is_not_made_again_by_itself(anchored: Path, road: Road) -> None:
    file = Path(open_directory(anchored).anchor.removeprefix("file://"))
    file.unlink()
    for words in (("media", "import", road.delta), ("plan",)):
        with unchanged(anchored):
            refused = airstore("-C", anchored, *words)
        assert refused.code == 30, refused
        assert "is gone" in refused.err
        assert "anchor set" in refused.err
    assert broken(anchored) == {anchors.ANCHOR}
    assert not file.exists()
    done("-C", anchored, "anchor", "set", f"file://{file}")
    done("-C", anchored, "check")
    done("-C", anchored, "media", "import", road.delta)


@pytest.mark.parametrize("text", ["", "{}", "x" * 100_000])
def test_an_anchor_that_is_none_is_named(text: str, anchored: Path, road: Road) -> None:
    file = Path(open_directory(anchored).anchor.removeprefix("file://"))
    file.unlink()
    file.write_text(text)
    assert airstore("-C", anchored, "media", "import", road.delta).code == 20
    assert broken(anchored) == {anchors.ANCHOR}


def test_the_anchor_of_another_site_is_not_taken(anchored: Path, tmp_path: Path) -> None:
    root, place = anchored / "trust" / "root.json", open_directory(anchored).anchor
    refused = airstore("init", tmp_path / "b", "--site", "b", "--trust", root, "--anchor", place)
    assert refused.code == 30
    assert not (tmp_path / "b" / "airstore.json").exists()
    assert mark(anchored).site == "acme"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("file:///{site}/trust/anchor", "within the store"),
        ("http://example.com/a", "no place for an anchor"),
        ("configmap:a", "no place for an anchor"),
        ("mark.json", "no place for an anchor"),
    ],
)
def test_what_is_no_place_for_an_anchor_is_refused(place: str, words: str, anchored: Path) -> None:
    before = (anchored / "airstore.json").read_bytes()
    refused = airstore("-C", anchored, "anchor", "set", place.format(site=str(anchored).lstrip("/")))
    assert refused.code == 2
    assert words in refused.err
    assert (anchored / "airstore.json").read_bytes() == before


def test_a_share_that_is_not_mounted_is_no_directory_to_make(anchored: Path, tmp_path: Path) -> None:
    refused = airstore("-C", anchored, "anchor", "set", f"file://{tmp_path}/mnt/share/mark.json")
    assert refused.code == 41
    assert not (tmp_path / "mnt").exists()


def test_an_anchor_is_moved_and_let_go_of(anchored: Path, tmp_path: Path, road: Road) -> None:
    done("-C", anchored, "anchor", "set", f"file://{tmp_path}/other.json")
    done("-C", anchored, "media", "import", road.delta)
    assert mark(anchored).sequence == 2
    assert "will not be noticed" in done("-C", anchored, "anchor", "remove").err
    assert airstore("-C", anchored, "anchor", "show").code == 2
    done("-C", anchored, "check")


def test_another_release_or_entry_in_the_same_place_is_named(anchored: Path) -> None:
    store = open_directory(anchored)
    write(anchored, 1)
    own = mark(anchored)
    for other, said in (
        (Mark("acme", 1, 1, Digest.of(b"x"), 1, own.entry), "another release with sequence 1"),
        (Mark("acme", 1, 1, own.release, 1, Digest.of(b"x")), "another ledger entry 1"),
        (Mark("acme", 2, 1, own.release, 1, own.entry), "trust root 2 was in force"),
        (Mark("b", 1, 1, own.release, 1, own.entry), "is of site b"),
    ):
        place_of(store, store.anchor).write(other.to_bytes(ledgers.site_key(store)))
        (fault,) = anchors.anchor_faults(store)
        assert said in fault


def test_what_an_old_copy_notes_does_not_set_the_anchor_back(anchored: Path) -> None:
    store, newer = open_directory(anchored), Digest.of(b"a release that the copy has not")
    ahead = replace(mark(anchored), sequence=2, release=newer)
    place_of(store, store.anchor).write(ahead.to_bytes(ledgers.site_key(store)))
    write(anchored, 1)
    assert (mark(anchored).sequence, mark(anchored).release, mark(anchored).entries) == (2, newer, 1)


def test_a_mark_by_another_key_is_refused(anchored: Path, road: Road) -> None:
    other = anchored.parent / "other"
    done("init", other, "--site", "acme", "--trust", road.publisher / "trust" / "root.json")
    place = place_of(open_directory(anchored), open_directory(anchored).anchor)
    place.write(mark(anchored).to_bytes(ledgers.site_key(open_directory(other))))
    with pytest.raises(NotTrustedError, match="not a trusted key"):
        anchors.require_anchored(open_directory(anchored))


def test_an_applier_is_not_given_a_store_whose_anchor_it_could_not_move_on(anchored: Path) -> None:
    with pytest.raises(UsageError, match="could not move on"):
        _check_settled(open_directory(anchored), SiteFile())
    done("-C", anchored, "anchor", "remove")
    _check_settled(open_directory(anchored), SiteFile())
    _check_settled(replace(open_directory(anchored), anchor="configmap:deploy/mark"), SiteFile())


def test_a_plan_asks_the_anchor_that_the_site_file_names(anchored: Path, tmp_path: Path, road: Road) -> None:
    """The store is from before it had one: it says so itself nowhere."""
    place = open_directory(anchored).anchor
    done("-C", anchored, "anchor", "remove")
    restored(anchored, tmp_path, road)
    done("-C", tmp_path / "newer", "anchor", "set", place)
    write_site_file(anchored, f"anchor: {place}\n")
    refused = airstore("-C", anchored, "plan")
    assert refused.code == 31, refused
    assert "sequence 2 was trusted, here it is 1" in refused.err
    write_site_file(anchored, "anchor: configmap:nowhere\n")
    refused = airstore("-C", anchored, "plan")
    assert (refused.code, "must be file:///PATH or configmap:NAMESPACE/NAME" in refused.err) == (2, True)
    (tmp_path / "outside" / "mark.json").unlink()
    write_site_file(anchored, f"anchor: {place}\n")
    done("-C", anchored, "plan")
    assert not open_directory(anchored).anchor  # a plan writes nothing
