"""Media for several sites: one delta for all of them, each site makes what it lacks, others are refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.product.road_parts import Road, airstore, done, refused, sound, unchanged

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Sites:
    """A publisher with 1.2.0, a site on 1.0.0 (acme) and one that began with 1.1.0 (other).

    Attributes:
        receipts: of acme and other.
    """

    road: Road
    other: Path
    receipts: tuple[Path, Path]

    def create(self, out: Path, *words: str | Path) -> Any:
        return airstore("-C", self.road.publisher, "media", "create", "--to", "1.2.0", *words, out)

    @property
    def both(self) -> list[str | Path]:
        return [word for receipt in self.receipts for word in ("--receipt", receipt)]


def site(road: Road, directory: Path, name: str, *media: Path) -> Path:
    """A new site that the publisher knows; its receipt, as NAME.json."""
    done("init", directory / name, "--site", name, "--trust", road.root)
    done("-C", road.publisher, "site", "add", name, directory / name / "keys" / "site.pub")
    for each in media:
        done("-C", directory / name, "media", "import", each)
    done("-C", directory / name, "receipt", directory / f"{name}.json")
    return directory / name


@pytest.fixture
def sites(own_road: Road, tmp_path: Path) -> Sites:
    done("-C", own_road.publisher, "site", "add", "acme", own_road.site / "keys" / "site.pub")
    done("-C", own_road.site, "receipt", tmp_path / "acme.json")
    other = site(own_road, tmp_path, "other", own_road.full_new)
    values = own_road.product.parent / "values" / "small.yaml"
    values.write_text(values.read_text() + "# 1.2.0\n")
    done("-C", own_road.publisher, "release", "create", "--version", "1.2.0")
    return Sites(own_road, other, (tmp_path / "acme.json", tmp_path / "other.json"))


def test_one_delta_serves_sites_on_two_releases(sites: Sites, tmp_path: Path) -> None:
    """The bytes of each site are said before; another site is refused."""
    out, road = tmp_path / "out", sites.road
    made = sites.create(out, *sites.both, "-o", "json")
    shown = made.json()
    assert (shown["kind"], shown["from"], shown["site"]) == ("delta", "1.0.0, 1.1.0", "acme, other")
    assert [(row["site"], row["from"]) for row in shown["shares"]] == [("acme", "1.0.0"), ("other", "1.1.0")]
    assert shown["shares"][0]["plain_bytes"] > shown["shares"][1]["plain_bytes"] >= 0
    assert "site acme, on 1.0.0: lacks" in made.err
    described = done("media", "inspect", out, "-o", "json").json()
    assert (described["from"], described["site"]) == ("1.0.0, 1.1.0", "acme, other")
    done("media", "verify", out, "--trust", road.root)
    stranger = site(road, tmp_path, "stranger", road.full)
    with unchanged(stranger):
        refused(airstore("-C", stranger, "media", "import", out), 31, "'acme', 'other'", "hint: ")
    for each in (road.site, sites.other):
        done("-C", each, "media", "import", "--dry-run", out)
        done("-C", each, "media", "import", out)
        assert "held already" in done("-C", each, "media", "import", out).out
    sound(road.site, "1.0.0", "1.1.0", "1.2.0")
    sound(sites.other, "1.0.0", "1.1.0", "1.2.0")


def test_media_from_two_releases_are_for_any_site_on_either(sites: Sites, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shown = sites.create(out, "--from", "1.1.0", "--from", "1.0.0", "--parity", "10%", "-o", "json").json()
    assert (shown["from"], shown["site"]) == ("1.0.0, 1.1.0", None)
    rehearsed = sites.create(
        tmp_path / "x", "--from", "1.0.0", "--from", "1.1.0", "--parity", "10%", "--dry-run", "-o", "json"
    ).json()
    assert rehearsed["estimated_bytes"] == shown["media_bytes"]
    empty = site(sites.road, tmp_path, "empty")
    with unchanged(empty):
        refused(airstore("-C", empty, "media", "import", out), 21, "1.0.0", "hint: ")
    for each in (sites.road.site, sites.other, site(sites.road, tmp_path, "late", sites.road.full)):
        done("-C", each, "media", "import", out)
        sound(each, "1.0.0", "1.1.0", "1.2.0")


def test_older_forms_serve_several_sites_as_well(sites: Sites, tmp_path: Path) -> None:
    """Packs hold what any of them lacks."""
    made = sites.create(tmp_path / "out", *sites.both, "--effort", "none", "-o", "json").json()
    assert made["kind"] == "delta"
    for each in (sites.road.site, sites.other):
        done("-C", each, "media", "import", tmp_path / "out")
        sound(each, "1.0.0", "1.1.0", "1.2.0")


def test_sites_that_hold_nothing_or_everything_are_said(sites: Sites, tmp_path: Path) -> None:
    road = sites.road
    site(road, tmp_path, "empty")
    made = sites.create(tmp_path / "full", *sites.both, "--receipt", tmp_path / "empty.json", "-o", "json")
    assert (made.json()["kind"], made.json()["site"]) == ("full", None)
    assert "site empty holds nothing yet" in made.err
    done("-C", sites.other, "media", "import", tmp_path / "full")
    done("-C", sites.other, "receipt", sites.receipts[1])
    made = sites.create(tmp_path / "delta", *sites.both, "-o", "json")
    assert "site other holds release 1.2.0 as a whole" in made.err
    assert (made.json()["from"], made.json()["site"]) == ("1.0.0", "acme")
    assert "shares" not in made.json()
    both = ("--receipt", sites.receipts[1], "--receipt", sites.receipts[1])
    assert sites.create(tmp_path / "none", *both, "-o", "json").json()["state"] == "nothing to bring"
    assert not (tmp_path / "none").exists()


def test_a_fleet_shares_media_where_sites_hold_the_same(sites: Sites, tmp_path: Path) -> None:
    road = sites.road
    twin = site(road, tmp_path, "twin", road.full)
    news = [site(road, tmp_path, name) for name in ("new-a", "new-b")]
    receipts = [tmp_path / f"{name}.json" for name in ("acme", "other", "twin", "new-a", "new-b")]
    out = tmp_path / "media"
    said = done("-C", road.publisher, "fleet", *receipts, "--media", out).err
    assert "acme+twin-1.2.0: delta from 1.0.0, " in said
    names = ["acme+twin-1.2.0", "new-a+new-b-1.2.0", "other-1.2.0"]
    assert sorted(path.name for path in out.iterdir()) == names
    done("-C", twin, "media", "import", out / "acme+twin-1.2.0")
    done("-C", news[1], "media", "import", out / "new-a+new-b-1.2.0")
    one = tmp_path / "one"
    said = done("-C", road.publisher, "fleet", "--media", one, "--together").err
    assert "acme+other+twin-1.2.0: delta from 1.0.0 and delta from 1.1.0, " in said
    assert sorted(path.name for path in one.iterdir()) == ["acme+other+twin-1.2.0", "new-a+new-b-1.2.0"]
    for each in (road.site, sites.other):
        done("-C", each, "media", "import", one / "acme+other+twin-1.2.0")
        sound(each, "1.0.0", "1.1.0", "1.2.0")
    refused(airstore("-C", road.publisher, "fleet", "--together"), 2, "--media")
