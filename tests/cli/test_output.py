"""What comes out: results on standard output in three forms, messages on standard error, and no escapes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from airstore.history.ledger import Entry
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.site import anchors
from tests.support.faults.forged_media import sign_index
from tests.support.product.road_fixtures import Copy
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    process,
    refused,
    unchanged,
    write_site_file,
)
from tests.support.product.tiny_product import make_tiny

ESCAPE = "\x1b[31mred\x1b[0m\x07\x9b2J"


@pytest.fixture
def ready(road: Road, site: Path) -> Path:
    """A site with both releases, a site file and a line in its ledger."""
    done("-C", site, "media", "import", road.delta)
    write_site_file(site)
    entry = Entry("push", "1.1.0", "succeeded", 1, {"registry": "r.example"})
    anchors.record(open_directory(site), entry)
    return site


LISTINGS: dict[str, tuple[str, tuple[str, ...], set[str]]] = {
    "release list": (
        "site",
        (),
        {"version", "sequence", "images", "charts", "blobs", "size", "held", "commit"},
    ),
    "release show": (
        "site",
        ("1.1.0",),
        {"version", "sequence", "commit", "digest", "artifacts", "layers", "releases"},
    ),
    "release diff": (
        "site",
        ("1.0.0", "1.1.0"),
        {"old", "new", "new_bytes", "artifacts", "releases", "files"},
    ),
    "release verify": ("site", (), {"version", "commit", "signer", "state"}),
    "log": ("site", (), {"version", "sequence", "when", "author", "signer", "commit", "digest"}),
    "history": ("site", (), {"when", "action", "release", "result", "details"}),
    "plan": ("site", (), {"version", "running", "steps", "push"}),
    "check": ("site", (), set()),
    "key list": ("publisher", (), {"name", "keyid", "roles", "file"}),
    "trust root show": (
        "site",
        (),
        {"product", "version", "expires", "signed_by", "signatures_missing", "keys"},
    ),
    "images find": (
        "publisher",
        (),
        {"image", "confidence", "taken", "tests_only", "excluded_by", "charts", "places"},
    ),
    "site list": ("publisher", (), set()),
    "doctor": ("site", (), {"name", "state", "found", "cost"}),
}


def _steady(document: dict[str, Any]) -> dict[str, Any]:
    """Without what other programs change meanwhile: how much of the disk is free."""
    rows = [{**row, "found": ""} if row.get("name") == "disk" else row for row in document.get("items", [])]
    return {**document, "items": rows}


@pytest.mark.parametrize("command", LISTINGS)
def test_a_listing_is_the_same_in_every_form(command: str, ready: Path, road: Road) -> None:
    """JSON and YAML say the same, with the fields that scripts rely on; the table is for people."""
    side, arguments, fields = LISTINGS[command]
    store = ready if side == "site" else road.publisher
    words = ("-C", str(store), *command.split(), *arguments)
    with unchanged(store):
        outcome = done(*words, "-o", "json")
        document = json.loads(outcome.out)
        assert _steady(yaml.safe_load(done(*words, "-o", "yaml").out)) == _steady(document)
        table = done(*words).out
    rows = document.get("items", [document])
    for row in rows:
        assert fields <= set(row), set(row)
    if fields:
        assert rows
        assert table.strip()
    assert outcome.out.isascii()


def test_results_of_changes_are_documents_too(own_road: Road, tmp_path: Path) -> None:
    """With the fields the guides use."""
    store, site = own_road.publisher, own_road.site
    created = done("-C", store, "release", "create", "--version", "1.1.0", "-o", "json").json()
    assert {"version", "state", "sequence", "commit", "blobs", "new_blobs", "total_bytes"} <= set(created)
    words = ("-C", store, "media", "create", "--to", "1.1.0", "-o", "json")
    media = done(*words, tmp_path / "out").json()
    assert {"release", "kind", "from", "site", "blobs", "shared_blobs", "media_bytes", "out"} <= set(media)
    planned = done(*words, "--from", "1.0.0", "--dry-run", tmp_path / "no").json()
    assert (planned["kind"], planned["blobs"]) == ("delta", 8)
    assert not (tmp_path / "no").exists()
    with unchanged(site):
        (row,) = done("-C", site, "media", "import", "--dry-run", own_road.delta, "-o", "json").json()
        assert row["state"] == "verified"
    (row,) = done("-C", site, "media", "import", own_road.delta, "-o", "json").json()
    assert (row["state"], row["release"], row["new_releases"]) == ("imported", "1.1.0", ["1.1.0"])
    (row,) = done("-C", site, "media", "import", own_road.delta, "-o", "json").json()
    assert (row["state"], row["new_releases"]) == ("held already", [])
    shown = done("media", "inspect", own_road.delta, "-o", "json").json()
    assert (shown["kind"], shown["from"], shown["site"]) == ("delta", "1.0.0", None)


def test_errors_are_one_json_document_when_asked_for(site: Path, road: Road) -> None:
    for words, code in (
        (("-C", "/nowhere", "check"), 10),
        (("-C", str(site), "release", "show", "7"), 10),
        (("-C", str(road.publisher), "receipt"), 2),
        (("-C", str(site), "media", "import", str(road.publisher)), 10),
    ):
        for form in (("--log-format", "json"), ("--log-format=json",)):
            outcome = airstore(*form, *words)
            assert (outcome.code, outcome.out) == (code, "")
            record = json.loads(outcome.err)
            assert set(record) == {"level", "code", "message", "hint"}
            assert (record["level"], record["code"]) == ("error", code)


def test_messages_are_json_lines_when_asked_for(site: Path, road: Road) -> None:
    outcome = done("--log-format", "json", "-C", site, "check")
    assert [json.loads(line)["level"] for line in outcome.err.splitlines()] == ["info"]
    assert done("-q", "-C", site, "check").err == ""
    assert done("-q", "-C", site, "log", "-o", "json").json()


def no_escapes(text: str) -> None:
    assert all(letter.isprintable() or letter in "\n\t" for letter in text), ascii(text)


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_names_on_media_cannot_drive_a_terminal(form: str, road: Road, copy: Copy, site: Path) -> None:
    media = copy(road.delta)
    sign_index(media, road.key, product=ESCAPE, site=ESCAPE)
    outcome = done("media", "inspect", media, "-o", form)
    no_escapes(outcome.out + outcome.err)
    if form != "table":
        assert yaml.safe_load(outcome.out)["product"] == ESCAPE
    refused(airstore("-C", site, "media", "import", media), 31, "\\x1b[31mred")
    no_escapes(airstore("-C", site, "media", "import", media).err)
    no_escapes(airstore("--log-format=json", "-C", site, "media", "import", media).err)


def test_names_of_files_and_authors_cannot_drive_a_terminal(tmp_path: Path, helm4: Path) -> None:
    tiny = make_tiny(tmp_path / "tiny")
    (tiny.base / "hook.sh").write_text("#!/bin/sh\n")
    tiny.edit("chart: app}", "chart: app, hooks: {preUpgrade: hook.sh}}")
    author = ("--author", "A\x9b31m\u202e <a@example.com>")
    assert tiny.create("1.0.0", *author).code == 0
    (tiny.base / "hook.sh").write_text(f"#!/bin/sh\necho {ESCAPE}\n")
    assert tiny.create("1.1.0", *author).code == 0
    for form in ("table", "json", "yaml"):
        no_escapes(done("-C", tiny.store, "log", "-o", form).out)
    shown = done("-C", tiny.store, "release", "diff", "1.0.0", "1.1.0", "--patch").out
    no_escapes(shown)
    assert "\\x1b[31mred" in shown
    for mistake in ((ESCAPE,), ("-C", ESCAPE, "check"), ("media", "inspect", ESCAPE), ("log", ESCAPE)):
        outcome = airstore(*mistake)
        assert outcome.code in {2, 10}
        no_escapes(outcome.err)


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_a_reader_that_goes_away_is_no_fault(form: str, road: Road) -> None:
    """As with `airstore log | head -1`; the pipe is closed before anything is written."""
    for words in (("log",), ("release", "show", "1.0.0"), ("release", "diff", "1.0.0", "1.1.0", "--patch")):
        read, write = os.pipe()
        os.close(read)
        with process("-C", road.publisher, *words, "-o", form, stdout=write) as running:
            os.close(write)
            _, err = running.communicate(timeout=60)
        assert (running.returncode, err) == (0, ""), words
