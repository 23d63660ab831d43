"""Bundles whose pack is whole, and whose objects no publisher's airstore writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airstore.core.errors import (
    DamagedError,
)
from airstore.history.repository import History
from tests.history.history_parts import (
    MAIN,
    Forge,
    Run,
    refused,
    take,
)

pytest_plugins = ["tests.history.history_fixtures"]


@pytest.fixture
def forge(tmp_path: Path, git: Run) -> Forge:
    return Forge(tmp_path / "forge.git", git)


def nested(forge: Forge, mode: str, name: str, oid: str) -> str:
    return forge.tree(("40000", "charts", forge.tree((mode, name, oid))))


BOMB = "a tree that names itself ten to the tenth times"


def bomb(forge: Forge) -> str:
    oid = forge.store("blob", b"x")
    mode = "100644"
    for _ in range(10):
        oid, mode = forge.tree(*((mode, f"f{n}", oid) for n in range(10))), "40000"
    return oid


def hook(forge: Forge) -> str:
    hooks = forge.tree(("100644", "post-checkout", forge.store("blob", b"x")))
    return forge.tree(("40000", ".GIT", forge.tree(("40000", "hooks", hooks))))


TREES: dict[str, Callable[[Forge], str]] = {
    ".GIT/hooks": hook,
    "symlinked .gitmodules": lambda f: f.tree(("120000", ".gitmodules", f.store("blob", b"../x"))),
    "plain .gitmodules": lambda f: f.tree(("100644", ".gitmodules", f.store("blob", b""))),
    "submodule": lambda f: nested(f, "160000", "sub", "1" * 40),
    "symlink": lambda f: nested(f, "120000", "link", f.store("blob", b"/etc/passwd")),
    "executable": lambda f: nested(f, "100755", "run", f.store("blob", b"#!/bin/sh\n")),
    "group writable": lambda f: nested(f, "100664", "file", f.store("blob", b"x")),
    "dot dot": lambda f: nested(f, "100644", "..", f.store("blob", b"x")),
    "backslash": lambda f: nested(f, "100644", "a\\b", f.store("blob", b"x")),
    "escape sequence": lambda f: nested(f, "100644", "a\x1b[0m", f.store("blob", b"x")),
    "a commit as a directory": lambda f: nested(f, "40000", "d", f.commit(f.tree())),
    "twice": lambda f: f.tree(*[("100644", "a", f.store("blob", b"x"))] * 2),
    "unsorted": lambda f: f.tree(*[("100644", n, f.store("blob", b"x")) for n in "ba"]),
    "missing blob": lambda f: nested(f, "100644", "file", "2" * 40),
    BOMB: bomb,
}  # fmt: skip


@pytest.mark.parametrize("name", TREES)
def test_trees_that_no_release_has(live: History, tmp_path: Path, forge: Forge, name: str) -> None:
    commit = forge.commit(TREES[name](forge))
    try:
        bundle = forge.bundle({MAIN: commit, "refs/tags/1.0.0": forge.tag(commit)}, tmp_path / "b")
    except DamagedError:
        # git will not pack what is missing: leave the missing part out of the pack by hand
        plain = forge.commit(forge.tree())
        bundle = forge.bundle({MAIN: plain, "refs/tags/1.0.0": forge.tag(plain)}, tmp_path / "b")
        bundle.write_bytes(bundle.read_bytes().replace(plain.encode(), commit.encode()))
    refused(live, bundle, DamagedError)


def test_a_forged_bundle_of_good_form_is_taken_in(live: History, tmp_path: Path, forge: Forge) -> None:
    """So the others are refused for what is odd about them. Signatures are the caller's to check."""
    commit = forge.commit(nested(forge, "100644", "file", forge.store("blob", b"x")))
    take(live, forge.bundle({MAIN: commit, "refs/tags/1.0.0": forge.tag(commit)}, tmp_path / "b"))
    assert live.files("1.0.0") == {"charts/file": b"x"}
    assert [part.signature for part in live.signatures("1.0.0")] == ["", ""]


def good(forge: Forge) -> str:
    return forge.commit(nested(forge, "100644", "file", forge.store("blob", b"x")))


def refs_of(forge: Forge, name: str) -> dict[str, str]:
    commit = good(forge)
    tag = {"refs/tags/1.0.0": forge.tag(commit)}
    tree = forge.tree(("100644", "a", forge.store("blob", b"y")))
    merge = forge.commit(tree, commit, forge.commit(tree))
    last = forge.commit(tree, commit)
    extra = forge.commit(tree, extra="encoding latin-1\n")
    return {
        "no tag": {MAIN: commit},
        "two tags": {MAIN: commit, **tag, "refs/tags/1.0.1": forge.tag(commit, "1.0.1")},
        "lightweight tag": {MAIN: commit, "refs/tags/1.0.0": commit},
        "tag of another name": {MAIN: commit, "refs/tags/2.0.0": forge.tag(commit)},
        "tag off main": {MAIN: commit, **tag, "refs/tags/2.0.0": forge.tag(forge.commit(tree), "2.0.0")},
        "tag of a tree": {MAIN: commit, **tag, "refs/tags/2.0.0": forge.tag(tree, "2.0.0", "tree")},
        "main is a tag": {MAIN: forge.tag(commit), **tag},
        "merge": {MAIN: merge, **tag, "refs/tags/2.0.0": forge.tag(merge, "2.0.0")},
        "unknown header": {MAIN: extra, "refs/tags/1.0.0": forge.tag(extra)},
        "untagged commit between": {MAIN: last, "refs/tags/2.0.0": forge.tag(last, "2.0.0")},
    }[name]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "no tag", "two tags", "lightweight tag", "tag of another name", "tag off main", "tag of a tree",
        "main is a tag", "merge", "unknown header", "untagged commit between",
    ],
)  # fmt: skip
def test_commits_and_tags_that_no_publisher_makes(
    live: History, tmp_path: Path, forge: Forge, name: str
) -> None:
    refused(live, forge.bundle(refs_of(forge, name), tmp_path / "b"), DamagedError)
