"""`airstore gc`: what goes is said first, what stays is whole, and history knows of both."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airstore.core.errors import StorageError
from airstore.core.progress import QUIET
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.steps import End, Mode, Status, Step, StepKind
from airstore.ops.gc.gc import collect
from airstore.ops.gc.pins import Pins
from airstore.ops.registry.serve import LiveCatalog
from airstore.ops.stores.directory import open_directory
from airstore.trust.keys import PrivateKey
from tests.ops.test_faults import on
from tests.ops.test_stores import held as locked
from tests.store.store_support import flip, noise, put
from tests.support.faults.faulty_disk import FaultyDisk, full, interrupt
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
from tests.support.product.repairs import broken, damage, repaired
from tests.support.product.road_parts import (
    airstore,
    delta_of,
    done,
    flipped,
    leftovers,
    refused,
    rewrite,
    separately,
    snapshot,
    sound,
    unchanged,
)
from tests.support.product.tiny_product import make_layout

NEWEST = ["it is among the newest"]
STRAY = noise(10_000, 1)


def newest_pack(store: Path) -> Path:
    return max((store / "packs").iterdir(), key=lambda path: path.stat().st_mtime_ns)


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
    begin(world.site, "20260101T000000Z-00000000", "1.1.0", "1.0.0", end=False)
    why = ["run 20260101T000000Z-00000000 has not ended"]
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


def test_a_registry_does_not_offer_what_is_about_to_go(world: World) -> None:
    """A killed gc has written down what goes, and none of it is gone."""
    store = open_directory(world.site)
    image = store.history.release("1.0.0").images[0]
    catalog = LiveCatalog(store)
    assert catalog.left_out == ()
    repository = catalog.repository(image.repository)
    assert repository
    assert image.root.digest in repository.blobs
    killed_at(4, world.site)
    assert states(world.site)["1.0.0"] == "all"
    repository = catalog.repository(image.repository)
    assert repository
    assert image.root.digest not in repository.blobs
    assert catalog.dropped == ("1.0.0", "1.1.0", "1.2.0")
    assert "release 1.0.0" in catalog.absence(image.repository, str(image.root.digest))
    assert catalog.absence(image.repository, "never") == ""


# Coming back


def test_what_was_dropped_comes_back_when_it_is_asked_for(store: Path, world: World) -> None:
    gc(store, 1)
    media = world.media("1.0.0")
    assert repaired(store, media).out == "", "a repair alone brings nothing back"
    assert states(store)["1.0.0"] == "collected"
    refused(airstore("-C", store, "repair", "--release", "7.7.7", "--from", media), 10, "7.7.7")
    alone = repaired(store, world.media("1.3.0"), more=("--release", "1.0.0"))
    assert alone.code == 20
    assert "release 1.0.0 lacks 2 of its 6 blobs" in alone.out
    assert "full media for that release" in alone.out
    back = repaired(store, media, more=("--release", "1.0.0"))
    assert back.code == 0
    assert "what `airstore gc` dropped of release 1.0.0" in back.out
    assert states(store) == {"1.0.0": "all", "1.1.0": "collected", "1.2.0": "collected", "1.3.0": "all"}
    readable(store, "1.0.0", "1.3.0")
    damage(store, f"packs/{newest_pack(store).name}", 0.5)
    assert airstore("-C", store, "check").code == 20, "what came back is missed again"


def test_older_media_bring_it_back_where_it_was_dropped(world: World) -> None:
    """And nothing else: the trusted sequence, the history and what was not dropped stay as they are."""
    site, media = world.site, world.media("1.1.0")
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", media), 31, "stale")
    gc(site, 1)
    trusted = (site / "trust" / "state.json").read_bytes()
    with unchanged(site):
        assert "verified" in done("-C", site, "media", "import", "--dry-run", media).out
    assert "imported" in done("-C", site, "media", "import", media).out
    assert leftovers(site) == []
    assert states(site) == {"1.0.0": "collected", "1.1.0": "all", "1.2.0": "collected", "1.3.0": "all"}
    assert (site / "trust" / "state.json").read_bytes() == trusted
    readable(site, "1.1.0", "1.3.0")
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", media), 31, "stale")


def test_older_media_beside_newer_ones_bring_nothing_back(world: World) -> None:
    """As they lie on a carrier that is used again and again."""
    gc(world.site, 1)
    carrier = [world.media(version) for version in VERSIONS]
    done("-C", world.site, "media", "import", *carrier)
    assert states(world.site)["1.0.0"] == "collected"


def test_media_that_bring_it_back_are_verified_like_all(world: World) -> None:
    site, media = world.site, world.media("1.1.0")
    gc(site, 1)
    rewrite(delta_of(media), lambda data: flipped(data, len(data) // 2))
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", media), 20)
    assert states(site)["1.1.0"] == "collected"


def test_a_publisher_refuses_media_for_what_it_dropped(world: World, tmp_path: Path) -> None:
    gc(world.publisher, 1)
    outcome = airstore("-C", world.publisher, "media", "create", "--to", "1.0.0", tmp_path / "out")
    refused(outcome, 21, "the content of release 1.0.0 was dropped", "airstore repair --release 1.0.0")


def test_releases_go_on_after_it(world: World, tmp_path: Path) -> None:
    """A publisher and a site that both dropped all but the newest."""
    gc(world.publisher, 1)
    gc(world.site, 1)
    make_layout(world.tiny.layout, text=words("1.1.0"))  # a layer that both have dropped
    assert world.tiny.create("2.0.0").code == 0
    made(world.publisher, tmp_path / "delta", "--from", "1.3.0", to="2.0.0")
    done("-C", world.site, "media", "import", tmp_path / "delta")
    for store in (world.publisher, world.site):
        readable(store, "1.3.0", "2.0.0")
        assert states(store)["1.1.0"] == "all", "its content came with the new release"
        assert states(store)["1.0.0"] == "collected"


# Faults


def test_a_damaged_store_is_not_touched(store: Path, world: World) -> None:
    """The chart is everybody's, and lies in the pack of the oldest release."""
    chart = open_directory(store).history.release("1.0.0").charts[0].archive.digest
    with open_directory(store).open_blobs() as blobs:
        steps = blobs.reader().steps(blobs.reader().recipe(chart))
        for place in blobs.index.locate(next(step for step in steps if not isinstance(step, int))):
            for at in range(place.frame_offset, place.frame_offset + place.stored, 50):
                flip(blobs.layout.pack(place.pack), at)
    with unchanged(store):
        refused(airstore("-C", store, "gc", "--keep", "2"), 20, "airstore repair")
    sources = [world.media(version) for version in VERSIONS]
    assert repaired(store, *sources).code == 0
    assert dropped(gc(store, 2)) == ["1.0.0", "1.1.0"]
    readable(store, "1.2.0", "1.3.0")


def test_a_store_that_lacks_what_is_kept_is_not_touched(world: World) -> None:
    newest_pack(world.publisher).unlink()
    (world.publisher / "index.sqlite").unlink()
    done("-C", world.publisher, "release", "list")
    with unchanged(world.publisher):
        refused(airstore("-C", world.publisher, "gc", "--keep", "1"), 20, "release 1.3.0 is kept", "repair")


def test_a_history_that_is_damaged_ends_it(store: Path) -> None:
    (store / "verified.json").unlink(missing_ok=True)
    damage(store, "history.git/refs/tags/1.3.0", -1)
    with unchanged(store):
        assert airstore("-C", store, "gc", "--keep", "1").code == 20


@pytest.mark.parametrize("text", ["{", '{"apiVersion": "airstore/v1"}', ""])
def test_a_list_of_what_was_dropped_that_does_not_read(text: str, store: Path) -> None:
    gc(store, 2)
    (store / "collected.json").chmod(0o644)
    (store / "collected.json").write_text(text)
    assert "what `airstore gc` dropped" in broken(store)
    refused(airstore("-C", store, "release", "list"), 20, "collected.json", "airstore gc --keep N")
    assert "airstore gc --keep N" in repaired(store).err
    gc(store, 2)
    assert states(store)["1.0.0"] == ("collected" if store.name == "store" else "partly")
    done("-C", store, "check")


def test_one_at_a_time(store: Path, world: World) -> None:
    with unchanged(store, tmp=True), locked(store / "lock"):
        refused(airstore("-C", store, "gc", "--keep", "1"), 11, "another airstore process")
        assert separately("-C", store, "gc", "--keep", "1", "--dry-run").code == 11
    with unchanged(store, tmp=True), locked(store / "packs.lock"):
        refused(airstore("-C", store, "gc", "--keep", "1"), 11)
    gc(store, 1)


def run_on(store: Path, disk: FaultyDisk) -> None:
    collect(on(store, disk), 1, Pins, QUIET)


@pytest.mark.parametrize(("fail", "error"), [(full, StorageError), (interrupt, KeyboardInterrupt)])
def test_it_may_fail_anywhere(fail: object, error: type[BaseException], store: Path, tmp_path: Path) -> None:
    counted = shutil.copytree(store, tmp_path / "counted")
    disk = FaultyDisk(1 << 30)
    run_on(counted, disk)
    after = snapshot(counted)
    for nth in range(1, disk.count + 1):
        tried = shutil.copytree(store, tmp_path / f"tried-{nth}")
        with pytest.raises(error):
            run_on(tried, FaultyDisk(nth, fail))  # type: ignore[arg-type]
        readable(tried, "1.3.0")
        done("-C", tried, "release", "list")
        gc(tried, 1)
        readable(tried, "1.3.0")
        assert leftovers(tried) == []
        same = snapshot(tried)
        assert {name for name in same if name != "index.sqlite"} == {n for n in after if n != "index.sqlite"}


_KILLED = """\
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from airstore.core.progress import QUIET
from airstore.ops.gc.gc import collect
from airstore.ops.gc.pins import Pins
from airstore.ops.stores.directory import StoreDirectory, open_directory
from tests.support.faults.faulty_disk import FaultyDisk, kill
there = open_directory(Path(sys.argv[1]))
disk = FaultyDisk(int(sys.argv[2]), kill)
collect(StoreDirectory(there.path, there.side, there.name, None, disk), 1, Pins, QUIET)
"""


def killed_at(nth: int, store: Path) -> None:
    tests = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", _KILLED, str(store), str(nth), tests]
    ended = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended


@pytest.mark.parametrize("nth", [1, 3, 6])
def test_it_may_be_killed(nth: int, store: Path, world: World) -> None:
    killed_at(nth, store)
    readable(store, "1.3.0")
    if store == world.site:
        done("-C", store, "media", "import", world.media("1.3.0"))
    gc(store, 1)
    assert leftovers(store) == []
    assert states(store)["1.0.0"] == "collected"
    readable(store, "1.3.0")


def test_a_shared_store_is_not_touched(world: World) -> None:
    where = ("--git", "https://git.example.com/shop", "--objects", "oci://registry.example.com/shop")
    done("-C", world.publisher, "remote", "add", "origin", *where)
    with unchanged(world.publisher):
        refused(airstore("-C", world.publisher, "gc", "--keep", "1"), 2, "is shared")
    done("-C", world.publisher, "remote", "remove", "origin")
    assert dropped(gc(world.publisher, 1)) == ["1.0.0", "1.1.0", "1.2.0"]
