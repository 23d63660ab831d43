"""`airstore gc` on stores that are damaged, locked or shared, on disks that fail, and killed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airstore.core.errors import StorageError
from airstore.core.progress import QUIET
from airstore.ops.gc.gc import collect
from airstore.ops.gc.pins import Pins
from airstore.ops.registry.serve import LiveCatalog
from airstore.ops.stores.directory import open_directory
from tests.ops.stores.test_faults import limited, on
from tests.ops.stores.test_stores import held as locked
from tests.store.store_support import flip
from tests.support.faults.faulty_disk import FaultyDisk, full, interrupt
from tests.support.product.collected import (
    VERSIONS,
    World,
    dropped,
    gc,
    readable,
    states,
)
from tests.support.product.repairs import broken, damage, repaired
from tests.support.product.road_parts import (
    airstore,
    done,
    leftovers,
    refused,
    separately,
    snapshot,
    unchanged,
)

pytestmark = pytest.mark.slow


def newest_pack(store: Path) -> Path:
    return max((store / "packs").iterdir(), key=lambda path: path.stat().st_mtime_ns)


@pytest.fixture
def world(gc_world: World) -> World:
    return gc_world


@pytest.fixture(params=["publisher", "site"])
def store(request: pytest.FixtureRequest, world: World) -> Path:
    return world.publisher if request.param == "publisher" else world.site


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


@pytest.mark.parametrize("size", [0, 1000])
def test_without_room_it_ends_and_goes_on_with_room(size: int, store: Path) -> None:
    """Not even the list of what goes can be written; or that, and no pack."""
    outcome = limited(size, "-C", store, "gc", "--keep", "1")
    refused(outcome, 41, "File too large" if size == 0 else "")
    readable(store, "1.3.0")
    assert states(store)["1.0.0"] in {"all", "collected"}
    gc(store, 1)
    assert states(store)["1.0.0"] == "collected"
    readable(store, "1.3.0")


def killed_at(nth: int, store: Path) -> None:
    tests = str(Path(__file__).parents[3])
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
    assert "release 1.0.0" in str(catalog.absence(image.repository, str(image.root.digest)))
    assert catalog.absence(image.repository, "never") is None
