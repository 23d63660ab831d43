"""Power cuts: what real runs change below a store, call by call, on a disk that loses what it may.

strace sees the run; the simulated disk of `tests.support.faults.power` says what may be there after a cut at
any moment, and what has to be there once the command has ended.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airstore.deploy.run.journal import Journal
from tests.support.faults.power import SYNCS, Disk, Node, files, write
from tests.support.faults.traced import Call, traced
from tests.support.product.collected import World
from tests.support.product.road_parts import CACHE, LOCKS, Road, done, environment, sound
from tests.support.product.tiny_product import Tiny

pytestmark = [pytest.mark.root, pytest.mark.timeout(900)]

_PASSING = LOCKS | {CACHE}  # what says nothing, and what is found out again
# Of each command: as many as its moments take turns to get.
_STATES = 48 if os.environ.get("AIRSTORE_KILL_EVERY") == "1" else 24
Recover = Callable[[Path], None]


def kept(tree: Node) -> dict[str, bytes]:
    """All that a store has to have."""
    found = files(tree)
    return {name: data for name, data in found if name not in _PASSING and not name.startswith("tmp/")}


def states(disk: Disk, calls: list[Call]) -> Iterator[Node]:
    """What may be there after cuts just before and after syncs, each in a way of its own."""
    moments = [number for number, call in enumerate(calls) if call.name in SYNCS]
    chosen = {moment for at in moments for moment in (at, at + 1)}
    stride = max(1, len(chosen) // _STATES)
    ways = [(False, False), (False, True), (True, False), (True, True)]  # by chance or not, all names or not
    taken = sorted(chosen)[::stride]
    for number, call in enumerate(calls):
        if number in taken:
            chance, names = ways[taken.index(number) % len(ways)]
            yield disk.after_cut(number if chance else None, all_names=names)
        disk.apply(call)


def run(store: Path, tmp_path: Path, *words: str | Path) -> list[Call]:
    """What a command does to a store."""
    command = [sys.executable, "-m", "airstore", "-C", store, *words]
    return traced(store, tmp_path / "trace", command, environment())


def survives(store: Path, tmp_path: Path, words: list[str | Path], recover: Recover) -> None:
    """A command whose every power cut the next run gets over, and that has made all durable when it ends."""
    disk, looked = Disk(store), 0
    calls = run(store, tmp_path, *words)
    away = store.rename(tmp_path / "real")
    for tree in states(disk, calls):
        looked += 1
        write(tree, store)
        recover(store)
        shutil.rmtree(store)
    assert looked > 20
    real = kept(Disk(away).root)
    assert kept(disk.root) == real, "else the simulated disk is not a disk"
    assert kept(disk.after_cut(None)) == real, "a command that has ended has made all of it durable"


@pytest.mark.parametrize("media", ["delta", "full_new"])
def test_an_import(media: str, road: Road, tmp_path: Path) -> None:
    words: list[str | Path] = ["media", "import", getattr(road, media)]

    def recover(site: Path) -> None:
        done("-C", site, "check")
        done("-C", site, *words)
        sound(site, "1.0.0", "1.1.0")

    survives(shutil.copytree(road.site, tmp_path / "site"), tmp_path, words, recover)


def test_a_release(tiny: Tiny, tmp_path: Path) -> None:
    words: list[str | Path] = ["release", "create", "--version", "1.0.0"]

    def recover(store: Path) -> None:
        done("-C", store, *words)
        sound(store, "1.0.0")

    survives(tiny.store, tmp_path, words, recover)


def test_a_gc(gc_world: World, tmp_path: Path) -> None:
    words: list[str | Path] = ["gc", "--keep", "1"]

    def recover(store: Path) -> None:
        done("-C", store, *words)
        done("-C", store, "check")

    survives(gc_world.publisher, tmp_path, words, recover)


_RUN = """
import sys
from pathlib import Path
from airstore.deploy.run.journal import Journal
from airstore.deploy.run.steps import End, Status, Step, StepKind
site = Path(sys.argv[1])
journal = Journal.begin(site / "run", {"of": "five"})
for number in range(5):
    journal.record(Status.BEGIN, Step(StepKind.UPGRADE, f"shop/{number}"))
    (site / f"{number}-is-begun").mkdir()
"""


def test_a_journal_has_what_was_done_after_it_was_written(tmp_path: Path) -> None:
    """And never a line that was not: whatever is left of the last one."""
    (tmp_path / "site").mkdir()
    disk, begun = Disk(tmp_path / "site"), 0
    command: list[str | Path] = [sys.executable, "-c", _RUN, tmp_path / "site"]
    for number, call in enumerate(traced(tmp_path / "site", tmp_path / "trace", command, {})):
        disk.apply(call)
        begun += call.name == "mkdir" and str(call.paths[0]).endswith("-is-begun")
        for chance in (None, *range(20)):
            left = tmp_path / f"{number}-{chance}"
            write(disk.after_cut(chance), left)
            if begun:
                events = [event.step.item for event in Journal.load(left / "run").events if event.step]
                assert events == [f"shop/{of}" for of in range(len(events))]
                assert begun <= len(events) <= begun + 1
            shutil.rmtree(left)
    assert begun == 5


@pytest.mark.parametrize("lying", ["file", "directory"])
def test_a_disk_whose_syncs_do_nothing_is_noticed(lying: str, road: Road, tmp_path: Path) -> None:
    """Without those of files, or of directories, an import that has ended would not be there."""
    site = shutil.copytree(road.site, tmp_path / "site")
    disk = Disk(site)
    for call in run(site, tmp_path, "media", "import", road.delta):
        kind = "directory" if call.paths[0] is not None and (site / call.paths[0]).is_dir() else "file"
        disk.apply(call, lies=kind == lying)
    assert kept(disk.after_cut(None)) != kept(Disk(site).root)
