"""Bundles between two histories: what arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.core.errors import (
    DamagedError,
    NotFoundError,
    SequenceError,
    UsageError,
)
from airstore.history.exchange.bundle import Quarantine, create_bundle
from airstore.history.repository import History
from tests.history.history_parts import (
    AUTHOR,
    MAIN,
    WHEN,
    Run,
    snapshot,
    take,
    versions,
)

pytest_plugins = ["tests.history.history_fixtures"]


def test_full_then_delta(history: History, live: History, tmp_path: Path, git: Run) -> None:
    out = tmp_path / "b"
    create_bundle(history, out, "1.0.0", None)
    take(live, out)
    assert versions(live) == ["1.0.0"]
    create_bundle(history, out, "2.0.0", "1.0.0")
    with Quarantine(live, out) as quarantine:
        assert quarantine.tip == history.tip
        assert sorted(quarantine.history.refs.tags()) == ["1.1.0", "2.0.0"], "what it brings, and no more"
        assert quarantine.chain(live.tip) == [r.commit for r in history.releases()][1:]
        assert quarantine.chain(None) == [r.commit for r in history.releases()]
        assert quarantine.history.signatures("2.0.0") == history.signatures("2.0.0")
        assert versions(live) == ["1.0.0"]
        quarantine.commit()
        quarantine.commit()
    assert [live.files(v) for v in versions(live)] == [history.files(v) for v in versions(history)]
    assert live.refs.tags() == history.refs.tags()
    assert not (live.path / "quarantine").exists()
    git("-C", live.path, "fsck", "--strict", "--full")


def test_stock_git_reads_the_bundle(
    history: History, tmp_path: Path, git: Run, allowed: str, bundle: Path
) -> None:
    (tmp_path / "signers").write_text(allowed)
    git("clone", "-q", "--mirror", bundle, tmp_path / "clone.git")
    signers = f"gpg.ssh.allowedSignersFile={tmp_path / 'signers'}"
    git("-c", signers, "-C", tmp_path / "clone.git", "verify-tag", "1.0.0", "1.1.0", "2.0.0")
    create_bundle(history, tmp_path / "delta", "2.0.0", "1.1.0")
    heads = git("bundle", "list-heads", tmp_path / "delta").stdout.splitlines()
    assert heads == [f"{history.tip} {MAIN}", f"{history.refs.tags()['2.0.0']} refs/tags/2.0.0"]
    assert "-" + history.find("1.1.0").commit in (tmp_path / "delta").read_bytes().decode("latin-1")


def test_main_may_be_ahead(history: History, live: History, tmp_path: Path) -> None:
    create_bundle(history, tmp_path / "b", "1.1.0", None)
    take(live, tmp_path / "b")
    assert versions(live) == ["1.0.0", "1.1.0"]
    assert live.tip == history.find("1.1.0").commit


def test_same_history_same_bytes(history: History, tmp_path: Path, git: Run, bundle: Path) -> None:
    delta = tmp_path / "delta"
    create_bundle(history, delta, "2.0.0", "1.0.0")
    first = delta.read_bytes()
    git("-C", history.path, "gc", "-q", "--prune=now")
    create_bundle(history, delta, "2.0.0", "1.0.0")
    assert delta.read_bytes() == first
    create_bundle(history, tmp_path / "again", "2.0.0", None)
    assert (tmp_path / "again").read_bytes() == bundle.read_bytes()


def test_what_cannot_be_bundled(history: History, tmp_path: Path) -> None:
    for to, base, family in (
        ("2.0.0", "2.0.0", UsageError),
        ("1.0.0", "2.0.0", UsageError),
        ("9", None, NotFoundError),
        ("2.0.0", "9", NotFoundError),
    ):
        with pytest.raises(family):
            create_bundle(history, tmp_path / "none", to, base)
    assert not (tmp_path / "none").exists()


def test_a_damaged_history_makes_no_bundle(history: History, tmp_path: Path) -> None:
    oid = history.paths("1.0.0")["values/large.yaml"]
    (history.path / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises(DamagedError, match=oid):
        create_bundle(history, tmp_path / "none", "2.0.0", None)
    assert not (tmp_path / "none").exists()


def test_importing_again_or_older_changes_nothing(
    history: History, live: History, tmp_path: Path, bundle: Path
) -> None:
    take(live, bundle)
    before = snapshot(live)
    take(live, bundle)
    create_bundle(history, tmp_path / "old", "1.1.0", None)
    take(live, tmp_path / "old")
    create_bundle(history, tmp_path / "delta", "2.0.0", "1.1.0")
    take(live, tmp_path / "delta")
    assert snapshot(live) == before


def test_older_media_do_not_continue_what_is_trusted(
    history: History, live: History, tmp_path: Path, bundle: Path
) -> None:
    take(live, bundle)
    create_bundle(history, tmp_path / "old", "1.1.0", None)
    with Quarantine(live, tmp_path / "old") as quarantine, pytest.raises(SequenceError, match="last trusted"):
        quarantine.chain(live.tip)


def test_the_ledger_is_left_alone(history: History, live: History, bundle: Path) -> None:
    entry = live.commit_entry("ledger", {"entry.json": b"{}"}, "push", AUTHOR, WHEN)
    take(live, bundle)
    assert list(live.entries("ledger")) == [entry]
