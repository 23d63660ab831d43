"""``airstore.json``: damage in it is named by every command, and what it points at by `check`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.product.output_documents import said
from tests.support.product.road_parts import Road, airstore, done, overwrite, refused, rewrite


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "JSON"),
        ("{}", "format"),
        ('{"format": 2, "side": "site", "name": "acme"}', "format 2"),
        ('{"format": 1, "side": "neither", "name": "acme"}', "side"),
        ('{"format": 1, "side": "site", "name": "../acme"}', "name"),
        ('{"format": 1, "format": 1, "side": "site", "name": "acme"}', "duplicate"),
    ],
)
def test_a_store_of_another_form_is_damage(text: str, word: str, site: Path) -> None:
    overwrite(site / "airstore.json", text.encode())
    refused(airstore("-C", site, "release", "list"), 20, "airstore.json", word)


@pytest.mark.parametrize(
    ("side", "name", "damaged", "signed"),
    [("site", "acme", "acle", "trust/mark.json"), ("publisher", "shop", "siop", "trust/root.json")],
)
def test_a_letter_of_the_name_is_named_before_anything_is_signed_with_it(
    side: str, name: str, damaged: str, signed: str, road: Road, tmp_path: Path
) -> None:
    store = shutil.copytree(getattr(road, side), tmp_path / "store")
    before = (store / signed).read_bytes()
    rewrite(store / "airstore.json", lambda data: data.replace(name.encode(), damaged.encode()))
    own: dict[str, list[tuple[str | Path, ...]]] = {
        "site": [("receipt",), ("media", "import", road.delta)],
        "publisher": [("key", "generate", "more")],
    }
    words = (repr(name), repr(damaged), signed, "hint: correct name in")
    for command in (("check",), ("repair",), ("release", "list"), *own[side]):
        refused(airstore("-C", store, *command), 20, *words)
    assert (store / signed).read_bytes() == before
    rewrite(store / "airstore.json", lambda data: data.replace(damaged.encode(), name.encode()))
    done("-C", store, "check")


def test_a_letter_of_the_mark_is_not_blamed_on_the_name(site: Path) -> None:
    rewrite(site / "trust" / "mark.json", lambda data: data.replace(b"acme", b"acle"))
    found = airstore("-C", site, "check", "-o", "json")
    assert found.code == 20
    assert [fault["breaks"] for fault in said(found.out)["items"]] == [["the ledger"]]
    assert "mark.json" in done("-C", site, "repair").out
    done("-C", site, "check")


def test_a_letter_of_the_product_files_path_is_said(own_road: Road) -> None:
    """No damage by itself: a copy of a store may lie anywhere."""
    publisher, config = own_road.publisher, own_road.publisher / "airstore.json"
    assert said(done("-C", publisher, "check", "--quick", "-o", "json").out)["lostProductFile"] is None
    rewrite(config, lambda data: data.replace(b"airstore.yaml", b"airsuore.yaml"))
    lost = own_road.product.parent / "airsuore.yaml"
    for words in ((), ("--quick",)):
        outcome = done("-C", publisher, "check", *words)
        assert f"the product file {lost} is not there" in outcome.err
        assert f"correct productFile in {config}" in outcome.err
    found = done("-C", publisher, "check", "--quick", "-o", "json")
    assert said(found.out)["lostProductFile"] == str(lost)
