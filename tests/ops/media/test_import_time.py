"""What an import says of the time that is left: each step knows what the ones after it take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airstore.core.errors import DamagedError
from airstore.core.progress import NOTHING, Advance, Afterwards
from airstore.media.delta import pace
from airstore.media.delta.file import DeltaFile
from airstore.media.reader import Media
from airstore.ops.media.importer import import_media
from airstore.ops.stores.directory import open_directory
from tests.support.product.road_parts import Road, done

pytestmark = pytest.mark.slow
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Watcher:
    """Asks each step for what follows, as a bar does when it is drawn first.

    Attributes:
        seconds: of what follows a step, as it said itself.
        paces: at which they count.
        totals: of each step, as it said them.
        done: what it counted.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float | None] = {}
        self.paces: dict[str, float | None] = {}
        self.totals: dict[str, int | None] = {}
        self.done = Counter[str]()

    @contextmanager
    def task(self, label: str, total: int | None, after: Afterwards = NOTHING) -> Iterator[Advance]:
        self.seconds[label], self.paces[label] = after.seconds(), after.pace
        self.totals[label] = total
        yield lambda count: self.done.update({label: count})

    def work(self, label: str, total: int, after: Afterwards = NOTHING) -> AbstractContextManager[Advance]:
        return self.task(label, total, after)


def imported(site: Path, *volumes: Path) -> Watcher:
    watcher = Watcher()
    import_media(open_directory(site), Media(*volumes), NOW, watcher)
    return watcher


def delta_of(media: Path) -> Path:
    (path,) = media.glob("packs/*.delta")
    return path


def test_each_step_counts_those_after_it(road: Road, tmp_path: Path) -> None:
    mine = road.copied(tmp_path / "road")
    table = DeltaFile(delta_of(mine.full_new)).table
    watcher = imported(mine.new_site, mine.full_new)
    assert pace.applying(table) > 0 < pace.rebuilding(table)
    assert watcher.seconds["copying media"] == pace.applying(table) + pace.rebuilding(table)
    assert watcher.paces["copying media"] is None  # a carrier's pace says nothing about the machine
    assert watcher.seconds["applying a delta"] == pace.rebuilding(table)
    assert watcher.paces["applying a delta"] == pace.UNIT
    assert watcher.seconds["rebuilding blobs"] == 0


def test_what_is_counted_is_what_was_said(road: Road, tmp_path: Path) -> None:
    """With full media as with a delta, where most work is to join what the site has already."""
    mine = road.copied(tmp_path / "road")
    for site, media in ((mine.new_site, mine.full_new), (mine.site, mine.delta)):
        watcher = imported(site, media)
        assert watcher.totals == watcher.done
        new = sum(piece.size for piece in DeltaFile(delta_of(media)).table.pieces)
        assert watcher.done["applying a delta"] > new * (pace.MAKING + pace.JOINING / 2)


def test_opening_what_fast_media_brought_counts_what_follows(road: Road, tmp_path: Path) -> None:
    mine, media = road.copied(tmp_path / "road"), tmp_path / "fast"
    done("-C", mine.publisher, "media", "create", "--to", "1.0.0", "--effort", "fast", media)
    first = imported(mine.new_site, media)
    packs = sum(path.stat().st_size for path in media.glob("packs/*.pack"))
    assert 0 < pace.reading(packs) <= (first.seconds["copying media"] or 0)
    watcher = imported(mine.new_site, mine.delta)
    table = DeltaFile(delta_of(mine.delta)).table
    assert watcher.totals["opening layers held whole"] == watcher.done["opening layers held whole"]
    assert watcher.seconds["opening layers held whole"] == pace.applying(table) + pace.rebuilding(table)


def test_a_table_that_cannot_be_read_is_refused_where_it_is_copied(road: Road, tmp_path: Path) -> None:
    """What is looked at to say the time is not believed, and its faults are not the ones that are said."""
    mine = road.copied(tmp_path / "road")
    path = delta_of(mine.full_new)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[60:80] = bytes(20)
    path.write_bytes(data)
    watcher = Watcher()
    with pytest.raises(DamagedError, match="other content than the signed index says"):
        import_media(open_directory(mine.new_site), Media(mine.full_new), NOW, watcher)
    assert watcher.seconds == {"copying media": None}


def test_of_a_delta_that_was_cut_nothing_is_said_before_it_is_joined(road: Road, tmp_path: Path) -> None:
    out, site = tmp_path / "cut", tmp_path / "site"
    done("-C", road.publisher, "media", "create", "--to", "1.1.0", "--volume-size", "512K", out)
    done("init", site, "--site", "acme", "--trust", road.root)
    assert list(out.glob("*/packs/*.delta+*"))
    watcher = imported(site, *sorted(out.iterdir()))
    assert watcher.seconds["copying media"] is None
    assert watcher.seconds["applying a delta"]
