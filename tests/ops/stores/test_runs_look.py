"""What runs have written down: whatever is changed, cut or gone of it is named with the run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from airstore.core.errors import DamagedError
from airstore.deploy.run.intent import Intent
from airstore.deploy.run.journal import Journal
from airstore.history.ledger import Entry
from airstore.ops.apply.session.ending.record import close_recorded
from airstore.ops.apply.session.installations import Installations
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.site import anchors
from airstore.ops.stores.site.records import record_faults
from tests.support.product.lived import ENDED, UNDER_WAY, adopted, run
from tests.support.product.repairs import broken, repaired
from tests.support.product.road_parts import flipped, rewrite
from tests.support.product.sessions import session

pytestmark = pytest.mark.slow


@pytest.fixture
def lived_in(site: Path) -> Path:
    """A site with a run that ended and one that goes on."""
    run(site, ENDED, "1.0.0", "1.0.0", end=True)
    run(site, UNDER_WAY, "1.0.0", "1.0.0", end=False)
    return site


_BOTH = "journal.*"

HARM: dict[str, tuple[str, Callable[[bytes], bytes] | None, str]] = {
    "journal, a letter": (
        _BOTH,
        lambda data: data.replace(b"backed up", b"backed op", 1),
        "not what",
    ),
    "journal, gone": (_BOTH, None, "is gone, which the ledger has"),
    "journal, cut": (_BOTH, lambda data: data[:40], "is gone, which the ledger has"),
    "journal, its end": (
        _BOTH,
        lambda data: data[: data.rstrip().rfind(b"\n") + 1],
        "lacks its end: a later run",
    ),
    "one journal, gone": ("journal.jsonl", None, "journal.jsonl is gone"),
    "one journal, cut": ("journal.jsonl", lambda data: data[:40], "journal.jsonl is not what was written"),
    "its copy, gone": ("journal.copy.jsonl", None, "journal.copy.jsonl is gone"),
    "its copy, a letter": (
        "journal.copy.jsonl",
        lambda data: data.replace(b"backed up", b"backed op", 1),
        "journal.copy.jsonl is not what was written",
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
    "installed, gone": ("kept/app.json", None, "what Helm installed, which a rollback"),
}


def test_what_was_done_to_the_records_of_a_run_is_named(lived_in: Path) -> None:
    store = open_directory(lived_in)
    assert list(record_faults(store)) == []
    for name, (file, harm, said) in HARM.items():
        good = {path: path.read_bytes() for path in (lived_in / "deploy" / "runs" / ENDED).glob(file)}
        for path in good:
            path.unlink() if harm is None else rewrite(path, harm)
        faults = [(fault, breaks) for fault, breaks in record_faults(store) if breaks == f"run {ENDED}"]
        assert [fault for fault, _ in faults if said in fault], (name, faults)
        for path, data in good.items():
            path.write_bytes(data)
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


def _lines(path: Path, count: int) -> None:
    """Of both files, as nothing but somebody's hand would cut them."""
    for each in path.parent.glob(_BOTH):
        rewrite(each, lambda data: b"".join(data.splitlines(keepends=True)[:count]))


def test_a_run_that_ended_and_looks_as_if_it_had_been_killed_is_named(site: Path) -> None:
    """The ledger has what the journal was before its last line, which a kill may leave out."""
    run(site, ENDED, "1.0.0", "1.0.0", end=True)
    store, journal = open_directory(site), site / "deploy" / "runs" / ENDED / "journal.jsonl"
    whole = len(journal.read_bytes().splitlines())
    _lines(journal, whole - 1)
    assert list(record_faults(store)) == []
    _lines(journal, whole - 2)
    ((fault, breaks),) = record_faults(store)
    assert "not the one that the ledger has" in fault
    assert breaks == f"run {ENDED}"
    shutil.rmtree(journal.parent)
    assert {breaks for _, breaks in record_faults(store)} == {f"run {ENDED}"}


def test_a_run_is_not_gone_on_with_that_the_ledger_says_has_ended(site: Path) -> None:
    """A push may have come between the ledger's entry and the command that closes its journal."""
    run(site, ENDED, "1.0.0", "1.0.0", end=True)
    path = site / "deploy" / "runs" / ENDED / "journal.jsonl"
    whole = path.read_bytes()
    _lines(path, len(whole.splitlines()) - 1)
    anchors.record(open_directory(site), Entry("push", "1.0.0", "succeeded", 1_767_225_601))
    closed = close_recorded(session(site))
    assert closed is not None
    assert closed.name == ENDED
    assert path.read_bytes() == whole


def test_a_journal_that_is_gone_is_noticed_by_what_its_hooks_left(site: Path) -> None:
    """Before its first line nothing is called; the run is in no ledger yet."""
    run(site, UNDER_WAY, "1.0.0", "1.0.0", end=False)
    journal = site / "deploy" / "runs" / UNDER_WAY / "journal.jsonl"
    _lines(journal, 0)
    assert broken(site) == {f"run {UNDER_WAY}"}
    shutil.rmtree(journal.parent / "backup")
    assert list(record_faults(open_directory(site))) == []


@pytest.mark.parametrize("file", ["journal.jsonl", "journal.copy.jsonl"])
@pytest.mark.parametrize("name", [ENDED, UNDER_WAY])
def test_a_journal_is_restored_from_its_copy_and_the_copy_from_it(
    lived_in: Path, name: str, file: str
) -> None:
    path = lived_in / "deploy" / "runs" / name / file
    whole = path.read_bytes()
    for data in (None, b"", whole[: whole.find(b"\n") + 1], flipped(whole, len(whole) // 2)):
        path.unlink() if data is None else path.write_bytes(data)
        assert broken(lived_in) == {f"run {name}"}
        assert repaired(lived_in).code == 0
        assert path.read_bytes() == whole


def test_a_backup_that_is_gone_is_named_and_one_that_was_pruned_is_not(lived_in: Path) -> None:
    store, directory = open_directory(lived_in), lived_in / "deploy" / "runs" / ENDED
    shutil.rmtree(directory / "backup")
    ((fault, breaks),) = record_faults(store)
    assert "the backup of apps/app" in fault
    assert breaks == f"run {ENDED}"
    (directory / "backup.pruned").touch()
    assert list(record_faults(store)) == []


@pytest.mark.parametrize("file", ["adopted/cache.tgz", "values/cache.json", "kept/cache.json"])
def test_what_was_adopted_is_missed_and_looked_at(site: Path, file: str) -> None:
    """No journal tells of it: the ledger does."""
    name, store = adopted(site), open_directory(site)
    path = site / "deploy" / "runs" / name / file
    assert list(record_faults(store)) == []
    good = path.read_bytes()
    rewrite(path, lambda data: flipped(data, len(data) // 2, 1))
    assert {breaks for _, breaks in record_faults(store)} == {f"run {name}"}
    path.write_bytes(good)
    path.unlink()
    assert {breaks for _, breaks in record_faults(store)} == {f"run {name}"}
