"""`airstore gc`: what goes is said first, what stays is whole, and history knows of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.deploy.run.intent import Intent
from airstore.deploy.run.steps import End, Mode, Status, Step, StepKind
from airstore.ops.stores.directory import open_directory
from airstore.trust.ssh.keys import PrivateKey
from tests.store.store_support import noise, put
from tests.support.product.collected import (
    VERSIONS,
    World,
    applied,
    dropped,
    gc,
    helm_of,
    kept,
    packs_bytes,
    readable,
    states,
    words,
)
from tests.support.product.road_parts import (
    airstore,
    done,
    leftovers,
    refused,
    sound,
    unchanged,
)
from tests.support.product.tiny_product import make_layout

NEWEST = ["it is among the newest"]
STRAY = noise(10_000, 1)


def made(publisher: Path, out: Path, *base: str | Path, to: str = "1.3.0") -> int:
    """Bytes of media that were made."""
    done("-C", publisher, "media", "create", "--to", to, *base, out)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def begin(site: Path, run: str, version: str, previous: str, *, end: bool = True) -> None:
    """A run that backs up the one Helm release, and upgrades it."""
    new, old = (helm_of(site, each) for each in (version, previous))
    intent = Intent(Mode.APPLY, version, previous, ((new.key, "change", ""),), (new,), (old,))
    journal = intent.begin(site / "deploy" / "runs" / run)
    for kind in (StepKind.BACKUP, StepKind.VERIFY):
        journal.record(Status.DONE, Step(kind, new.key))
    if end:
        journal.close(End.SUCCEEDED)


@pytest.fixture
def world(gc_world: World) -> World:
    return gc_world


@pytest.fixture(params=["publisher", "site"])
def store(request: pytest.FixtureRequest, world: World) -> Path:
    return world.publisher if request.param == "publisher" else world.site


def test_a_plan_is_what_is_done_then(store: Path) -> None:
    before = packs_bytes(store)
    with unchanged(store):
        plan = gc(store, 2, "--dry-run")
        assert (
            done("-C", store, "gc", "--keep", "2", "--dry-run").out.splitlines()[0].startswith("keep 1.2.0")
        )
    assert kept(plan) == {"1.2.0": NEWEST, "1.3.0": NEWEST}
    assert dropped(plan) == ["1.0.0", "1.1.0"]
    ran = gc(store, 2)
    freed = before - packs_bytes(store)
    assert ran == {**plan, "dry_run": False, "freed_bytes": freed}
    assert abs(freed - plan["freed_bytes"]) < 1_000
    assert freed > 2 * 20_000, "each layer holds so many random bytes"
    assert states(store) == {"1.0.0": "collected", "1.1.0": "collected", "1.2.0": "all", "1.3.0": "all"}
    readable(store, "1.2.0", "1.3.0")
    sound(store, *VERSIONS)
    assert leftovers(store) == []


def test_a_release_that_was_dropped_stays_known(store: Path) -> None:
    gc(store, 1)
    done("-C", store, "release", "verify", "1.0.0")
    shown = done("-C", store, "release", "show", "1.0.0", "-o", "json").json()
    assert shown["collected"] is True
    assert (
        "its content was dropped by `airstore gc`; 4 of its 6"
        in done("-C", store, "release", "show", "1.0.0").out
    )
    assert done("-C", store, "release", "show", "1.3.0", "-o", "json").json()["collected"] is False
    assert done("-C", store, "release", "diff", "1.0.0", "1.3.0").out
    outcome = airstore("-C", store, "registry", "push", "localhost:1", "--release", "1.0.0")
    refused(outcome, 21, "the content of release 1.0.0 was dropped", "airstore repair --release 1.0.0 --from")
    done("-C", store, "check", "--rebuild-index")
    assert states(store)["1.0.0"] == "collected"


@pytest.mark.parametrize("keep", ["0", "-1", "x", ""])
def test_how_many_are_kept_is_a_count(keep: str, store: Path) -> None:
    with unchanged(store):
        assert airstore("-C", store, "gc", "--keep", keep).code == 2
        assert airstore("-C", store, "gc").code == 2


def test_more_than_there_are_drops_nothing_and_twice_is_once(store: Path) -> None:
    with unchanged(store):
        assert dropped(gc(store, 99)) == []
    gc(store, 1)
    written = (store / "collected.json").stat().st_ino
    with unchanged(store):
        again = gc(store, 1)
    assert (store / "collected.json").stat().st_ino == written, "a running registry has nothing to look at"
    assert (dropped(again), again["freed_bytes"]) == ([], 0)
    assert again["collected_before"] == ["1.0.0", "1.1.0", "1.2.0"]
    with unchanged(store):
        assert list(kept(gc(store, 3))) == ["1.3.0"], "the newest of those that are here"


def test_stores_without_releases(world: World, tmp_path: Path) -> None:
    done("init", tmp_path / "p", "--product", world.tiny.product)
    refused(airstore("-C", tmp_path / "p", "gc", "--keep", "1"), 10, "no trust root yet")
    done("-C", tmp_path / "p", "key", "generate", "release")
    done("init", tmp_path / "s", "--site", "acme", "--trust", world.publisher / "trust" / "root.json")
    for store in ("p", "s"):
        with unchanged(tmp_path / store):
            assert gc(tmp_path / store, 1)["dropped"] == []


def test_what_releases_share_stays(world: World) -> None:
    """The newest one has the image of the oldest again; the chart is everybody's."""
    make_layout(world.tiny.layout, text=words("1.0.0"))
    assert world.tiny.create("2.0.0").code == 0
    plan = gc(world.publisher, 1)
    assert dropped(plan) == ["1.1.0", "1.2.0", "1.3.0"]
    assert states(world.publisher)["1.0.0"] == "all", "it shares all it has"
    readable(world.publisher, "1.0.0", "2.0.0")


def test_blobs_of_no_release_go_too(world: World) -> None:
    with open_directory(world.site).open_blobs() as blobs:
        put(blobs, STRAY)
    plan = gc(world.site, 9)
    assert plan["unused"] == {"blobs": 1, "bytes": len(STRAY)}
    assert plan["dropped"] == []
    assert plan["freed_bytes"] > len(STRAY)


# What has to stay


def test_a_site_keeps_what_runs_and_what_a_rollback_goes_back_to(world: World) -> None:
    for version in ("1.0.0", "1.1.0"):
        applied(world.site, version)
    assert kept(gc(world.site, 1, "--dry-run")) == {
        "1.0.0": ["a rollback goes back to it"],
        "1.1.0": ["runs"],
        "1.3.0": NEWEST,
    }
    applied(world.site, "1.1.0", action="uninstall")
    assert kept(gc(world.site, 1, "--dry-run"))["1.1.0"] == ["ran last"]


def test_what_is_to_stay_and_went_before_is_said(world: World) -> None:
    """A gc cannot bring anything back; whoever reads the plan learns that it is not there."""
    said = done("-C", world.site, "gc", "--keep", "1")
    assert "next: airstore receipt FILE" in said.err
    applied(world.site, "1.0.0")
    plan = gc(world.site, 1, "--dry-run")
    assert [(each["version"], each["whole"]) for each in plan["kept"]] == [("1.0.0", False), ("1.3.0", True)]
    said = done("-C", world.site, "gc", "--keep", "1")
    assert "keep 1.0.0 (as much of it as is here): runs" in said.out
    assert "receipt" not in said.err
    assert states(world.site)["1.0.0"] == "collected"


def test_a_site_keeps_what_a_backup_serves(world: World) -> None:
    """1.0.0 lies two states below what runs, and there is a backup of its data."""
    run = "20260101T000000Z-00000000"
    applied(world.site, "1.0.0")
    begin(world.site, run, "1.1.0", "1.0.0")
    applied(world.site, "1.1.0", run)
    applied(world.site, "1.2.0")
    plan = kept(gc(world.site, 1, "--dry-run"))
    assert "1.0.0" not in plan, "it has no backup on disk yet"
    (world.site / "deploy" / "runs" / run / "backup" / "apps_app").mkdir(parents=True)
    plan = kept(gc(world.site, 1, "--dry-run"))
    assert plan["1.0.0"] == ["a backup holds its data, for a rollback"]


def test_a_site_keeps_what_an_open_run_needs(world: World) -> None:
    run = "20260101T000000Z-00000000"
    begin(world.site, run, "1.1.0", "1.0.0", end=False)
    (world.site / "deploy" / "runs" / run / "backup" / "apps_app").mkdir(parents=True)
    why = [f"run {run} has not ended"]
    assert kept(gc(world.site, 1, "--dry-run")) == {"1.0.0": why, "1.1.0": why, "1.3.0": NEWEST}
    gc(world.site, 1)
    readable(world.site, "1.0.0", "1.1.0", "1.3.0")


def test_what_runs_and_left_the_history_ends_it(world: World) -> None:
    """As a trust root does that disowns releases: nothing says any more which blobs it needs."""
    applied(world.site, "9.9.9", of="1.3.0")
    with unchanged(world.site):
        refused(airstore("-C", world.site, "gc", "--keep", "1"), 10, "9.9.9 runs, and is not in the history")
    applied(world.site, "1.3.0")
    said = gc(world.site, 1)
    assert kept(said) == {"1.3.0": [*NEWEST, "runs"]}
    assert [note.partition(",")[0] for note in said["notes"]] == ["9.9.9 is not in the history any more"]


def test_a_site_whose_store_the_applier_has_is_left_alone(world: World) -> None:
    marker = '{"cluster": "c", "name": "airstore", "namespace": "airstore", "since": "s", "arrived": true}'
    (world.site / "applier.json").write_text(marker)
    with unchanged(world.site):
        refused(airstore("-C", world.site, "gc", "--keep", "1"), 2, "with the applier", "applier run -- gc")


def test_a_publisher_keeps_what_sites_hold_by_their_receipts(world: World, tmp_path: Path) -> None:
    publisher, behind = world.publisher, tmp_path / "behind"
    done("init", behind, "--site", "old", "--trust", publisher / "trust" / "root.json")
    done("-C", behind, "media", "import", world.media("1.0.0"))
    for name, site in (("acme", world.site), ("old", behind)):
        done("-C", publisher, "site", "add", name, site / "keys" / "site.pub")
    done("-C", behind, "receipt", tmp_path / "old.json")
    done("-C", publisher, "fleet", tmp_path / "old.json")
    said = gc(publisher, 1, "--dry-run")
    assert kept(said) == {
        "1.0.0": ["site old holds it, by its receipt: deltas start there"],
        "1.3.0": NEWEST,
    }
    assert said["notes"] == ["what site acme holds is not known: no receipt of it is here"]
    gc(publisher, 1)
    small = made(publisher, tmp_path / "delta", "--receipt", tmp_path / "old.json")
    done("-C", behind, "media", "import", tmp_path / "delta")
    said = gc(publisher, 1, "--drop-bases")
    assert dropped(said) == ["1.0.0"]
    assert "site old holds 1.0.0" in said["notes"][1]
    words = ("media", "create", "--to", "1.3.0", "--receipt", tmp_path / "old.json", tmp_path / "again")
    assert "the content of 1.0.0 was dropped here" in done("-C", publisher, *words).err
    assert made(publisher, tmp_path / "third", "--receipt", tmp_path / "old.json") >= small
    refused(airstore("-C", world.site, "gc", "--keep", "1", "--drop-bases"), 2, "is for a publisher")


def test_a_publisher_keeps_what_a_pending_release_needs(world: World, tmp_path: Path) -> None:
    publisher, other = ("-C", world.publisher), tmp_path / "ben"
    PrivateKey.generate().save(other)
    PrivateKey.load(other).public.save(tmp_path / "ben.pub")
    done(*publisher, "trust", "root", "add-key", tmp_path / "ben.pub", "--release-threshold", "2")
    done(*publisher, "trust", "root", "sign", "--key-file", world.publisher / "keys" / "root")
    make_layout(world.tiny.layout, text=words("pending"))
    done(*publisher, "release", "create", "--version", "2.0.0", "--key", "release")
    said = gc(world.publisher, 1)
    assert said["unused"]["blobs"] == 0
    assert said["notes"] == ["release 2.0.0 is pending: what it needs stays"]
    done(*publisher, "release", "sign", "2.0.0", "--key-file", other)
    readable(world.publisher, "1.3.0", "2.0.0")
