"""A publisher's sites by their receipts, as they are shown."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from airstore.core.image.digest import Digest
from airstore.history.ledger import Entry, Running
from airstore.ops.media.receipts import read_receipt
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.site import anchors
from airstore.trust import envelope
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.statement import DATED_RECEIPT, RECEIPT, STATEMENT_TYPE, statement
from tests.ops.review.test_report import EVIL, self_contained
from tests.support.product.road_parts import FIXTURES, Road, airstore, done, refused

pytestmark = pytest.mark.slow


@pytest.fixture
def known(own_road: Road) -> Road:
    done("-C", own_road.publisher, "site", "add", "acme", own_road.site / "keys" / "site.pub")
    return own_road


def rows(road: Road, *words: str | Path) -> list[dict[str, Any]]:
    found = done("-C", road.publisher, "fleet", *words, "-o", "json").json()
    items: list[dict[str, Any]] = found["items"]
    return items


def applied(site: Path, version: str, when: int) -> None:
    helm = Running("shop", "shop", "shop", version, "sha256:" + "0" * 64, "")
    entry = Entry("apply", version, "succeeded", when, {}, (helm,))
    anchors.record(open_directory(site), entry)


def test_the_fleet_is_what_receipts_say(known: Road, tmp_path: Path) -> None:
    (silent,) = rows(known)
    assert (silent["state"], silent["stale"], silent["media"]) == ("no receipt", True, None)
    applied(known.site, "1.0.0", 1_767_225_600)
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    done("-C", known.site, "receipt", old)
    (behind,) = rows(known, old)
    assert {key: behind[key] for key in ("site", "state", "holds", "behind", "runs", "media")} == {
        "site": "acme",
        "state": "behind",
        "holds": "1.0.0",
        "behind": 1,
        "runs": "1.0.0",
        "media": "delta from 1.0.0",
    }
    diff = done("-C", known.publisher, "release", "diff", "1.0.0", "1.1.0", "-o", "json").json()
    assert behind["lacks_bytes"] == diff["new_bytes"]
    assert behind["runs_since"] == "2026-01-01T00:00:00+00:00"
    said = done("-C", known.publisher, "fleet", "--html", tmp_path / "fleet.html")
    page = self_contained((tmp_path / "fleet.html").read_text())
    (command,) = (line.removeprefix("next: ") for line in said.err.splitlines() if line.startswith("next: "))
    assert command.partition("  #")[0] in page.text
    words = shlex.split(command, comments=True)[1:]
    assert words[-2:] == ["--media", "OUT"]
    done(*words[:-1], tmp_path / "out")
    done("-C", known.site, "media", "import", tmp_path / "out" / "acme-1.1.0")
    done("-C", known.site, "receipt", new)
    (current,) = rows(known, new)
    assert (current["state"], current["behind"], current["lacks_bytes"], current["media"]) == (
        "current",
        0,
        0,
        None,
    )
    assert "a newer receipt of site acme is here already" in done("-C", known.publisher, "fleet", old).err
    assert rows(known) == [current]


def signed(known: Road, receipt: Path, kind: str = DATED_RECEIPT, **changes: object) -> None:
    """Rewrite a receipt, signed by its site."""
    payload = envelope.read(receipt.read_bytes(), STATEMENT_TYPE, "receipt").payload
    document = {**json.loads(payload)["predicate"], **changes}
    document = {key: value for key, value in document.items() if value != "GONE"}
    key = PrivateKey.load(known.site / "keys" / "site")
    made = envelope.sign(statement(kind, {"root.json": Digest.of(b"")}, document), STATEMENT_TYPE, [key])
    receipt.write_bytes(made)


def test_old_receipts_are_marked_and_unknown_releases_named(known: Road, tmp_path: Path) -> None:
    receipt = tmp_path / "r.json"
    done("-C", known.site, "receipt", receipt)
    signed(known, receipt, time="2025-11-01T00:00:00Z")
    publisher = known.publisher
    assert rows(known, receipt)[0]["age_days"] == 61  # the publisher's commits are made on 2026-01-01
    assert rows(known)[0]["stale"] is True
    assert rows(known, "--stale-after", "61")[0]["stale"] is False
    assert "2025-11-01, stale" in done("-C", publisher, "fleet").out
    release = json.loads(envelope.read(receipt.read_bytes(), STATEMENT_TYPE, "r").payload)["predicate"][
        "release"
    ]
    signed(
        known, receipt, release={**release, "version": "7.7.7", "sequence": 7}, time="2026-01-01T00:00:00Z"
    )
    (foreign,) = rows(known, receipt)
    assert (foreign["state"], foreign["holds"], foreign["media"]) == ("foreign", "7.7.7", None)
    assert "this store made" in foreign["note"]


def test_media_of_every_site_are_made_at_once_and_those_that_are_there_stay(
    known: Road, tmp_path: Path
) -> None:
    """One that holds the old release, one that holds nothing, one of which nobody knows."""
    for name, side in (("fresh", "fresh"), ("quiet", "quiet")):
        done("init", tmp_path / side, "--site", name, "--trust", known.root)
        done("-C", known.publisher, "site", "add", name, tmp_path / side / "keys" / "site.pub")
    receipts = []
    for name, store in (("acme", known.site), ("fresh", tmp_path / "fresh")):
        receipts.append(tmp_path / f"{name}.json")
        done("-C", store, "receipt", receipts[-1])
    out = tmp_path / "out"
    fleet = ("-C", known.publisher, "fleet", "--media", out)
    said = done(*fleet, *receipts).err
    assert "acme-1.1.0: delta from 1.0.0, " in said
    assert "fresh-1.1.0: full, " in said
    assert sorted(path.name for path in out.iterdir()) == ["acme-1.1.0", "fresh-1.1.0"]
    for name, store in (("acme", known.site), ("fresh", tmp_path / "fresh")):
        done("-C", store, "media", "import", out / f"{name}-1.1.0")
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert done(*fleet).err.count("is there already") == 2
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == made
    done("-C", known.site, "receipt", receipts[0])
    shutil.rmtree(out)
    done(*fleet, receipts[0])
    assert [path.name for path in out.iterdir()] == ["fresh-1.1.0"]


def test_a_receipt_of_the_future_is_marked_and_gives_way(known: Road, tmp_path: Path) -> None:
    """The publisher's commits, and so its clock here, are of 2026-01-01."""
    future, present = tmp_path / "future.json", tmp_path / "present.json"
    for receipt, when in ((future, "2031-01-01T00:00:00Z"), (present, "2026-01-01T00:00:00Z")):
        done("-C", known.site, "receipt", receipt)
        signed(known, receipt, time=when)
    (ahead,) = rows(known, present, future)
    assert ahead["receipt"] == "2026-01-01T00:00:00+00:00"
    (known.publisher / "sites" / "acme.receipt.json").unlink()
    (ahead,) = rows(known, future)
    assert (ahead["state"], ahead["stale"], ahead["age_days"]) == ("behind", True, 0)
    assert "one of the two clocks is wrong" in ahead["note"]
    (back,) = rows(known, present)
    assert (back["stale"], back["note"]) == (False, None)


def test_a_receipt_is_kept_in_place_of_one_that_nobody_vouches_for(known: Road, tmp_path: Path) -> None:
    """The site's key was replaced: its new receipt is believed, and the old one no longer is."""
    receipt = tmp_path / "r.json"
    done("-C", known.site, "receipt", receipt)
    rows(known, receipt)
    (known.publisher / "sites" / "acme.pub").unlink()
    done("init", tmp_path / "new", "--site", "acme", "--trust", known.root)
    done("-C", known.publisher, "site", "add", "acme", tmp_path / "new" / "keys" / "site.pub")
    assert "not signed by any registered site" in rows(known)[0]["note"]
    done("-C", tmp_path / "new", "receipt", receipt)
    assert rows(known, receipt)[0]["state"] == "empty"


def test_a_page_goes_to_standard_output_alone(known: Road, tmp_path: Path) -> None:
    publisher = ("-C", known.publisher)
    for words in (
        (*publisher, "fleet", "--html", "-"),
        (*publisher, "release", "report", "1.1.0", "--no-media", "--html", "-"),
        (*publisher, "media", "label", known.delta, "--html", "-"),
    ):
        found = done(*words).out
        assert found.startswith("<!DOCTYPE html>")
        assert found.endswith("</html>")
        self_contained(found)
    refused(airstore(*publisher, "fleet", "--html", "-", "-o", "json"), 2, "standard output")
    refused(
        airstore(*publisher, "release", "report", "1.1.0", "--html", "-", "--md", "-"), 2, "only one page"
    )
    assert not Path("-").exists()


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (DATED_RECEIPT, {"time": "GONE"}),
        (DATED_RECEIPT, {"runs": "GONE"}),
        (RECEIPT, {}),
        (DATED_RECEIPT, {"time": "2026-13-01T00:00:00Z"}),
        (DATED_RECEIPT, {"time": EVIL}),
    ],
)
def test_a_receipt_of_no_form_is_refused_and_not_kept(
    kind: str, changes: dict[str, str], known: Road, tmp_path: Path
) -> None:
    receipt = tmp_path / "r.json"
    done("-C", known.site, "receipt", receipt)
    signed(known, receipt, kind, **changes)
    refused(airstore("-C", known.publisher, "fleet", receipt), 20, "r.json")
    assert not list((known.publisher / "sites").glob("*.receipt.json"))


def test_a_receipt_of_the_first_form_is_read(known: Road, tmp_path: Path) -> None:
    kept = FIXTURES / "receipts"
    done("-C", known.publisher, "site", "add", "older", known.new_site / "keys" / "site.pub")
    (known.publisher / "sites" / "acme.pub").write_bytes((kept / "acme.pub").read_bytes())
    receipt = read_receipt(open_directory(known.publisher), kept / "receipt-v1.json")
    assert receipt.release is not None
    assert (receipt.release.version, receipt.when, receipt.runs) == ("1.0.0", None, None)
    assert len(receipt.blobs) > 20
    said = done("-C", known.publisher, "fleet", kept / "receipt-v1.json").out
    assert "without a date" in said
    (row,) = (row for row in rows(known) if row["site"] == "acme")
    assert (row["holds"], row["receipt"], row["stale"]) == ("1.0.0", None, True)
