"""The way home: a site says what it holds, and the publisher believes registered sites only."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airstore.core.image.digest import Digest
from airstore.deploy.model.run_names import run_name
from airstore.history import ledger
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.site import anchors
from airstore.trust import envelope
from airstore.trust.ssh.keys import PrivateKey
from airstore.trust.statement import DATED_RECEIPT, RECEIPT, STATEMENT_TYPE, TIMED_RECEIPT, statement
from tests.support.faults.forged_media import Forge
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    overwrite,
    refused,
    release_blobs,
    snapshot,
    sound,
    unchanged,
)


@pytest.fixture
def known(own_road: Road) -> Road:
    """A publisher that knows the site acme."""
    done("-C", own_road.publisher, "site", "add", "acme", own_road.site / "keys" / "site.pub")
    return own_road


@pytest.fixture
def receipt(known: Road, tmp_path: Path) -> Path:
    file = tmp_path / "receipt.json"
    done("-C", known.site, "receipt", "-o", file)
    return file


def create(road: Road, receipt: Path, out: Path, *more: str) -> Any:
    return airstore(
        "-C", road.publisher, "media", "create", "--to", "1.1.0", "--receipt", receipt, *more, out
    )


def predicate(receipt: Path) -> dict[str, Any]:
    payload = envelope.read(receipt.read_bytes(), STATEMENT_TYPE, "receipt").payload
    found: dict[str, Any] = json.loads(payload)["predicate"]
    return found


def sign(receipt: Path, document: dict[str, Any], key: PrivateKey) -> None:
    signed = statement(DATED_RECEIPT, {"root.json": Digest.of(b"")}, document)
    overwrite(receipt, envelope.sign(signed, STATEMENT_TYPE, [key]))


def test_round_trip(known: Road, receipt: Path, tmp_path: Path) -> None:
    """What travels is what the site lacks, to that site and no other."""
    said = predicate(receipt)
    assert said["site"] == "acme"
    assert said["release"]["version"] == "1.0.0"
    assert set(said["blobs"]) == release_blobs(known.publisher, "1.0.0")
    out = tmp_path / "out"
    result = create(known, receipt, out, "-o", "json").json()
    lacking = release_blobs(known.publisher, "1.1.0") - release_blobs(known.publisher, "1.0.0")
    assert (result["kind"], result["site"], result["from"]) == ("delta", "acme", "1.0.0")
    assert (result["blobs"], result["shared_blobs"]) == (len(lacking), len(said["blobs"]) - len(lacking))
    assert done("media", "inspect", out, "-o", "json").json()["site"] == "acme"
    other = tmp_path / "other"
    done("init", other, "--site", "other", "--trust", known.root)
    done("-C", other, "media", "import", known.full)
    with unchanged(other):
        refused(airstore("-C", other, "media", "import", out), 31, "site 'acme'", "site 'other'", "hint: ")
    done("-C", known.site, "media", "import", out)
    sound(known.site, "1.0.0", "1.1.0")


def test_a_site_that_skipped_a_release_gets_what_it_lacks(known: Road, receipt: Path, tmp_path: Path) -> None:
    values = known.product.parent / "values" / "small.yaml"
    values.write_text(values.read_text() + "# 1.2.0\n")
    done("-C", known.publisher, "release", "create", "--version", "1.2.0")
    out = tmp_path / "out"
    done("-C", known.publisher, "media", "create", "--to", "1.2.0", "--receipt", receipt, out)
    done("-C", known.site, "media", "import", out)
    sound(known.site, "1.0.0", "1.1.0", "1.2.0")


def test_a_site_that_holds_nothing_gets_everything(own_road: Road, tmp_path: Path) -> None:
    done("-C", own_road.publisher, "site", "add", "acme", own_road.new_site / "keys" / "site.pub")
    receipt, out = tmp_path / "receipt.json", tmp_path / "out"
    done("-C", own_road.new_site, "receipt", "-o", receipt)
    assert predicate(receipt)["release"] is None
    assert create(own_road, receipt, out, "-o", "json").json()["kind"] == "full"
    done("-C", own_road.new_site, "media", "import", out)
    sound(own_road.new_site, "1.0.0", "1.1.0")


def test_a_receipt_names_only_blobs_the_site_can_rebuild(known: Road, tmp_path: Path) -> None:
    """A site that lost its packs says so, and the next delta brings what was in them."""
    for lost in (known.site / "packs").iterdir():
        lost.unlink()
    done_or_not = airstore("-C", known.site, "check", "--rebuild-index")
    assert done_or_not.code == 20
    receipt, out = tmp_path / "receipt.json", tmp_path / "out"
    done("-C", known.site, "receipt", "-o", receipt)
    assert predicate(receipt)["blobs"] == []
    result = create(known, receipt, out, "-o", "json").json()
    assert result["blobs"] == len(release_blobs(known.publisher, "1.1.0"))
    done("-C", known.site, "media", "import", out)
    sound(known.site, "1.0.0", "1.1.0")


def test_a_site_that_lost_the_files_of_its_layers_finds_them_in_what_it_serves(
    known: Road, tmp_path: Path
) -> None:
    """Of layers held opened and whole, either is enough."""
    receipt, out = tmp_path / "receipt.json", tmp_path / "out"
    (arrived,) = (path for path in (known.full / "packs").iterdir())
    (known.site / "packs" / arrived.name).unlink()
    airstore("-C", known.site, "check", "--rebuild-index")
    done("-C", known.site, "receipt", "-o", receipt)
    whole = [row for row in shown_layers(known.site, "1.0.0") if row["held"] == "whole"]
    assert {row["digest"] for row in whole} <= set(predicate(receipt)["blobs"])
    assert whole
    create(known, receipt, out)
    with unchanged(known.site):
        done("-C", known.site, "media", "import", "--dry-run", out)
    done("-C", known.site, "media", "import", out)
    sound(known.site, "1.0.0", "1.1.0")


def shown_layers(store: Path, version: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = done("-C", store, "release", "show", version, "-o", "json").json()["layers"]
    return rows


def test_nothing_travels_to_a_site_that_is_current(known: Road, tmp_path: Path) -> None:
    receipt, out = tmp_path / "receipt.json", tmp_path / "out"
    done("-C", known.site, "media", "import", known.delta)
    done("-C", known.site, "receipt", "-o", receipt)
    made = create(known, receipt, out, "-o", "json")
    assert made.json()["state"] == "nothing to bring"
    assert "1.1.0" in made.err
    command = ("-C", known.publisher, "media", "create", "--to", "1.0.0", "--receipt", receipt, out)
    refused(airstore(*command), 31, "nothing to bring", "1.1.0", "hint: ")
    assert not out.exists()


def test_a_publisher_without_sites_believes_nobody(own_road: Road, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.json"
    done("-C", own_road.site, "receipt", "-o", receipt)
    with unchanged(own_road.publisher):
        refused(create(own_road, receipt, tmp_path / "out"), 30, "knows no site", "airstore site add")


def test_an_unknown_site_is_not_believed(known: Road, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.json"
    done("-C", known.new_site, "receipt", "-o", receipt)  # it calls itself acme, too
    with unchanged(known.publisher):
        refused(create(known, receipt, tmp_path / "out"), 30, "not signed by any registered site", "hint: ")


def test_a_receipt_in_the_name_of_another_site_is_not_believed(known: Road, tmp_path: Path) -> None:
    other, receipt = tmp_path / "other", tmp_path / "receipt.json"
    done("init", other, "--site", "other", "--trust", known.root)
    done("-C", known.publisher, "site", "add", "other", other / "keys" / "site.pub")
    done("-C", known.site, "receipt", "-o", receipt)
    sign(receipt, predicate(receipt), PrivateKey.load(other / "keys" / "site"))
    with unchanged(known.publisher):
        refused(create(known, receipt, tmp_path / "out"), 30, "site 'acme'", "site 'other'")


def test_an_altered_receipt_is_not_believed(known: Road, receipt: Path, tmp_path: Path) -> None:
    document = json.loads(receipt.read_bytes())
    payload = json.loads(base64.b64decode(document["payload"]))
    payload["predicate"]["blobs"].pop()
    document["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    overwrite(receipt, json.dumps(document).encode())
    with unchanged(known.publisher):
        refused(create(known, receipt, tmp_path / "out"), 30, "not signed by any registered site")


@pytest.mark.parametrize("data", [b"", b"{}", b"[", b"\xff", b'{"payload": 1}'])
def test_a_receipt_that_is_none_is_damage(data: bytes, known: Road, receipt: Path, tmp_path: Path) -> None:
    overwrite(receipt, data)
    refused(create(known, receipt, tmp_path / "out"), 20, "receipt")


def test_other_signed_documents_are_no_receipts(known: Road, tmp_path: Path) -> None:
    for document in (known.full / "index.json", known.root):
        refused(create(known, document, tmp_path / "out"), 30, str(document))
    refused(create(known, tmp_path / "nowhere", tmp_path / "out"), 10, "nowhere")


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        (lambda said: said.update(product="other"), 31, "product 'other'"),
        (lambda said: said["release"].update(commit="1" * 40), 31, "another release 1.0.0"),
        (lambda said: said["release"].update(digest=str(Digest.of(b"x"))), 31, "another release 1.0.0"),
        (lambda said: said["release"].update(version="7.7.7"), 31, "7.7.7"),
        (lambda said: said.update(blobs=["sha256:" + "A" * 64]), 20, "blobs"),
        (lambda said: said.update(blobs=said["blobs"][:1] * 2), 20, "blobs"),
        (lambda said: said.update(more=1), 20, "more"),
    ],
)
def test_a_receipt_about_something_else_is_refused(
    change: Change, code: int, word: str, known: Road, receipt: Path, tmp_path: Path
) -> None:
    said = predicate(receipt)
    change(said)
    sign(receipt, said, PrivateKey.load(known.site / "keys" / "site"))
    with unchanged(known.publisher):
        outcome = create(known, receipt, tmp_path / "out")
        assert outcome.code == code, outcome
        assert word in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_receipt_that_claims_more_than_we_made_changes_nothing(
    known: Road, receipt: Path, tmp_path: Path
) -> None:
    """Blobs of other products are the site's own business."""
    said = predicate(receipt)
    said["blobs"] = sorted([*said["blobs"], str(Digest.of(b"theirs"))])
    sign(receipt, said, PrivateKey.load(known.site / "keys" / "site"))
    assert create(known, receipt, tmp_path / "out").code == 0
    assert snapshot(tmp_path / "out")["history.bundle"] == snapshot(known.delta)["history.bundle"]


def test_a_receipt_of_a_fork_is_refused(known: Road, receipt: Path, tmp_path: Path) -> None:
    """The publisher was restored from a backup and made another 1.1.0 since."""
    done("-C", known.site, "media", "import", known.delta)
    done("-C", known.site, "receipt", "-o", receipt)
    forge = Forge(known.publisher, known.key)
    forge.rewind("1.0.0")
    forge.next("1.1.0")
    refused(create(known, receipt, tmp_path / "out"), 31, "another release 1.1.0", "hint: ")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "Acme", "a b", "-x", "x" * 300, "\x1b[31m"])
def test_a_name_that_cannot_name_a_site_is_wrong_usage(name: str, own_road: Road, tmp_path: Path) -> None:
    key = own_road.site / "keys" / "site.pub"
    with unchanged(own_road.publisher):
        outcome = airstore("-C", own_road.publisher, "site", "add", "--", name, key)
        refused(outcome, 2, "cannot name a site", "hint: ")
        assert "\x1b" not in outcome.err
    site = tmp_path / "s"
    refused(airstore("init", site, f"--site={name}", "--trust", own_road.root), 2)
    assert not site.exists()


def test_a_site_has_one_key(known: Road, tmp_path: Path) -> None:
    words = ("-C", known.publisher, "site")
    done(*words, "add", "acme", known.site / "keys" / "site.pub")  # again the same
    with unchanged(known.publisher):
        refused(airstore(*words, "add", "acme", known.new_site / "keys" / "site.pub"), 2, "another key")
        refused(airstore(*words, "add", "b", tmp_path / "nowhere"), 10, "nowhere")
        refused(airstore(*words, "add", "b", known.site / "keys" / "site"), 20, "site")
        refused(airstore(*words, "add", "b", shutil.which("git") or ""), 20, "git")
    (row,) = done(*words, "list", "-o", "json").json()
    assert row["name"] == "acme"
    assert row["fingerprint"].startswith("SHA256:")


def ran(site: Path, *entries: ledger.Entry) -> None:
    store = open_directory(site)
    for entry in entries:
        anchors.record(store, entry)


def applied(version: str, began: int, ended: int, result: str = "succeeded") -> ledger.Entry:
    """As an apply leaves it, and nothing of it runs but what had to."""
    running = (ledger.Running("r", "n", "c", "1", "sha256:" + "a" * 64, "kind: A\n"),)
    details: dict[str, str | int] = {"run": run_name(began, "00000000"), "end": result}
    return ledger.Entry("apply", version, result, ended, details, running if result == "succeeded" else ())


def test_a_receipt_says_how_long_applies_took_and_a_report_shows_it_without_names(
    known: Road, tmp_path: Path
) -> None:
    ran(
        known.site,
        applied("0.9.0", 1_000, 1_060),
        ledger.Entry("push", "1.0.0", "succeeded", 1_500, {"registry": "r"}),
        applied("1.0.0", 2_000, 2_030, "failed"),
        applied("1.0.0", 3_000, 3_725),
        applied("1.0.0", 9_000, 8_000),  # the clock went back
    )
    file = tmp_path / "receipt.json"
    done("-C", known.site, "receipt", "-o", file)
    said = [
        (each["release"], each["from"], each["seconds"], each["result"])
        for each in predicate(file)["applies"]
    ]
    assert said == [
        ("1.0.0", "0.9.0", 725, "succeeded"),
        ("1.0.0", "0.9.0", 30, "failed"),
        ("0.9.0", None, 60, "succeeded"),
    ]
    done("-C", known.publisher, "fleet", file)
    for option, shown in (("--html", tmp_path / "page.html"), ("--md", tmp_path / "page.md")):
        done("-C", known.publisher, "release", "report", "--no-media", "1.0.0", option, shown)
        text = shown.read_text()
        assert "How long it took where it was applied already" in text
        assert text.index("30 s") < text.index("13 min")
        assert "acme" not in text
    done("-C", known.publisher, "release", "report", "--no-media", "1.1.0", "--md", tmp_path / "other.md")
    assert "How long it took" not in (tmp_path / "other.md").read_text()


@pytest.mark.parametrize("kind", [RECEIPT, DATED_RECEIPT, TIMED_RECEIPT])
def test_receipts_of_every_version_are_read_and_none_says_more_than_its_own(
    kind: str, known: Road, tmp_path: Path
) -> None:
    ran(known.site, applied("1.0.0", 1_000, 1_060))
    file = tmp_path / "receipt.json"
    done("-C", known.site, "receipt", "-o", file)
    document, key = predicate(file), PrivateKey.load(known.site / "keys" / "site")
    order = [RECEIPT, DATED_RECEIPT, TIMED_RECEIPT]
    says: list[set[str]] = [set(), {"time", "runs"}, {"time", "runs", "applies"}]
    for version, fields in zip(order, says, strict=True):
        shown = {name: value for name, value in document.items() if name in fields or name not in says[2]}
        signed = statement(kind, {"root.json": Digest.of(b"")}, shown)
        overwrite(file, envelope.sign(signed, STATEMENT_TYPE, [key]))
        outcome = airstore("-C", known.publisher, "fleet", file)
        assert (outcome.code == 0) == (version == kind), outcome
