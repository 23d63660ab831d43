"""Carriers as they are: with what file managers leave, media in a folder, several of them in any order."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.product.road_fixtures import Copy
from tests.support.product.road_parts import (
    Road,
    airstore,
    delta_of,
    done,
    overwrite,
    refused,
    sound,
    unchanged,
)

LEFT_BEHIND = [
    "System Volume Information/IndexerVolumeGuid",
    ".DS_Store",
    "packs/._pack",
    ".Trash-1000/info/old.trashinfo",
    "lost+found/#12",
    ".Spotlight-V100/store.db",
    "Thumbs.db",
    "$RECYCLE.BIN/S-1-5/desktop.ini",
]


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_what_file_managers_leave_on_media_is_ignored(name: str, road: Road, site: Path, copy: Copy) -> None:
    media = copy(road.delta)
    (media / name).parent.mkdir(parents=True, exist_ok=True)
    (media / name).write_bytes(b"noise")
    done("media", "verify", media, "--trust", road.root)
    done("-C", site, "media", "import", media)
    sound(site, "1.0.0", "1.1.0")


def test_anything_else_is_still_refused(road: Road, site: Path, copy: Copy) -> None:
    media = copy(road.delta)
    (media / "readme.txt").write_text("hello")
    with unchanged(site):
        refused(airstore("-C", site, "media", "import", media), 20, "readme.txt")


def carrier(road: Road, directory: Path, *names: str) -> Path:
    """A carrier with media in folders, and an index of something else."""
    for name in names:
        shutil.copytree(road.base / name, directory / "delivery" / name)
    (directory / "music").mkdir(parents=True)
    (directory / "music" / "index.json").write_text('{"songs": []}')
    (directory / ".Trash-0" / "files").mkdir(parents=True)
    return directory


def states(outcome_json: list[dict[str, str]]) -> dict[str, str]:
    return {Path(row["media"]).name: row["state"] for row in outcome_json}


def test_a_carrier_is_searched_and_its_media_are_sorted(road: Road, new_site: Path, tmp_path: Path) -> None:
    usb = carrier(road, tmp_path / "usb", "delta-1.1.0", "full-1.0.0")
    rows = done("-C", new_site, "media", "import", usb, "-o", "json").json()
    assert states(rows) == {"full-1.0.0": "imported", "delta-1.1.0": "imported"}
    sound(new_site, "1.0.0", "1.1.0")
    again = done("-C", new_site, "media", "import", usb)
    assert "older" in again.out
    assert "held already" in again.out


def test_media_that_do_not_fit_keep_no_other_out(road: Road, new_site: Path, tmp_path: Path) -> None:
    usb = carrier(road, tmp_path / "usb", "delta-1.1.0", "full-1.1.0")
    rows = done("-C", new_site, "media", "import", usb, "-o", "json").json()
    assert states(rows) == {"full-1.1.0": "imported", "delta-1.1.0": "held already"}


def test_one_that_fails_is_named_and_the_others_stay(road: Road, new_site: Path, tmp_path: Path) -> None:
    usb = carrier(road, tmp_path / "usb", "full-1.0.0", "delta-1.1.0")
    delta = delta_of(usb / "delivery" / "delta-1.1.0")
    overwrite(delta, b"x" * delta.stat().st_size)
    outcome = airstore("-C", new_site, "media", "import", usb)
    assert outcome.code == 20
    assert "imported" in outcome.out
    assert "failed" in outcome.out
    assert "delta-1.1.0" in outcome.err
    sound(new_site, "1.0.0")


def test_nothing_that_fits_is_an_error(road: Road, new_site: Path, tmp_path: Path) -> None:
    usb = carrier(road, tmp_path / "usb", "delta-1.1.0")
    with unchanged(new_site):
        refused(airstore("-C", new_site, "media", "import", usb), 21, "1.0.0")
        refused(airstore("-C", new_site, "media", "import", usb / "music"), 20, "music")
        (usb / "music" / "index.json").unlink()
        refused(airstore("-C", new_site, "media", "import", usb / "music"), 10, "music", "carrier")
        refused(airstore("-C", new_site, "media", "import", usb / "nowhere"), 10, "nowhere")


def test_a_receipt_of_a_site_that_is_up_to_date_is_no_error(own_road: Road, tmp_path: Path) -> None:
    done("-C", own_road.publisher, "site", "add", "acme", own_road.site / "keys" / "site.pub")
    receipt = tmp_path / "receipt.json"
    done("-C", own_road.site, "receipt", "-o", receipt)
    made = done(
        "-C", own_road.publisher, "media", "create", "--to", "1.0.0", "--receipt", receipt, tmp_path / "m"
    )
    assert "nothing to bring" in made.err
    assert not (tmp_path / "m").exists()


def test_doctor_fails_where_something_is_missing_that_is_needed(tmp_path: Path) -> None:
    assert airstore("doctor").code == 0
    outcome = airstore("doctor", "--helm", tmp_path / "none")
    assert outcome.code == 10
    assert "WITHOUT IT" in outcome.out
    assert "needed and not there: helm" in outcome.err
