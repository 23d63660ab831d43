"""A ledger that was cut, deleted, replayed or changed is named with what it breaks; a copy restores it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from airstore.core.errors import SequenceError
from airstore.core.parsing import strictjson
from airstore.history import ledger, sealed
from airstore.ops.stores.directory import StoreDirectory, open_directory
from airstore.ops.stores.site import anchors, ledgers
from tests.support.product.repairs import broken, found_by_check, repaired
from tests.support.product.road_parts import airstore, done, flipped, rewrite

pytestmark = pytest.mark.slow

REF = "history.git/refs/heads/ledger"
MARK = "trust/mark.json"


def write(site: Path, *numbers: int) -> StoreDirectory:
    store = open_directory(site)
    for when in numbers:
        helm = ledger.Running("shop", "shop", "shop", "1", "sha256:" + "0" * 64, f"n: {when}\n")
        anchors.record(store, ledger.Entry("apply", f"{when}.0.0", "succeeded", when, {}, (helm,)))
    return store


@pytest.fixture
def written(site: Path) -> Path:
    write(site, 1, 2, 3)
    done("-C", site, "check")
    return site


def faults(site: Path) -> str:
    return "\n".join(str(each["fault"]) for each in found_by_check(site))


def commits(site: Path) -> list[str]:
    return list(open_directory(site).history.entries(ledger.BRANCH))


def forget(site: Path) -> None:
    """The branch and every entry's commit: as if they had never been written."""
    for commit in commits(site):
        (site / "history.git" / "objects" / commit[:2] / commit[2:]).unlink()
    (site / REF).unlink()


def cut(site: Path) -> None:
    old = commits(site)
    (site / REF).write_text(f"{old[1]}\n")
    (site / "history.git" / "objects" / old[0][:2] / old[0][2:]).unlink()


def replay(site: Path) -> None:
    """The second entry's content once more, on top."""
    store, old = open_directory(site), commits(site)
    store.history.commit_entry(ledger.BRANCH, store.history.files(old[1]), "x", store.author, 9)


def change(site: Path) -> None:
    store, newest = open_directory(site), commits(site)[0]
    files = store.history.files(newest)
    document = json.loads(files["entry.json"]) | {"version": "9.9.9"}
    files["entry.json"] = json.dumps(document).encode()
    (site / REF).write_text(f"{commits(site)[1]}\n")
    store.history.commit_entry(ledger.BRANCH, files, "x", store.author, 3)


def change_manifests(site: Path) -> None:
    store, newest = open_directory(site), commits(site)[0]
    files = store.history.files(newest) | {"rendered/shop.yaml": b"n: 7\n"}
    (site / REF).write_text(f"{commits(site)[1]}\n")
    store.history.commit_entry(ledger.BRANCH, files, "x", store.author, 3)


def add_unsigned(site: Path) -> None:
    store = open_directory(site)
    ledger.record(store.history, ledger.Entry("apply", "9.9.9", "succeeded", 9), store.author)


def drop_middle(site: Path) -> None:
    store, old = open_directory(site), commits(site)
    (site / REF).write_text(f"{old[2]}\n")
    store.history.commit_entry(ledger.BRANCH, store.history.files(old[0]), "x", store.author, 3)


def drop_beginning(site: Path) -> None:
    store, old = open_directory(site), commits(site)
    (site / REF).unlink()
    store.history.commit_entry(ledger.BRANCH, store.history.files(old[0]), "x", store.author, 3)


def skip(site: Path) -> None:
    """An entry that the site signed, and that says that there were others before it which there are not."""
    store, entry = open_directory(site), ledger.Entry("push", "1.0.0", "succeeded", 9)
    ledgers.append(store, entry, after=6)


def damage_object(site: Path) -> None:
    newest = commits(site)[0]
    rewrite(
        site / "history.git" / "objects" / newest[:2] / newest[2:],
        lambda data: flipped(data, len(data) // 2),
    )


HARM: dict[str, tuple[Callable[[Path], None], str]] = {
    "deleted": (forget, "lacks entries 1 to 3"),
    "cut": (
        cut,
        "lacks entry 3, the last of them noted 1970-01-01 00:00:03 UTC; its newest",
    ),
    "replayed": (replay, "follows another entry"),
    "changed": (change, "not as this site signed it"),
    "manifests changed": (change_manifests, "rendered/shop.yaml is not what it says"),
    "added to": (add_unsigned, "is not signed: it was not written by this site"),
    "cut in the middle": (drop_middle, "entries were cut out"),
    "counted on": (skip, "follows entry 3: entries were cut out"),
    "damaged": (damage_object, "is damaged"),
    "cut at its beginning": (drop_beginning, "begins at ledger entry 3"),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_was_done_to_a_ledger_is_named_and_a_copy_restores_it(
    harm: str, written: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(written, tmp_path / "copy")
    do, said = HARM[harm]
    do(written)
    found = found_by_check(written)
    assert said in str(found)
    assert {user for each in found for user in each["breaks"]} == {"the ledger"}
    done_by = repaired(written, copy)
    assert done_by.code == 0, done_by
    assert [entry.when for entry in ledger.entries(open_directory(written).history)] == [3, 2, 1]


@pytest.mark.parametrize("harm", ["deleted", "cut", "added to", "changed"])
def test_nothing_is_done_on_a_ledger_that_cannot_say_what_runs(harm: str, written: Path) -> None:
    HARM[harm][0](written)
    refused = airstore("-C", written, "registry", "push", "127.0.0.1:1")
    assert refused.code == 31
    assert "--accept-lost-entries" in refused.err
    assert airstore("-C", written, "plan").code == 31


def test_entries_that_nobody_has_are_accepted_as_lost_and_the_ledger_says_so(written: Path) -> None:
    cut(written)
    assert repaired(written).code == 20
    kept = repaired(written, more=("--accept-lost-entries",))
    assert kept.code == 0, kept
    assert "without entries 3 to 3" in kept.out
    write(written, 5)
    rows = done("-C", written, "history", "-o", "json").json()
    assert [(row["action"], row["details"]) for row in rows[:3]] == [
        ("apply", ""), ("gap", "first 3, last 3"), ("apply", ""),
    ]  # fmt: skip
    assert [each.number for each in sealed.walk(open_directory(written).history)] == [5, 4, 2, 1]
    done("-C", written, "check")
    again = repaired(written, more=("--accept-lost-entries",))  # nothing is lost: nothing is said
    assert again.code == 0
    assert "gap" not in str(done("-C", written, "history", "-o", "json").json()[0])


def test_a_ledger_from_another_copy_that_went_its_own_way_is_named(written: Path, tmp_path: Path) -> None:
    other = shutil.copytree(written, tmp_path / "other")
    write(written, 4)
    write(other, 5, 6)
    shutil.rmtree(written / "history.git")
    shutil.copytree(other / "history.git", written / "history.git")
    assert "another copy of this store that went its own way" in faults(written)


@pytest.mark.parametrize("text", [None, b"{}", b""])
def test_a_mark_that_is_lost_is_missed_and_restored(text: bytes | None, written: Path) -> None:
    (written / MARK).unlink()
    if text is not None:
        (written / MARK).write_bytes(text)
    assert broken(written) == {"the ledger"}
    assert repaired(written).code == 0
    done("-C", written, "check")


def test_a_ledger_and_a_mark_that_are_both_deleted_are_missed(written: Path) -> None:
    forget(written)
    (written / MARK).unlink()
    assert "nobody can say whether the ledger was cut" in faults(written)


def test_a_mark_that_was_written_to_fit_a_ledger_that_was_cut_is_none_of_this_sites(written: Path) -> None:
    old = sealed.read(open_directory(written).history, commits(written)[1])
    cut(written)
    document = json.loads((written / MARK).read_text())
    (written / MARK).write_bytes(strictjson.dumps(document | {"entries": 2, "entry": str(old.digest)}))
    assert "signature" in faults(written)
    assert airstore("-C", written, "plan").code == 30


def test_an_unsigned_entry_after_signed_ones_is_named_where_there_is_no_mark(written: Path) -> None:
    """In a store of before there were marks, whose key was used since."""
    config = json.loads((written / "airstore.json").read_text())
    del config["marked"]
    (written / "airstore.json").write_text(json.dumps(config))
    add_unsigned(written)
    (written / MARK).unlink()
    assert "follows a signed entry, and is not signed" in faults(written)


def test_what_another_key_signed_is_none_of_this_sites(written: Path, tmp_path: Path) -> None:
    done("init", tmp_path / "other", "--site", "other", "--trust", written / "trust" / "root.json")
    shutil.rmtree(written / "keys")
    shutil.copytree(tmp_path / "other" / "keys", written / "keys")
    assert "not a trusted key" in faults(written)


def test_entries_of_before_they_were_signed_are_read_and_pinned_by_the_next(site: Path) -> None:
    (site / MARK).unlink()
    config = json.loads((site / "airstore.json").read_text())
    del config["marked"]
    (site / "airstore.json").write_text(json.dumps(config))
    store = open_directory(site)
    for when in (1, 2):
        ledger.record(store.history, ledger.Entry("push", "1.0.0", "succeeded", when), store.author)
    done("-C", site, "check")
    write(site, 3)
    done("-C", site, "check")
    assert [each.number for each in sealed.walk(store.history)] == [3, None, None]
    newest = commits(site)[0]
    (site / REF).write_text(f"{commits(site)[2]}\n")
    store.history.commit_entry(ledger.BRANCH, store.history.files(newest), "x", store.author, 3)
    assert "follows another entry" in faults(site)


def test_a_run_that_ended_between_entry_and_mark_is_none_that_was_cut(written: Path) -> None:
    before = (written / MARK).read_bytes()
    store = write(written, 4)
    (written / MARK).unlink()
    (written / MARK).write_bytes(before)
    done("-C", written, "check")
    ledgers.require_whole(store)


def test_stock_ssh_keygen_verifies_an_entry(written: Path, tmp_path: Path) -> None:
    newest = sealed.read(open_directory(written).history, commits(written)[0])
    (tmp_path / "sig").write_text(newest.signature or "")
    public = (written / "keys" / "site.pub").read_text().split()
    (tmp_path / "allowed").write_text(f"site {public[0]} {public[1]}\n")
    command = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        "allowed",
        "-I",
        "site",
        "-n",
        "airstore-ledger",
        "-s",
        "sig",
    ]
    subprocess.run(command, input=newest.data, cwd=tmp_path, check=True, capture_output=True)


def test_what_is_refused_says_what_it_would_break(written: Path) -> None:
    cut(written)
    with pytest.raises(SequenceError, match="what runs is not known from it"):
        ledgers.require_whole(open_directory(written))
