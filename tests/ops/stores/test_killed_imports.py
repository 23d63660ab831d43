"""Imports that were killed: the next one goes on, or leaves nothing behind."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.stores.test_faults import operations, take_in
from tests.support.product.road_fixtures import Copy
from tests.support.product.road_parts import (
    Road,
    done,
    flipped,
    leftovers,
    rewrite,
    sound,
    unchanged,
)

pytestmark = pytest.mark.slow


_KILLED = """\
import sys
from datetime import UTC, datetime
from pathlib import Path
sys.path.insert(0, sys.argv[4])
from tests.support.faults.faulty_disk import FaultyDisk, kill
from airstore.core.progress import QUIET
from airstore.ops.stores.directory import StoreDirectory, open_directory
from airstore.media.reader import Media
from airstore.ops.media.importer import import_media
site = open_directory(Path(sys.argv[1]))
disk = FaultyDisk(int(sys.argv[3]), kill)
store = StoreDirectory(site.path, site.side, site.name, None, disk)
import_media(store, Media(Path(sys.argv[2])), datetime.now(UTC), QUIET)
"""


def killed_at(nth: int, site: Path, media: Path) -> None:
    tests = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", _KILLED, str(site), str(media), str(nth), tests]
    ended = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended


def copied(site: Path) -> list[str]:
    (arrivals,) = (site / "tmp").glob("import-*")
    return [
        path.relative_to(arrivals).as_posix()
        for path in sorted(arrivals.rglob("*"))
        if path.is_file() and not path.name.startswith(".tmp-")
    ]


@pytest.fixture
def interrupted(road: Road, new_site: Path) -> Path:
    """A site whose import was killed when one file was copied: write, sync, rename, and then no more."""
    with unchanged(new_site, tmp=True):
        killed_at(4, new_site, road.full)
    assert copied(new_site) == ["history.bundle"]
    return new_site


def test_a_killed_import_goes_on_where_it_was(interrupted: Path, road: Road, copy: Copy) -> None:
    """What was copied is not read from the carrier again: there it may have gone bad since."""
    media = copy(road.full)
    rewrite(media / "history.bundle", lambda data: flipped(data, 100))
    done("-C", interrupted, "media", "import", media)
    assert leftovers(interrupted) == []
    sound(interrupted, "1.0.0")


def test_a_copy_that_went_bad_is_made_again(interrupted: Path, road: Road) -> None:
    (arrivals,) = (interrupted / "tmp").glob("import-*")
    for damage in (lambda data: flipped(data, 100), lambda data: data[:50], lambda _: b""):
        rewrite(arrivals / "history.bundle", damage)
        done("-C", interrupted, "media", "import", "--dry-run", road.full)
        assert leftovers(interrupted) == []
        arrivals.mkdir()
        shutil.copy(road.full / "history.bundle", arrivals)
    done("-C", interrupted, "media", "import", road.full)
    sound(interrupted, "1.0.0")


def test_an_import_that_never_went_on_leaves_nothing_behind(interrupted: Path, road: Road) -> None:
    done("-C", interrupted, "media", "import", road.full_new)
    assert leftovers(interrupted) == []
    sound(interrupted, "1.0.0", "1.1.0")


def test_an_import_killed_between_its_last_steps_is_finished(road: Road, site: Path, tmp_path: Path) -> None:
    """Packs are there and the history is not; both are there and the trust state is not; and so on."""
    counted = shutil.copytree(site, tmp_path / "counted")
    total = operations(lambda disk: take_in(counted, road.delta, disk))
    for nth in range(total - 8, total + 1, 4):
        tried = shutil.copytree(site, tmp_path / f"tried-{nth}")
        killed_at(nth, tried, road.delta)
        done("-C", tried, "check")
        done("-C", tried, "media", "import", road.delta)
        sound(tried, "1.0.0", "1.1.0")
        assert leftovers(tried) == []
        shutil.rmtree(tried)
