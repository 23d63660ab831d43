"""The ledger: what was recorded reads back, newest first, and whatever else is there is damage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.history import ledger, sealed
from airstore.history.ledger import Entry, Running
from airstore.history.repository import History

AUTHOR = ("acme", "airstore@acme.invalid")
OLDER = Path(__file__).parents[2] / "fixtures" / "ledger-unsigned"
running = st.builds(
    Running,
    name=st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True),
    namespace=st.sampled_from(["shop", "apps"]),
    chart=st.sampled_from(["shop", "db"]),
    chart_version=st.sampled_from(["1.0.0", "2.0.0+x"]),
    archive=st.binary(max_size=4).map(Digest.of),
    rendered=st.text(max_size=50),
)
entries = st.builds(
    Entry,
    action=st.sampled_from(["push", "apply", "rollback", "uninstall"]),
    version=st.sampled_from(["1.0.0", "1.1.0"]),
    result=st.sampled_from(["succeeded", "failed"]),
    when=st.integers(0, 1 << 35),
    details=st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers(), max_size=3),
    running=st.lists(running, max_size=3, unique_by=lambda each: each.name).map(tuple),
)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History.create(tmp_path / "history.git")


@given(recorded=st.lists(entries, max_size=4))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_recorded_reads_back_newest_first(
    recorded: list[Entry], tmp_path_factory: pytest.TempPathFactory
) -> None:
    history = History.create(tmp_path_factory.mktemp("ledger") / "history.git")
    for entry in recorded:
        ledger.record(history, entry, AUTHOR)
    assert list(ledger.entries(history)) == recorded[::-1]
    applied = [entry for entry in recorded if entry.action != "push" and entry.result == "succeeded"]
    assert ledger.last(history) == (applied[-1] if applied else None)
    assert ledger.running(history) == (applied[-1] if applied and applied[-1].running else None)
    assert history.releases() == []  # the ledger is beside the releases


def test_an_empty_ledger_says_nothing(history: History) -> None:
    assert list(ledger.entries(history)) == []
    assert ledger.running(history) is None


@pytest.mark.parametrize(
    "change",
    [
        {"action": "destroy"},
        {"result": "maybe"},
        {"when": -1},
        {"when": 1.5},
        {"more": 1},
        {"running": [{"name": "../shop"}]},
        {"details": {"a": {}}},
    ],
)
def test_an_entry_of_another_form_is_damage(change: dict[str, object], history: History) -> None:
    ledger.record(history, Entry("apply", "1.0.0", "succeeded", 1), AUTHOR)
    commit = next(history.entries(ledger.BRANCH))
    document = json.loads(history.read(commit, "entry.json")) | change
    history.commit_entry(ledger.BRANCH, {"entry.json": json.dumps(document).encode()}, "x", AUTHOR, 1)
    with pytest.raises(DamagedError, match="ledger entry"):
        list(ledger.entries(history))


def test_an_entry_without_its_manifests_is_damage(history: History) -> None:
    one = Running("shop", "shop", "shop", "1", Digest.of(b""), "a: 1\n")
    ledger.record(history, Entry("apply", "1.0.0", "succeeded", 1, {}, (one,)), AUTHOR)
    commit = next(history.entries(ledger.BRANCH))
    files = history.files(commit)
    del files["rendered/shop.yaml"]
    history.commit_entry(ledger.BRANCH, files, "x", AUTHOR, 1)
    with pytest.raises(DamagedError, match="ledger entry"):
        list(ledger.entries(history))


def test_an_entry_that_an_airstore_of_before_wrote_is_read(history: History) -> None:
    """Not signed, and digests of Secrets short and without a key: fixtures/ledger-unsigned."""
    files = {
        path.relative_to(OLDER).as_posix(): path.read_bytes() for path in OLDER.rglob("*") if path.is_file()
    }
    history.commit_entry(ledger.BRANCH, files, "apply 1.0.0: succeeded", AUTHOR, 1)
    (entry,) = ledger.entries(history)
    (helm,) = entry.running
    assert (entry.action, entry.version, helm.key) == ("apply", "1.0.0", "shop/shop")
    assert "pin: (redacted, sha256 " in helm.rendered
    (sealed_entry,) = sealed.walk(history)
    assert (sealed_entry.number, sealed_entry.signature) == (None, None)
    assert sealed.tip(history) == sealed.LedgerPlace(1, Digest.of(files["entry.json"]))
