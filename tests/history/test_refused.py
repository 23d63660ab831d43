"""Bundles that are damaged, foreign or out of turn are refused without a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.core.errors import (
    DamagedError,
    IncompleteError,
    NotFoundError,
    SequenceError,
)
from airstore.history.exchange.bundle import create_bundle
from airstore.history.repository import History
from tests.history.history_parts import (
    AUTHOR,
    WHEN,
    Publish,
    flipped,
    refused,
    take,
    versions,
)

pytest_plugins = ["tests.history.history_fixtures"]


def test_truncated(live: History, bundle: Path) -> None:
    whole = bundle.read_bytes()
    for end in {0, 1, 10, 16, 17, 100, len(whole) - 1, *range(0, len(whole), len(whole) // 30)}:
        bundle.write_bytes(whole[:end])
        refused(live, bundle, DamagedError)


def test_flipped(live: History, bundle: Path, history: History) -> None:
    """Where a flip is not noticed, it must not matter: a version in the header is caught by its tag."""
    whole = bundle.read_bytes()
    for position in range(0, len(whole), len(whole) // 60):
        bundle.write_bytes(flipped(whole, position))
        refused(live, bundle, DamagedError)


def test_trailing_bytes(live: History, bundle: Path) -> None:
    bundle.write_bytes(bundle.read_bytes() + b"x")
    refused(live, bundle, DamagedError)


def test_not_a_bundle(live: History, tmp_path: Path) -> None:
    refused(live, tmp_path / "none", NotFoundError)
    (tmp_path / "file").write_bytes(b"PK\3\4")
    refused(live, tmp_path / "file", DamagedError, "not a git bundle")


def test_oversize(live: History, bundle: Path) -> None:
    refused(live, bundle, DamagedError, "exceeds", limit=1000)


def test_missing_prerequisite(history: History, live: History, tmp_path: Path) -> None:
    create_bundle(history, tmp_path / "delta", "2.0.0", "1.1.0")
    refused(live, tmp_path / "delta", IncompleteError, history.find("1.1.0").commit[:12])
    create_bundle(history, tmp_path / "first", "1.0.0", None)
    take(live, tmp_path / "first")
    refused(live, tmp_path / "delta", IncompleteError, history.find("1.1.0").commit[:12])


def test_a_prerequisite_outside_main_does_not_count(
    history: History, live: History, tmp_path: Path, bundle: Path
) -> None:
    entry = live.commit_entry("ledger", {"entry.json": b"{}"}, "push", AUTHOR, WHEN)
    rest = bundle.read_bytes().split(b"\n", 1)[1]
    bundle.write_bytes(f"# v2 git bundle\n-{entry} x\n".encode() + rest)
    refused(live, bundle, IncompleteError)


def test_unrelated_history(live: History, tmp_path: Path, publish: Publish, bundle: Path) -> None:
    take(live, bundle)
    other = History.create(tmp_path / "other.git")
    publish(other, "5.0.0")
    create_bundle(other, tmp_path / "other", "5.0.0", None)
    refused(live, tmp_path / "other", SequenceError, "nothing in common")


def test_fork(history: History, live: History, tmp_path: Path, publish: Publish, bundle: Path) -> None:
    fork = History.create(tmp_path / "fork.git")
    create_bundle(history, tmp_path / "start", "1.0.0", None)
    take(fork, tmp_path / "start")
    publish(fork, "1.2.0")
    create_bundle(fork, tmp_path / "forked", "1.2.0", None)
    take(live, bundle)
    refused(live, tmp_path / "forked", SequenceError, history.find("1.0.0").commit[:12])


def test_a_version_made_twice(
    history: History, live: History, tmp_path: Path, publish: Publish, bundle: Path
) -> None:
    take(live, bundle)
    publish(history, "3.0.0")
    live.refs.set("refs/tags/3.0.0", live.refs.tags()["1.0.0"])
    create_bundle(history, tmp_path / "delta", "3.0.0", "2.0.0")
    refused(live, tmp_path / "delta", SequenceError, r"3\.0\.0")


@pytest.mark.parametrize(
    "line",
    [
        "{oid} refs/heads/../../x", "{oid} refs/heads/../../../hooks/x", "{oid} --upload-pack=x",
        "{oid} HEAD", "{oid} refs/heads/ledger", "{oid} refs/tags/-x", "{oid} refs/tags/../x",
        "{oid} refs/tags/a/b", "{oid} refs/tags/a.lock", "{oid} refs/tags/", "{oid} refs/replace/{oid}",
        "{oid} refs/heads/main",
        "{oid}  refs/tags/a", "{oid}\trefs/tags/a", "{oid} refs/tags/a b", "-{oid} late", "{oid}", "",
        "{upper} refs/tags/a", "@filter=blob:none", "00 refs/tags/a",
    ],
)  # fmt: skip
def test_refs_that_no_release_has(live: History, bundle: Path, line: str, history: History) -> None:
    oid = history.refs.tags()["1.0.0"]
    text = line.format(oid=oid, upper=oid.upper()).encode()
    head, rest = bundle.read_bytes().split(b"\n\n", 1)
    bundle.write_bytes(head + b"\n" + text + b"\n\n" + rest)
    refused(live, bundle, DamagedError)


def test_capabilities_of_version_3(live: History, bundle: Path) -> None:
    rest = bundle.read_bytes().split(b"\n", 1)[1]
    for bad in (b"@filter=blob:none\n", b"@object-format=sha256\n", b"@object-format=sha1\n" * 2):
        bundle.write_bytes(b"# v3 git bundle\n" + bad + rest)
        refused(live, bundle, DamagedError)
    bundle.write_bytes(b"# v3 git bundle\n@object-format=sha1\n" + rest)
    take(live, bundle)
    assert versions(live) == ["1.0.0", "1.1.0", "2.0.0"]
