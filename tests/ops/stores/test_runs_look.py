"""What runs have written down: whatever is changed, cut or gone of it is named with the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airstore.core.errors import DamagedError
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import Journal
from airstore.ops.apply.session.installations import Installations
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.site.records import record_faults
from tests.support.product.lived import ENDED, UNDER_WAY, run
from tests.support.product.repairs import broken
from tests.support.product.road_parts import flipped, rewrite

pytestmark = pytest.mark.slow


@pytest.fixture
def lived_in(site: Path) -> Path:
    """A site with a run that ended and one that goes on."""
    run(site, ENDED, "1.0.0", "1.0.0", end=True)
    run(site, UNDER_WAY, "1.0.0", "1.0.0", end=False)
    return site


HARM: dict[str, tuple[str, Callable[[bytes], bytes] | None, str]] = {
    "journal, a letter": (
        "journal.jsonl",
        lambda data: data.replace(b"backed up", b"backed op", 1),
        "not what",
    ),
    "journal, gone": ("journal.jsonl", None, "is gone, which the ledger has"),
    "journal, cut": ("journal.jsonl", lambda data: data[:40], "is gone, which the ledger has"),
    "journal, its end": (
        "journal.jsonl",
        lambda data: data[: data.rstrip().rfind(b"\n") + 1],
        "lacks its end: a later run",
    ),
    "manifest, a letter": (
        "new/apps_app.yaml",
        lambda data: data.replace(b"Pod", b"Pud"),
        "not the manifest",
    ),
    "manifest, gone": ("old/apps_app.yaml", None, "not the manifest"),
    "values, a letter": ("values/app.json", lambda data: data.replace(b"s3cret", b"s3crat"), "not what"),
    "values, gone": ("values/app.json", None, "is missing"),
    "installed, a letter": ("kept/app.json", lambda data: data.replace(b"hello", b"hallo"), "not what"),
}


def test_what_was_done_to_the_records_of_a_run_is_named(lived_in: Path) -> None:
    store = open_directory(lived_in)
    assert list(record_faults(store)) == []
    for name, (file, harm, said) in HARM.items():
        path = lived_in / "deploy" / "runs" / ENDED / file
        good = path.read_bytes()
        path.unlink() if harm is None else rewrite(path, harm)
        faults = [(fault, breaks) for fault, breaks in record_faults(store) if breaks == f"run {ENDED}"]
        assert [fault for fault, _ in faults if said in fault], (name, faults)
        path.write_bytes(good)
    assert list(record_faults(store)) == []


def test_check_says_so_and_nothing_uses_it(lived_in: Path) -> None:
    store, directory = open_directory(lived_in), lived_in / "deploy" / "runs" / UNDER_WAY
    journal, installed = Journal.load(directory), Installations(store)
    (new,) = Intent.of(journal).new
    for file in ("new/apps_app.yaml", "values/app.json", "kept/app.json"):
        rewrite(directory / file, lambda data: flipped(data, len(data) // 2, 1))
    assert broken(lived_in) == {f"run {UNDER_WAY}"}
    for use in (lambda: Intent.of(journal), lambda: installed.values(new), lambda: installed.kept(new)):
        with pytest.raises(DamagedError):
            use()
