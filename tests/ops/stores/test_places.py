"""Where a store is: named from anywhere, and its runs in the order in which they were."""

from __future__ import annotations

import sys
from contextlib import chdir
from pathlib import Path

import pytest

from airstore.core.errors import StorageError
from airstore.ops.apply.session.runs import Runs
from airstore.ops.stores.directory import SITE, open_directory
from airstore.process import program
from airstore.process.guard import await_end
from tests.support.product.road_parts import Road, airstore, done, refused

_NOW = 1_767_225_600


def test_a_store_stays_where_it_is_when_the_current_directory_changes(site: Path, tmp_path: Path) -> None:
    with chdir(site.parent):
        store = open_directory(Path(site.name))
    with chdir(tmp_path):
        assert store.path == site
        assert store.history.find("1.0.0").version == "1.0.0"
        assert store.trust_root().version == 1


def test_a_store_in_the_current_directory(road: Road, tmp_path: Path) -> None:
    with chdir(tmp_path):
        Path("here").mkdir()
        with chdir("here"):
            done("init", ".", "--site", "acme", "--trust", road.root)
            done("media", "import", road.full)
            done("check")
            assert open_directory(Path()).side == SITE
    assert open_directory(tmp_path / "here").path == tmp_path / "here"


def test_a_current_directory_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with chdir(tmp_path), chdir(gone):
        gone.rmdir()
        refused(airstore("check"), 10, "current directory, which was deleted", "cd to another")
        refused(airstore("-C", "STORE", "status"), 10, "STORE is relative to the current directory")
        refused(airstore("-C", tmp_path, "check"), 10, "not an airstore store")
        gone.mkdir()  # for pytest, which goes back here


def test_a_guarded_program_runs_where_nothing_ran_before(site: Path) -> None:
    """It works in / whatever this process does; a site's first command may be a dry run."""
    with chdir(site):
        lock = Path("deploy") / "guard.lock"
        ended = program.run([sys.executable, "-c", "print('ran')"], {}, timeout=60, guard=lock)
        assert (ended.code, ended.stdout) == (0, b"ran\n")
    assert (site / "deploy" / "guard.lock").is_file()
    assert (site / "deploy").stat().st_mode & 0o777 == 0o700


def test_a_lock_that_cannot_be_made_is_named(site: Path) -> None:
    (site / "deploy" / "guard.lock").mkdir(parents=True)
    lock = site / "deploy" / "guard.lock"
    ended = program.run([sys.executable, "-c", "print('ran')"], {}, timeout=60, guard=lock)
    assert (ended.code, ended.stdout) == (126, b"")
    assert f"cannot lock {lock}: Is a directory" in ended.stderr.decode()
    with pytest.raises(StorageError, match="cannot write"):
        await_end(Path("/proc/nothing/guard.lock"), 0)


@pytest.mark.parametrize("later", [_NOW, _NOW - 86_400, _NOW + 1])
def test_names_of_runs_sort_in_their_order(later: int, site: Path) -> None:
    """Also where the clock stands, as SOURCE_DATE_EPOCH has it, or was set back."""
    runs, names = Runs(open_directory(site)), list[str]()
    for now in (_NOW, *[later] * 20):
        names.append(runs.name(now))
        (runs.directory / names[-1]).mkdir(parents=True)
    (runs.directory / "zz-of-somebody").mkdir()
    names.append(runs.name(later))
    assert names == sorted(names)
    assert len({name[:16] for name in names}) == len(names)
