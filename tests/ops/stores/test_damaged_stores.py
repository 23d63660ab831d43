"""Stores that are damaged or come from a backup: what comes back by an import, and what is refused."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from airstore.core.errors import DamagedError
from airstore.ops.stores.directory import open_directory
from airstore.store.blobs import BlobStore
from tests.ops.stores.test_faults import take_in
from tests.support.faults.faulty_disk import FaultyDisk
from tests.support.product.road_fixtures import Copy
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    flipped,
    overwrite,
    refused,
    sound,
    unchanged,
)

pytestmark = pytest.mark.slow


def test_an_index_that_is_damaged_or_gone_is_made_anew(road: Road, site: Path) -> None:
    """The packs hold everything."""
    index = site / "index.sqlite"
    for data in (b"", b"SQLite format 3\0" + bytes(5000), os.urandom(5000)):
        overwrite(index, data)
        sound(site, "1.0.0")
    index.unlink()
    sound(site, "1.0.0")
    done("-C", site, "check", "--rebuild-index")
    done("-C", site, "media", "import", road.delta)
    sound(site, "1.0.0", "1.1.0")


def test_what_a_damaged_site_lost_comes_back_with_full_media(road: Road, site: Path, tmp_path: Path) -> None:
    pack = max((site / "packs").iterdir(), key=lambda path: path.stat().st_size).relative_to(site)
    whole = (site / pack).read_bytes()
    for position in range(0, len(whole), len(whole) // 5):
        damaged = shutil.copytree(site, tmp_path / f"damaged-{position}")
        overwrite(damaged / pack, flipped(whole, position))
        outcome = airstore("-C", damaged, "check")
        assert outcome.code == 20, position
        assert pack.name in outcome.out
        assert "full media" in outcome.err
        done("-C", damaged, "media", "import", road.full)
        sound(damaged, "1.0.0")


def test_a_delta_on_a_damaged_base_is_refused(road: Road, site: Path) -> None:
    """What is in the store is not believed either."""
    pack = max((site / "packs").iterdir(), key=lambda path: path.stat().st_size)
    pack.unlink()
    pack.write_bytes(b"")
    with unchanged(site):
        outcome = airstore("-C", site, "media", "import", road.delta)
        assert outcome.code in {20, 21}, outcome
        refused(outcome, outcome.code, "1.1.0")
    done("-C", site, "media", "import", road.full_new)
    rows = done("-C", site, "release", "list", "-o", "json").json()
    assert rows[-1]["held"] == "all"
    with BlobStore(site) as blobs:
        for digest in open_directory(site).history.release("1.1.0").blobs():
            assert b"".join(blobs.read(digest))


def test_a_history_restored_from_a_backup_is_brought_forward_again(road: Road, site: Path) -> None:
    """The trust state is ahead of it; nobody takes the old history for the present."""
    backup = shutil.copytree(site / "history.git", site.parent / "backup.git")
    done("-C", site, "media", "import", road.delta)
    shutil.rmtree(site / "history.git")
    backup.rename(site / "history.git")
    outcome = airstore("-C", site, "check")
    assert outcome.code == 20
    assert "lacks the release last trusted here, sequence 2" in outcome.out
    refused(airstore("-C", site, "media", "import", road.full), 31, "stale")
    assert done("-C", site, "media", "import", road.full_new).out.rstrip().endswith("imported")
    sound(site, "1.0.0", "1.1.0")


def test_media_that_change_while_they_are_read_change_nothing(road: Road, new_site: Path, copy: Copy) -> None:
    """What was hashed is what is used: the copy. Here the carrier is exchanged as soon as a copy is made."""
    outcomes = []
    for nth in range(1, 10):
        media = copy(road.full)
        tried = shutil.copytree(new_site, new_site.parent / f"tried-{nth}")

        def exchange(media: Path = media) -> None:
            for path in media.rglob("*"):
                if path.is_file():
                    overwrite(path, flipped(path.read_bytes(), 50))

        with suppress(DamagedError):  # it was exchanged before its copy was complete
            take_in(tried, media, FaultyDisk(nth, exchange))
        taken = [row["version"] for row in done("-C", tried, "release", "list", "-o", "json").json()]
        outcomes.append(taken == ["1.0.0"])
        sound(tried, *taken)
    assert outcomes == sorted(outcomes)  # refused at first; imported once everything was copied
    assert set(outcomes) == {False, True}
