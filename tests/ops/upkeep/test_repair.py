"""Damage anywhere in a store is named by `check`, and restored by `repair` or said to need something else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airstore.core.errors import StorageError
from airstore.core.progress import QUIET
from airstore.history import ledger
from airstore.ops.repair.repair import RepairRequest, repair
from airstore.ops.repair.sources import StoreSource
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.site import anchors
from airstore.trust.state import TrustState
from tests.ops.stores.test_faults import on
from tests.support.faults.faulty_disk import FaultyDisk
from tests.support.product.output_documents import said
from tests.support.product.repairs import GONE, broken, damage, found_by_check, repaired
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    flipped,
    pack_of,
    rewrite,
    sound,
)

pytestmark = pytest.mark.slow

_FREE_PAGES = 39  # byte of SQLite's header, the last of their number: an index's check counts them


def test_a_damaged_history_is_not_called_held_already(road: Road, site: Path) -> None:
    """One flipped byte in a pack of git's: the release is there, and nothing can use it."""
    damage(site, "history.git/objects/pack/*.pack", 0.5)
    assert "release 1.0.0" in broken(site)
    outcome = airstore("-C", site, "media", "import", road.full)
    assert outcome.code == 20, outcome
    assert "held already" not in outcome.out
    assert f"airstore repair --from {road.full}" in outcome.err
    assert repaired(site, road.full).code == 0
    sound(site, "1.0.0")
    assert done("-C", site, "media", "import", road.full).out.rstrip().endswith("held already")


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("history.git/HEAD", 0.5),
        ("history.git/config", 0),
        ("history.git/allowed_signers", 0.5),
        ("history.git/refs/heads/main", 0.3),
        ("history.git/refs/heads/main", 1),
        ("history.git/refs/tags/1.0.0", GONE),
        ("history.git/objects/pack/*.idx", 0.5),
        ("history.git/objects/pack/*.pack", GONE),
        ("packs/*.pack", 0),
        ("packs/*.pack", 0.5),
        ("packs/*.pack", 1),
        ("packs/*.pack", GONE),
        ("index.sqlite", 0.5),
        ("trust/root.json", 0.5),
        ("trust/state.json", 0.5),
        ("keys/site.pub", 0.5),
    ],
)
def test_what_is_damaged_is_named_and_restored(pattern: str, place: float, road: Road, site: Path) -> None:
    done("-C", site, "release", "list")  # writes `verified.json`
    damage(site, pattern, place)
    assert airstore("-C", site, "check").code == 20
    outcome = repaired(site, road.publisher, road.full)
    assert outcome.code == 0, outcome
    assert outcome.out.startswith("restored "), outcome
    sound(site, "1.0.0")
    assert TrustState.load(site / "trust" / "state.json").sequence == 1
    assert repaired(site).out == ""  # nothing is left to do


def test_what_is_good_of_a_pack_without_its_own_index_is_kept(site: Path) -> None:
    """The store's index knows where its objects lie; making a new one must not forget that."""
    damage(site, f"packs/{pack_of(site).name}", 1)
    faults = found_by_check(site)
    assert [fault["breaks"] for fault in faults] == [[]]
    assert airstore("-C", site, "check", "--rebuild-index").code == 20
    rewrite(site / "index.sqlite", lambda data: flipped(data, _FREE_PAGES))  # no row goes with it
    assert "index.sqlite" in airstore("-C", site, "check").out
    outcome = repaired(site)
    assert outcome.code == 0, outcome
    sound(site, "1.0.0")


def test_a_pack_that_nothing_can_list_stays_until_its_blobs_are_here(road: Road, site: Path) -> None:
    """Its own index and the store's are both lost; somebody may yet cut objects out of it."""
    pack = site / "packs" / pack_of(site).name
    damage(site, f"packs/{pack.name}", 1)
    (site / "index.sqlite").unlink()
    assert repaired(site).code == 20
    assert pack.exists()
    assert repaired(site, road.full).code == 0
    assert not pack.exists()
    sound(site, "1.0.0")


def test_media_alone_restore_packs_and_history(road: Road, site: Path) -> None:
    for path in (site / "packs").iterdir():
        path.unlink()
    shutil.rmtree(site / "history.git")
    assert repaired(site, road.full).code == 0
    sound(site, "1.0.0")
    assert not any((site / "tmp").iterdir())


@pytest.mark.parametrize("directory", ["history.git/refs", "history.git/objects/pack"])
def test_directories_that_are_gone_are_made_again(directory: str, road: Road, site: Path) -> None:
    shutil.rmtree(site / directory)
    assert airstore("-C", site, "check").code == 20
    assert repaired(site, road.full).code == 0
    sound(site, "1.0.0")


@pytest.mark.parametrize("text", ["{", None])
def test_what_the_store_is_can_be_written_again(text: str | None, site: Path) -> None:
    config = site / "airstore.json"
    good = config.read_bytes()
    config.unlink()
    if text:
        config.write_text(text)
    outcome = repaired(site)
    assert outcome.code == (20 if text else 10)
    assert "docs/repair.md" in outcome.err
    config.write_bytes(good)
    sound(site, "1.0.0")


def test_a_publisher_is_restored_from_a_site_and_from_media(own_road: Road) -> None:
    publisher = own_road.publisher
    rewrite(pack_of(publisher), lambda data: flipped(data, len(data) // 2))
    shutil.rmtree(publisher / "history.git" / "refs" / "tags")
    assert repaired(publisher, own_road.site, own_road.full_new).code == 0
    sound(publisher, "1.0.0", "1.1.0")


def test_what_nobody_has_is_said_with_what_would_restore_it(road: Road, site: Path) -> None:
    damage(site, "keys/site", 0.3)
    done("-C", site, "release", "list")
    (site / "packs" / pack_of(site).name).unlink()
    outcome = repaired(site, more=("-o", "json"))
    assert outcome.code == 20
    remaining = said(outcome.out)["remaining"]
    assert any("backup of this file" in each["way_out"] for each in remaining)
    assert any("full media" in each["way_out"] and each["breaks"] for each in remaining)
    assert repaired(site, road.full, more=("-o", "json")).code == 20
    assert broken(site) == {"key site"}


def test_a_lost_state_never_falls_behind_what_is_held(road: Road, site: Path) -> None:
    """As somebody would do it who wants old media to fit again: the state goes, and the refs are set back."""
    history = open_directory(site).history
    old = history.tip
    done("-C", site, "media", "import", road.delta)
    (site / "trust" / "state.json").unlink()
    (site / "history.git" / "refs" / "heads" / "main").write_text(f"{old}\n")
    (site / "history.git" / "refs" / "tags" / "1.1.0").unlink()
    outcome = repaired(site, road.full)
    assert outcome.code == 0, outcome
    assert "sequence 2 is trusted" in outcome.out
    sound(site, "1.0.0", "1.1.0")


def write_ledger(site: Path) -> None:
    store = open_directory(site)
    for when in (1, 2):
        anchors.record(store, ledger.Entry("push", "1.0.0", "succeeded", when))


@pytest.mark.parametrize("text", ["x\n", "0" * 39 + "1\n", ""])
def test_a_ledger_whose_ref_is_damaged_is_found_again(text: str, site: Path) -> None:
    write_ledger(site)
    ref = site / "history.git" / "refs" / "heads" / "ledger"
    ref.write_text(text)
    if not text:
        ref.unlink()
    assert broken(site) == {"the ledger"}
    assert repaired(site).code == 0
    assert [entry.when for entry in ledger.entries(open_directory(site).history)] == [2, 1]


def test_a_ledger_that_was_cut_is_noticed_by_the_runs_that_ended(site: Path) -> None:
    write_ledger(site)
    run = site / "deploy" / "runs" / "20260101T000000Z-00000000"
    run.mkdir(parents=True)
    (run / "journal.jsonl").write_text('{"plan": {"version": "1.0.0"}}\n{"end": "succeeded"}\n')
    (fault,) = found_by_check(site)
    assert "lacks run 20260101T000000Z-00000000" in str(fault["fault"])
    rewrite(run / "journal.jsonl", lambda data: flipped(data, 3))
    assert {"run 20260101T000000Z-00000000"} <= broken(site)


def test_an_interrupted_repair_is_finished_by_the_next(road: Road, site: Path) -> None:
    for path in (site / "packs").iterdir():
        rewrite(path, lambda data: flipped(data, len(data) // 2))
    damage(site, "history.git/objects/pack/*.pack", 0.5)
    request = RepairRequest((StoreSource(open_directory(road.publisher)),))
    for nth in (1, 4, 9, 14, 19):
        disk = FaultyDisk(nth)
        tried = shutil.copytree(site, site.with_name(f"tried-{nth}"))
        with pytest.raises(StorageError):
            repair(on(tried, disk), request, QUIET)
        assert disk.failed
        assert not repair(open_directory(tried), request, QUIET).remaining
        sound(tried, "1.0.0")
