from __future__ import annotations

import shutil
from pathlib import Path
from subprocess import run

import pytest

from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.history.git.commits import Signed
from airstore.history.repository import History
from tests.history.history_parts import AUTHOR, WHEN, Publish, Run, Sign, flipped, release_files

pytest_plugins = ["tests.history.history_fixtures"]


def test_stock_git_accepts_commits_and_tags(history: History, git: Run, allowed: str) -> None:
    history.trust_signers(allowed)
    for release in history.releases():
        shown = git("-C", history.path, "verify-commit", "-v", release.commit)
        assert 'Good "git" signature for release@shop.example' in shown.stderr
        assert 'Good "git" signature' in git("-C", history.path, "verify-tag", release.version).stderr
    log = git("-C", history.path, "log", "--show-signature", "--stat", "main").stdout
    assert log.count('Good "git" signature') == 3
    assert "charts/shop/Chart.yaml" in log
    git("-C", history.path, "fsck", "--strict", "--full")
    assert git("-C", history.path, "describe", "main").stdout == "2.0.0\n"


def test_a_foreign_key_is_not_good_for_stock_git(history: History, git: Run, tmp_path: Path) -> None:
    history.trust_signers("")
    assert git("-C", history.path, "verify-commit", "main", check=False).returncode != 0


def test_commit_and_tag_signatures_are_what_git_verifies(
    history: History, allowed: str, git: Run, tmp_path: Path
) -> None:
    signers = tmp_path / "signers"
    signers.write_text(allowed)
    for part in history.signatures("1.1.0"):
        signature = tmp_path / "signature"
        signature.write_text(part.signature)
        command = ["ssh-keygen", "-Y", "verify", "-n", "git", "-I", "release@shop.example"]
        command += ["-f", str(signers), "-s", str(signature)]
        assert run(command, input=part.payload, capture_output=True, check=False).returncode == 0
        assert run(command, input=part.payload + b" ", capture_output=True, check=False).returncode != 0


def test_releases_find_and_read(history: History, git: Run) -> None:
    assert [(r.version, r.sequence) for r in history.releases()] == [("1.0.0", 1), ("1.1.0", 2), ("2.0.0", 3)]
    commit = history.find("1.1.0").commit
    assert commit == git("-C", history.path, "rev-parse", "1.1.0^{commit}").stdout.strip()
    assert history.files("1.1.0") == release_files(2, "1.1.0")
    assert history.read(commit, "values/large.yaml") == b"replicas: 3\n"
    assert history.release("1.1.0").version == "1.1.0"
    with pytest.raises(NotFoundError) as fault:
        history.find("9.9.9")
    assert "1.0.0, 1.1.0, 2.0.0" in fault.value.hint
    for path in ("no/such", "values", "values/large.yaml/x", ""):
        with pytest.raises(NotFoundError):
            history.read(commit, path)


def test_same_input_same_commit(history: History, tmp_path: Path, publish: Publish) -> None:
    twin = History.create(tmp_path / "twin.git")
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        publish(twin, version)
    assert twin.tip == history.tip
    assert twin.refs.tags() == history.refs.tags()


def test_a_release_never_changes(history: History, publish: Publish) -> None:
    with pytest.raises(UsageError, match="exists already"):
        publish(history, "1.1.0")


@pytest.mark.parametrize(
    "version", ["", "-1", "a..b", "1.lock", "1.", "a/b", "a b", "--upload-pack=x", "0" * 40, "é"]
)
def test_bad_versions(history: History, publish: Publish, version: str) -> None:
    with pytest.raises(UsageError):
        publish(history, version)
    with pytest.raises((UsageError, NotFoundError)):
        history.tag(version)


@pytest.mark.parametrize(
    "path",
    [
        "", "/a", "a/", "a//b", "../a", "a/../b", "./a", ".git/config", "a/.GIT/hooks/x", ".Git", "git~1/x",
        ".git /x", ".git./x", ".git:x/y", ".gitmodules", "a/.GITMODULES", ".g\u200cit/x", "a\0b", "a\nb",
        "a\\b",         "a\x1b[0m", "\ud800", "x" * 256, "/".join("a" * 65), "é" * 2049,
    ],
)  # fmt: skip
def test_bad_paths(history: History, publish: Publish, path: str) -> None:
    before = history.tip
    with pytest.raises(UsageError):
        publish(history, "3.0.0", {path: b"x"})
    assert history.tip == before


def test_a_file_cannot_be_a_directory(history: History, publish: Publish) -> None:
    with pytest.raises(UsageError, match="both a file and a directory"):
        publish(history, "3.0.0", {"a": b"x", "a/b": b"y"})


def test_names_git_sorts_its_own_way(history: History, publish: Publish, git: Run) -> None:
    publish(history, "3.0.0", {"a/b": b"1", "a.b": b"2", "a-b": b"3", "a0": b"4", "é/ü": b"5"})
    git("-C", history.path, "fsck", "--strict")
    assert history.read("3.0.0", "a/b") == b"1"


@pytest.mark.parametrize("author", [("", "a@b"), ("a<b", "a@b"), ("a", "a\nb"), ("a ", "b"), ("a", "")])
def test_bad_authors(history: History, sign: Sign, author: tuple[str, str]) -> None:
    with pytest.raises(UsageError):
        history.commit_release({"a": b"b"}, "3.0.0", "m", author, WHEN, sign)


@pytest.mark.parametrize("message", ["", "\n\n", "a\0b", "a\n-----BEGIN SSH SIGNATURE-----\nx\n"])
def test_bad_messages(history: History, sign: Sign, message: str) -> None:
    with pytest.raises(UsageError):
        history.commit_release({"a": b"b"}, "3.0.0", message, AUTHOR, WHEN, sign)


def test_a_signer_that_returns_no_signature(history: History) -> None:
    with pytest.raises(UsageError, match="armored"):
        history.commit_release({"a": b"b"}, "3.0.0", "m", AUTHOR, WHEN, lambda _data: "")


def test_ledger_entries_newest_first(history: History) -> None:
    main = history.tip
    commits = [
        history.commit_entry("ledger", {"entry.json": b"%d" % n}, f"apply {n}", AUTHOR, WHEN + n)
        for n in range(3)
    ]
    assert list(history.entries("ledger")) == commits[::-1]
    assert history.read(commits[1], "entry.json") == b"1"
    assert history.commit(commits[2]).message == "apply 2\n"
    assert history.commit(commits[2]).when == WHEN + 2
    assert history.commit(commits[2]).signed == Signed("", history.commit(commits[2]).signed.payload)
    assert list(history.entries("none")) == []
    assert history.tip == main
    with pytest.raises(UsageError):
        history.commit_entry("main", {"a": b""}, "m", AUTHOR, WHEN)


def test_diff_agrees_with_git(history: History, publish: Publish, git: Run) -> None:
    publish(history, "3.0.0", {"new.bin": b"\0\1", "notes": b"one\ntwo"})
    for old, new in (("1.0.0", "2.0.0"), ("2.0.0", "3.0.0"), ("3.0.0", "1.0.0")):
        numstat = git("-C", history.path, "diff", "--no-renames", "--numstat", old, new).stdout.splitlines()
        expected = {
            path: (added.replace("-", "0"), removed.replace("-", "0"))
            for added, removed, path in map(str.split, numstat)
        }
        actual = {c.path: (str(c.added), str(c.removed)) for c in history.diff(old, new)}
        assert actual == expected
    assert {c.path: c.status for c in history.diff("2.0.0", "3.0.0")}["new.bin"] == "added"
    assert {c.status for c in history.diff(None, "1.0.0")} == {"added"}
    assert {c.path for c in history.diff("1.0.0", "2.0.0", ["charts/shop"])} == {
        "charts/shop/Chart.yaml",
        "charts/shop/values.yaml",
    }


def test_patch_applies_with_git(history: History, git: Run, tmp_path: Path) -> None:
    git("clone", "-q", "--branch", "1.0.0", history.path, tmp_path / "clone")
    git("-C", tmp_path / "clone", "apply", "--index", "-", stdin=history.patch("1.0.0", "2.0.0").encode())
    tree = git("-C", tmp_path / "clone", "write-tree").stdout.strip()
    assert tree == history.commit("2.0.0").tree


def test_patch_is_bounded(history: History, publish: Publish) -> None:
    publish(history, "3.0.0", {"big": b"line\n" * 1_000_000})
    assert "big is added, and too large to show" in history.patch("2.0.0", "3.0.0", ["big"])
    text = history.patch("1.0.0", "2.0.0", limit=300)
    assert len(text) < 400
    assert "2 more files differ" in text


def read_all(history: History) -> list[tuple[str, dict[str, bytes]]]:
    return [(release.version, history.files(release.commit)) for release in history.releases()]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("cut", [0, 1, 2, 5, 15, -1])
def test_a_truncated_object_is_named_and_written_anew(history: History, publish: Publish, cut: int) -> None:
    """libgit2 by itself loops for ever on most of these."""
    oid = history.paths("1.0.0")["values/large.yaml"]
    path = history.path / "objects" / oid[:2] / oid[2:]
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[:cut])
    with pytest.raises(DamagedError, match=oid):
        history.files("1.0.0")
    publish(history, "3.0.0")
    assert history.files("1.0.0") == release_files(1, "1.0.0")


def test_every_flipped_object_is_noticed(history: History) -> None:
    for path in sorted((history.path / "objects").glob("??/*")):
        whole = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(whole[:-7] + bytes([whole[-7] ^ 1]) + whole[-6:])
        with pytest.raises(DamagedError):
            read_all(history)
        path.write_bytes(whole)


@pytest.mark.timeout(30)
def test_a_damaged_pack_gives_an_error_or_the_right_bytes(history: History, git: Run, tmp_path: Path) -> None:
    """A flipped bit may leave the plain bytes as they were: zlib's header has bits nobody reads.

    Each damage is done to a copy: libgit2 maps packs, and shares by path those that are still open.
    """
    git("-C", history.path, "repack", "-adq")
    good = read_all(History(history.path))
    (pack,) = (history.path / "objects" / "pack").glob("*.pack")
    whole = pack.read_bytes()
    errors = 0
    for position in range(12, len(whole) - 20, len(whole) // 25):
        for name, damaged in (("flipped", flipped(whole, position)), ("cut", whole[:position])):
            copy = shutil.copytree(history.path, tmp_path / f"{name}-{position}.git")
            place = copy / pack.relative_to(history.path)
            place.chmod(0o644)
            place.write_bytes(damaged)
            try:
                assert read_all(History(copy)) == good
            except DamagedError:
                errors += 1
    assert errors > 45


def test_a_copied_repository_still_verifies(history: History, git: Run, allowed: str, tmp_path: Path) -> None:
    history.trust_signers(allowed)
    shutil.copytree(history.path, tmp_path / "elsewhere.git")
    shutil.rmtree(history.path)
    git("-C", tmp_path / "elsewhere.git", "verify-commit", "main")


def test_two_tags_on_one_release_are_ambiguous(history: History, git: Run) -> None:
    git("-C", history.path, "tag", "-a", "-m", "x", "stable", "main")
    with pytest.raises(DamagedError, match=r"2\.0\.0, stable") as fault:
        history.releases()
    assert "git tag -d" in fault.value.hint


def test_a_tag_object_under_another_name(history: History) -> None:
    history.refs.set("refs/tags/7.0.0", history.refs.tags()["1.0.0"])
    with pytest.raises(DamagedError, match=r"7\.0\.0 was made for 1\.0\.0"):
        history.tag("7.0.0")


def test_open_and_create(tmp_path: Path, history: History) -> None:
    with pytest.raises(NotFoundError):
        History(tmp_path / "none")
    (history.path / "inside").mkdir()
    with pytest.raises(NotFoundError):
        History(history.path / "inside")
    with pytest.raises(UsageError):
        History.create(history.path)
