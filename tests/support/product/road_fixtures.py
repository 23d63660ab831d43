"""A publisher, its media and a site, made once a session and copied by tests that change them."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.product.collected import World, make_world
from tests.support.product.road_parts import Road, build_road, under_construction
from tests.support.product.rotation import Rotation
from tests.support.product.tiny_product import Tiny, make_tiny

Copy = Callable[[Path], Path]


@pytest.fixture(scope="session")
def road(helm4: Path, tmp_path_factory: pytest.TempPathFactory) -> Road:
    """For reading only. The first of several workers builds it, the others wait for it. The directory
    ``AIRSTORE_ROAD`` keeps it for later runs (scripts/guards).

    Commands of other workers leave marks in its ``tmp`` for as long as they run: what asks for a publisher
    that is unchanged takes ``own_road``.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    shared = Path(os.environ.get("AIRSTORE_ROAD", shared))
    with (shared / "road.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "road").exists():
            build_road(shared / "road-building")
            (shared / "road-building").rename(shared / "road")
    return Road(shared / "road")


@pytest.fixture
def own_road(road: Road, tmp_path: Path) -> Road:
    """A whole road to damage."""
    return road.copied(tmp_path / "road")


@pytest.fixture
def rotation(own_road: Road) -> Rotation:
    """A publisher whose root key lies elsewhere."""
    return Rotation.of(own_road)


@pytest.fixture
def site(road: Road, tmp_path: Path) -> Path:
    """A site that holds 1.0.0, to damage."""
    return shutil.copytree(road.site, tmp_path / "site", ignore=under_construction)


@pytest.fixture
def new_site(road: Road, tmp_path: Path) -> Path:
    """A site that holds nothing yet, to damage."""
    return shutil.copytree(road.new_site, tmp_path / "new-site", ignore=under_construction)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Copy media to damage them: ``copy(road.delta)``."""

    def make(directory: Path) -> Path:
        number = len(list(tmp_path.glob("copy-*")))
        return shutil.copytree(directory, tmp_path / f"copy-{number}" / directory.name)

    return make


@pytest.fixture(scope="session")
def tiny_made(helm4: Path, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("tiny") / "tiny")


@pytest.fixture
def tiny(tiny_made: Tiny, tmp_path: Path) -> Tiny:
    """The smallest product and its publisher, to spoil."""
    return Tiny(shutil.copytree(tiny_made.base, tmp_path / "tiny"))


@pytest.fixture(scope="session")
def gc_world_made(helm4: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("gc") / "world")


@pytest.fixture
def gc_world(gc_world_made: World, tmp_path: Path) -> World:
    """A publisher and a site with releases to drop, to spoil."""
    return gc_world_made.copied(tmp_path / "world")
