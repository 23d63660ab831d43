"""docs/stolen-key.md, command by command: from the theft to the last site."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from airstore.ops.stores.directory import open_directory
from tests.support.faults.forged_media import git
from tests.support.product.road_parts import Road, airstore, done, refused, sound, unchanged
from tests.support.product.rotation import Rotation, held
from tests.support.tools.document_commands import Command, Desk, commands

pytestmark = pytest.mark.slow

DOCUMENT = "docs/stolen-key.md"
AT_SITE = {"trust root import", "media import", "release verify"}


def sections() -> dict[str, list[Command]]:
    """Commands by the number of their section."""
    lines = (Path(__file__).parents[2] / DOCUMENT).read_text().splitlines()
    starts = {n: line[3] for n, line in enumerate(lines, start=1) if re.match(r"## \d", line)}
    found: dict[str, list[Command]] = {}
    for command in commands(DOCUMENT):
        number = starts[max(n for n in starts if n < command.line)]
        found.setdefault(number, []).append(command)
    return found


@pytest.fixture
def publisher(own_road: Road, tmp_path: Path) -> Rotation:
    return Rotation.of(own_road)


def desk_of(store: Path, directory: Path) -> Desk:
    """A desk whose STORE is this one."""
    directory.mkdir()
    shutil.move(store, directory / "STORE")
    return Desk(directory, "relative")


def test_from_theft_to_every_site_safe(publisher: Rotation, tmp_path: Path) -> None:
    """Three sites: one was fooled by two releases, one holds the last genuine one, one is new."""
    road, thief = publisher.road, publisher.thief()
    thief.next("1.2.0")
    thief.next("1.3.0")
    stolen = thief.media(road.base / "stolen", "1.3.0")
    publisher.imports(road.site, stolen)
    assert held(road.site) == ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]
    careful = shutil.copytree(road.new_site, tmp_path / "careful")
    done("-C", careful, "media", "import", road.full_new)
    sites = [
        desk_of(store, tmp_path / name)
        for name, store in (("fooled", road.site), ("held", careful), ("new", road.new_site))
    ]
    steps = sections()
    (tmp_path / "office").mkdir()
    desk = Desk(tmp_path / "office", "relative")
    shutil.copytree(road.base / "product", desk / "product")
    shutil.move(road.publisher, desk.store)
    shutil.copy(publisher.root_key, desk / "root-key")

    run(steps["2"], desk)
    run(steps["3"], desk)
    for site in sites:
        desk.hand_over("STORE/trust/root.json", site, "root.json")
        run(steps["4"], site)
        with unchanged(site.store):
            refused(airstore("-C", site.store, "media", "import", stolen), 30, "signed by 0 of the 1")
    assert [held(site.store) for site in sites] == [["1.0.0", "1.1.0"], ["1.0.0", "1.1.0"], []]
    assert git(sites[0].store / "history.git", "for-each-ref", "refs/disowned")
    run(steps["5"], desk, lambda command: command.name not in AT_SITE | {"check"})
    for site in sites:
        desk.hand_over("OUT", site, "MEDIA")
        run(steps["5"], site, lambda command: command.name in AT_SITE | {"check"})
        sound(site.store, "1.0.0", "1.1.0", "1.4.0")
        assert open_directory(site.store).history.tip == open_directory(desk.store).history.tip
        with unchanged(site.store):
            refused(airstore("-C", site.store, "media", "import", stolen), 30)


def run(found: list[Command], desk: Desk, wanted: Callable[[Command], bool] = lambda _command: True) -> None:
    """Those commands of a section, in order; at least one."""
    mine = [command for command in found if wanted(command)]
    assert mine
    for command in mine:
        desk.run(command)
