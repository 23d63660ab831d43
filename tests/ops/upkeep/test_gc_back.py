"""What `airstore gc` dropped comes back when it is asked for; until then it is refused with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.product.collected import (
    VERSIONS,
    World,
    gc,
    readable,
    states,
    words,
)
from tests.support.product.repairs import damage, repaired
from tests.support.product.road_parts import (
    airstore,
    delta_of,
    done,
    flipped,
    leftovers,
    refused,
    rewrite,
    unchanged,
)
from tests.support.product.tiny_product import make_layout


def newest_pack(store: Path) -> Path:
    return max((store / "packs").iterdir(), key=lambda path: path.stat().st_mtime_ns)


def made(publisher: Path, out: Path, *base: str | Path, to: str = "1.3.0") -> int:
    """Bytes of media that were made."""
    done("-C", publisher, "media", "create", "--to", to, *base, out)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


@pytest.fixture
def world(gc_world: World) -> World:
    return gc_world


@pytest.fixture(params=["publisher", "site"])
def store(request: pytest.FixtureRequest, world: World) -> Path:
    return world.publisher if request.param == "publisher" else world.site


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
