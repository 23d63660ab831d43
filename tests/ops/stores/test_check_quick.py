"""`check --quick` names what is gone, cut short or not signed, and reads no object."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from tests.support.product.output_documents import said
from tests.support.product.repairs import GONE, damage
from tests.support.product.road_parts import airstore, done, pack_of


def quick_faults(store: Path) -> list[str]:
    outcome = airstore("-C", store, "check", "--quick", "-o", "json")
    assert outcome.code == 20, outcome
    return [f"{item['fault']} | {', '.join(item['breaks'])}" for item in said(outcome.out)["items"]]


def test_a_sound_store_is_said_to_be_in_place_and_not_to_have_been_read(site: Path) -> None:
    outcome = done("-C", site, "check", "--quick")
    assert "objects were not read" in outcome.err + outcome.out


def test_a_flipped_byte_is_the_whole_checks_to_find(site: Path) -> None:
    damage(site, f"packs/{pack_of(site).name}", 0.5)
    done("-C", site, "check", "--quick")
    assert airstore("-C", site, "check").code == 20


@pytest.mark.parametrize("how", ["gone", "cut"])
def test_a_pack_that_is_gone_or_cut_short_is_named(site: Path, how: str) -> None:
    pack = pack_of(site)
    if how == "gone":
        pack.unlink()
    else:
        pack.chmod(0o644)
        os.truncate(pack, pack.stat().st_size - 1)
    assert any(pack.name in fault for fault in quick_faults(site))


def test_a_blob_of_the_newest_release_that_is_not_listed_is_missing(site: Path) -> None:
    with sqlite3.connect(site / "index.sqlite") as index:
        index.execute("DELETE FROM blobs WHERE id = (SELECT min(id) FROM blobs)")
    index.close()
    (fault,) = quick_faults(site)
    assert "is missing" in fault
    assert "in 1.0.0" in fault


@pytest.mark.parametrize("place", ["trust/root.json", "history.git/refs/heads/main"])
def test_what_signs_and_what_is_signed_is_looked_at(site: Path, place: str) -> None:
    assert list(site.glob(place)), sorted(path.name for path in site.iterdir())
    damage(site, place, GONE if place.startswith("trust") else 0.5)
    assert quick_faults(site)
