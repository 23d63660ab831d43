"""``release create --media``: one command for both; the release stays where the media fail."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.product.road_parts import airstore, done, refused, unchanged
from tests.support.product.tiny_product import Tiny, make_layout, make_tiny, site_of

pytestmark = pytest.mark.slow


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return make_tiny(tmp_path)


def receipt_of(tiny: Tiny, site: Path) -> Path:
    """Of a site that the publisher knows."""
    done("-C", tiny.store, "site", "add", "acme", site / "keys" / "site.pub")
    done("-C", site, "receipt", tiny.base / "receipt.json")
    return tiny.base / "receipt.json"


def files(media: Path) -> dict[str, bytes]:
    return {str(path.relative_to(media)): path.read_bytes() for path in media.rglob("*") if path.is_file()}


def test_the_media_are_those_that_the_other_command_makes(tiny: Tiny) -> None:
    made = done(
        "-C", tiny.store, "release", "create", "--version", "1.0.0", "--media", tiny.base / "m", "-o", "json"
    )
    document = made.json()
    assert document["state"] == "created"
    assert document["media"] | {"kind": "full", "release": "1.0.0"} == document["media"]
    assert f"next: copy {tiny.base / 'm'} to the carrier" in made.err
    assert "media create" not in made.err
    done("-C", tiny.store, "media", "create", "--to", "1.0.0", tiny.base / "other")
    assert files(tiny.base / "m") == files(tiny.base / "other")


@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_a_site_takes_a_delta_that_was_made_with_its_release(tiny: Tiny, effort: str) -> None:
    assert tiny.create().code == 0
    site = site_of(tiny)
    receipt = receipt_of(tiny, site)
    make_layout(tiny.layout, text="hello again")
    more = ("--media", tiny.base / "delta", "--receipt", receipt, "--effort", effort)
    made = tiny.create("1.1.0", *more)
    assert made.code == 0, made
    assert re.search(r"^kind +delta$", made.out, re.MULTILINE)
    assert re.search(r"^from +1\.0\.0$", made.out, re.MULTILINE)
    done("-C", site, "media", "import", tiny.base / "delta")
    rows = done("-C", site, "release", "list", "-o", "json").json()
    assert {row["version"] for row in rows} == {"1.0.0", "1.1.0"}


def test_what_each_site_lacks_is_said_once(tiny: Tiny) -> None:
    for version in ("1.0.0", "1.1.0"):
        make_layout(tiny.layout, text=version)
        assert tiny.create(version).code == 0
    make_layout(tiny.layout, text="newest")
    made = tiny.create("1.2.0", "--media", tiny.base / "m", "--from", "1.0.0", "--from", "1.1.0")
    assert made.code == 0, made
    assert [made.err.count(f"sites on {each}: lacks") for each in ("1.0.0", "1.1.0")] == [1, 1]
    assert "shares" not in made.out


def test_sites_that_hold_the_release_need_nothing(tiny: Tiny) -> None:
    assert tiny.create().code == 0
    site = site_of(tiny)
    receipt = receipt_of(tiny, site)
    made = tiny.create("1.0.0", "--media", tiny.base / "none", "--receipt", receipt, "-o", "json")
    assert json.loads(made.out)["media"]["state"] == "nothing to bring"
    assert not (tiny.base / "none").exists()


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (("--from", "1.0.0"), 2, ["--media OUT"]),
        (("--receipt", "r.json"), 2, ["--media OUT"]),
        (("--media", "OUT", "--dry-run"), 2, ["--dry-run", "media create --dry-run"]),
        (("--media", "FULL"), 2, ["exists already"]),
        (("--media", "OUT", "--from", "0.9"), 10, ["0.9"]),
        (("--media", "OUT", "--receipt", "none.json"), 10, ["none.json"]),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_taken_in(
    tiny: Tiny, words: tuple[str, ...], code: int, parts: list[str]
) -> None:
    (tiny.base / "full").mkdir()
    (tiny.base / "full" / "a").touch()
    named = {"OUT": tiny.base / "out", "FULL": tiny.base / "full"}
    with unchanged(tiny.store):
        refused(tiny.create("1.0.0", *(named.get(word, word) for word in words)), code, *parts)
    assert not (tiny.base / "out").exists()


def test_a_release_stays_where_its_media_fail(tiny: Tiny) -> None:
    place = tiny.base / "closed"
    place.touch()
    outcome = tiny.create("1.0.0", "--media", place / "out", "-o", "json")
    assert outcome.code == 41
    assert (
        f"next: airstore -C {tiny.store} media create --to 1.0.0 --effort normal {place}/out\n" in outcome.err
    )
    assert json.loads(outcome.out)["state"] == "created"
    assert "media" not in json.loads(outcome.out)
    assert airstore("-C", tiny.store, "media", "create", "--to", "1.0.0", tiny.base / "out").code == 0
