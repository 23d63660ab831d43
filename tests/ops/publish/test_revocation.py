"""A stolen release key and a fork: what a trust root takes back, and what sites make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.ops.stores.directory import open_directory
from airstore.trust.state import TrustState
from tests.ops.apply.test_plan import apply, plan
from tests.support.faults.forged_media import git
from tests.support.product.road_parts import (
    airstore,
    done,
    refused,
    sound,
    unchanged,
    write_site_file,
)
from tests.support.product.rotation import Rotation, held, root_of

pytestmark = pytest.mark.slow


def test_a_thief_of_the_release_key_is_locked_out(rotation: Rotation, new_site: Path) -> None:
    """One site was fooled, one was not; the next genuine media put both right."""
    road, thief = rotation.road, rotation.thief()
    thief.next("1.2.0")
    stolen = thief.media(road.base / "stolen", "1.2.0")
    rotation.imports(road.site, stolen)
    assert held(road.site) == ["1.0.0", "1.1.0", "1.2.0"]
    rotation.replace("release", "second")
    rotation.release("1.2.0", "second")
    media = rotation.media("1.2.0", "second")
    forged = open_directory(road.site).history.find("1.2.0").commit
    with unchanged(road.site):
        refused(airstore("-C", road.site, "media", "import", "--dry-run", media), 31, "disowns", "sequence 2")
    said = rotation.imports(road.site, media)
    assert "trust root 2 disowns what was imported as 1.2.0" in said
    rotation.imports(new_site, media)
    for site in (road.site, new_site):
        sound(site, "1.0.0", "1.1.0", "1.2.0")
        assert git(site / "history.git", "rev-parse", "main") == git(
            road.publisher / "history.git", "rev-parse", "main"
        )
        with unchanged(site):
            refused(airstore("-C", site, "media", "import", stolen), 30, "signed by 0 of the 1")
            refused(airstore("-C", site, "media", "import", road.delta), 30, "signed by 0 of the 1")
    assert git(road.site / "history.git", "for-each-ref", "--format=%(objectname)", "refs/disowned") == forged


def test_what_runs_of_a_disowned_release_is_planned_away(rotation: Rotation, helm4: Path) -> None:
    """The ledger says what was done, whoever signed it; the plan leads from there to what is genuine."""
    road, thief = rotation.road, rotation.thief()
    write_site_file(road.site)
    thief.next("1.2.0")
    thief.next("1.3.0")
    rotation.imports(road.site, thief.media(road.base / "stolen", "1.3.0"))
    apply(road.site, helm4, "1.3.0")
    rotation.replace("release", "second")
    rotation.imports(road.site, rotation.media("1.1.0", "second"))
    planned = plan(road.site)
    assert (planned["version"], planned["running"]) == ("1.1.0", "1.3.0")
    assert done("-C", road.site, "history", "-o", "json").json()[0]["release"] == "1.3.0"
    done("-C", road.site, "receipt", road.base / "receipt.json")


def test_a_fork_that_a_later_release_overtook_is_recovered(rotation: Rotation) -> None:
    """The publisher went on unaware; its root names a release that the fooled site never saw."""
    road, thief = rotation.road, rotation.thief()
    thief.next("1.2.0")
    rotation.imports(road.site, thief.media(road.base / "stolen", "1.2.0"))
    forged = git(road.site / "history.git", "rev-parse", "main")
    rotation.release("1.2.0", "release")
    rotation.release("1.3.0", "release")
    rotation.release("1.4.0", "release")
    before = rotation.media("1.4.0", "release")
    refused(airstore("-C", road.site, "media", "import", before), 31)
    rotation.replace("release", "second")
    rotation.imports(road.site, rotation.media("1.4.0", "second"))
    sound(road.site, "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0")
    assert root_of(road.site) == 2
    evidence = git(road.site / "history.git", "for-each-ref", "--format=%(objectname)", "refs/disowned")
    assert evidence == forged


@pytest.mark.parametrize("renewed", [False, True])
def test_another_release_in_the_place_that_a_root_names_is_a_fork(renewed: bool, rotation: Rotation) -> None:
    """By a key that was good then: where it parted nobody can say, but for what an earlier root names."""
    road, thief = rotation.road, rotation.thief()
    thief.next("1.2.0")
    rotation.imports(road.site, thief.media(road.base / "stolen", "1.2.0"))
    if renewed:
        rotation.change("create", "--expires", "365d")
        rotation.sign()
    rotation.release("1.2.0", "release")
    rotation.replace("release", "second")
    trust = road.publisher / "trust"
    files = [*sorted((trust / "roots").glob("*.json")), trust / "root.json"]
    done("-C", road.site, "trust", "root", "import", *files)
    assert held(road.site) == (["1.0.0", "1.1.0"] if renewed else [])
    assert TrustState.load(road.site / "trust" / "state.json").sequence == (2 if renewed else 0)
    done("-C", road.site, "check")
    rotation.imports(road.site, rotation.media("1.2.0", "second"))
    sound(road.site, "1.0.0", "1.1.0", "1.2.0")


def test_media_that_end_before_the_release_a_revocation_names_are_stale(
    rotation: Rotation, new_site: Path
) -> None:
    """Whoever signs the index has a good key; the history could be by anybody who had the revoked one."""
    rotation.replace("release", "second")
    media = rotation.media("1.0.0", "second")
    refused(airstore("-C", new_site, "media", "import", media), 31, "stale", "forge releases up to 2")
    assert held(new_site) == []
