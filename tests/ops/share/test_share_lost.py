"""Branches of a publisher that are gone, set back or name something else: named, and put where they were."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from airstore.history.git.noted import FILE
from airstore.ops.stores.directory import open_directory
from tests.ops.share.test_share_pending import Team, team
from tests.support.product.road_parts import airstore, done, overwrite, refused, snapshot, sound, unchanged
from tests.support.product.sharing import Shared, git, release

pytestmark = pytest.mark.slow

_MAIN, _PENDING, _SITES = "refs/heads/main", "refs/heads/pending-1.2.0", "refs/heads/sites"
_SEEN = "refs/remotes/origin/main"
_BREAKS = {
    _MAIN: "the newest release",
    _PENDING: "pending release 1.2.0",
    _SITES: "the keys of sites that are shared",
    _SEEN: "what was seen at remote origin",
}


@dataclass(frozen=True)
class Lossy:
    """A shared store with two releases, one that is pending, and a site's key; and one that was cloned."""

    team: Team

    @property
    def store(self) -> Path:
        return self.team.store

    @property
    def other(self) -> Path:
        return self.team.shared.base / "of-ben" / "store"

    def ref(self, name: str) -> Path:
        return self.store / "history.git" / name

    def drop(self, *oids: str) -> None:
        """Objects, which are loose: nothing was packed yet."""
        for oid in oids:
            (self.store / "history.git" / "objects" / oid[:2] / oid[2:]).unlink()

    def tree(self, name: str) -> str:
        return git("-C", self.store / "history.git", "rev-parse", f"{name}^{{tree}}").strip()


@pytest.fixture
def lossy(shared: Shared, tmp_path: Path) -> Lossy:
    assert release(shared.store, "1.1.0", "more").code == 0
    made = team(shared, 2)
    done("init", tmp_path / "acme", "--site", "acme", "--trust", shared.root)
    done("-C", made.store, "site", "add", "acme", tmp_path / "acme" / "keys" / "site.pub")
    done("-C", made.store, "site", "share", "--key", "release")
    for text in ("even more", "and more"):  # made twice, so that the branch has a commit to go back to
        made.create("1.2.0", text)
    done("-C", made.store, "push")
    made.machine("ben")
    return Lossy(made)


def _gone(lossy: Lossy, ref: str) -> None:
    lossy.ref(ref).unlink()


def _back(lossy: Lossy, ref: str) -> None:
    lossy.ref(ref).write_text(git("-C", lossy.store / "history.git", "rev-parse", f"{ref}~1"))


def _other(lossy: Lossy, ref: str) -> None:
    another = lossy.ref(_SITES if ref != _SITES else _PENDING)
    lossy.ref(ref).write_bytes(another.read_bytes())


def _none(lossy: Lossy, ref: str) -> None:
    lossy.ref(ref).write_bytes(b"\0" * 41)


_CASES = [
    (ref, damage)
    for ref in _BREAKS
    for damage in (_gone, _back, _other, _none)
    if (ref, damage) != (_SITES, _back)  # a snapshot has none before it
]


def test_each_branch_damaged_in_each_way_is_named_and_put_back(lossy: Lossy) -> None:
    before = snapshot(lossy.store)
    for ref, damage in _CASES:
        whole = lossy.ref(ref).read_bytes()
        damage(lossy, ref)
        found = airstore("-C", lossy.store, "check", "-o", "json")
        assert found.code == 20, (ref, damage, found)
        assert any(ref in line for line in found.out.splitlines()), (ref, damage, found)
        assert _BREAKS[ref] in found.out, (ref, damage, found)
        assert f"restored history.git/{ref}" in done("-C", lossy.store, "repair").out, (ref, damage)
        assert lossy.ref(ref).read_bytes() == whole, (ref, damage)
    assert snapshot(lossy.store) == before


_REFUSED = [
    ("push",), ("pull",), ("release", "sign", "1.2.0", "--key", "release"),
    ("release", "create", "--version", "1.2.0"), ("trust", "root", "remove-key", "cleo"),
]  # fmt: skip


def test_nothing_goes_on_from_a_lost_branch(lossy: Lossy) -> None:
    """A push would remove at the remote what is lost here, a release or a root continue an older one."""
    branches = lossy.team.branches()
    for ref, damage in ((_MAIN, _back), (_PENDING, _gone)):
        whole = lossy.ref(ref).read_bytes()
        damage(lossy, ref)
        with unchanged(lossy.store):
            for command in _REFUSED:
                refused(airstore("-C", lossy.store, *command), 20, ref, "airstore repair")
        assert lossy.team.branches() == branches
        lossy.ref(ref).write_bytes(whole)


def test_a_pending_release_that_was_lost_or_damaged_can_be_given_up(lossy: Lossy) -> None:
    for damage in (_gone, _other):
        damage(lossy, _PENDING)
        done("-C", lossy.store, "release", "discard", "1.2.0")
        assert not lossy.ref(_PENDING).exists()
        done("-C", lossy.store, "check")
        lossy.team.create("1.2.0", "again")
    _gone(lossy, _SEEN)
    done("-C", lossy.store, "remote", "remove", "origin")
    done("-C", lossy.store, "check")


def _of_a_store(lossy: Lossy) -> str:
    return str(lossy.other)


def _of_a_remote(lossy: Lossy) -> str:
    assert lossy.store.exists()
    return "origin"


@pytest.mark.parametrize("place", [_of_a_store, _of_a_remote])
def test_a_pending_release_whose_commit_nobody_has_comes_as_others_have_it(
    lossy: Lossy, place: Callable[[Lossy], str]
) -> None:
    """Its files are the same; only the commit around them is one's own."""
    tree, history = lossy.tree(_PENDING), lossy.store / "history.git"
    commit = git("-C", history, "rev-parse", _PENDING).strip()
    for seen in (history / "refs" / "remotes" / "origin").glob("pending-*"):
        lossy.drop(git("-C", history, "rev-parse", f"refs/remotes/origin/{seen.name}").strip())
    lossy.drop(commit, git("-C", history, "rev-parse", f"{tree}:release.json").strip())
    _gone(lossy, _PENDING)
    refused_alone = airstore("-C", lossy.store, "repair")
    assert (refused_alone.code, "pending release 1.2.0" in refused_alone.out) == (20, True)
    assert "`airstore release discard`" in refused_alone.out
    said = done("-C", lossy.store, "repair", "--from", place(lossy))
    assert f"restored history.git/{_PENDING}" in said.out
    assert lossy.tree(_PENDING) == tree
    done("-C", lossy.store, "check")
    done("-C", lossy.store, "release", "sign", "1.2.0", "--key-file", lossy.team.key("ben"))
    sound(lossy.store, "1.0.0", "1.1.0", "1.2.0")


def test_what_no_release_key_has_signed_is_not_taken_for_a_pending_release(lossy: Lossy) -> None:
    """Another store's branch is no better than a server's: it is looked at as what a pull brings."""
    history, there = lossy.store / "history.git", lossy.other / "history.git"
    seen = git("-C", there, "for-each-ref", "--format=%(refname)", "refs/remotes", "refs/heads").split()
    main = git("-C", there, "rev-parse", "refs/heads/main")
    for ref in (ref for ref in seen if "pending-" in ref):
        overwrite(there / ref, main.encode())
    shutil.rmtree(history / "refs" / "remotes")
    lossy.drop(git("-C", history, "rev-parse", _PENDING).strip())
    _gone(lossy, _PENDING)
    outcome = airstore("-C", lossy.store, "repair", "--from", lossy.other)
    assert (outcome.code, "pending release 1.2.0" in outcome.out) == (20, True), outcome
    assert not lossy.ref(_PENDING).exists()


def test_a_store_is_restored_from_its_remote(lossy: Lossy) -> None:
    """Packs of the registry, objects and branches of the git server."""
    packs = sorted((lossy.store / "packs").glob("*.pack"))
    packs[0].unlink()
    data = packs[-1].read_bytes()
    overwrite(packs[-1], data[:40] + bytes(40) + data[80:])
    tip = git("-C", lossy.store / "history.git", "rev-parse", "main^{tree}").strip()
    lossy.drop(tip)
    assert airstore("-C", lossy.store, "repair").code == 20
    said = done("-C", lossy.store, "repair", "--from", "origin", "-o", "json").json()
    assert (said["remaining"], said["refused"]) == ([], [])
    sound(lossy.store, "1.0.0", "1.1.0")
    done("-C", lossy.store, "push")


def test_what_a_pending_release_needs_is_missed_and_restored(lossy: Lossy) -> None:
    for pack in (lossy.store / "packs").glob("*.pack"):
        pack.unlink()
    found = airstore("-C", lossy.store, "check").out
    assert re.search(r"breaks .* in .*1\.2\.0", found), found
    done("-C", lossy.store, "repair", "--from", "origin")
    done("-C", lossy.store, "release", "sign", "1.2.0", "--key-file", lossy.team.key("ben"))
    sound(lossy.store, "1.0.0", "1.1.0", "1.2.0")


def test_damage_of_what_nobody_needs_goes_with_its_pack(lossy: Lossy) -> None:
    """A release that was given up leaves its content; no place has it, and none has to."""
    before = {path.name for path in (lossy.store / "packs").glob("*.pack")}
    done("-C", lossy.store, "release", "discard", "1.2.0")
    lossy.team.create("1.3.0", "of nobody soon")
    done("-C", lossy.store, "release", "discard", "1.3.0")
    left = [path for path in (lossy.store / "packs").glob("*.pack") if path.name not in before]
    assert left
    for pack in left:
        overwrite(pack, bytes(pack.stat().st_size))
    assert airstore("-C", lossy.store, "check").code == 20
    done("-C", lossy.store, "repair")
    sound(lossy.store, "1.0.0", "1.1.0")


def test_a_list_of_branches_that_is_damaged_is_made_again(lossy: Lossy) -> None:
    file = lossy.store / "history.git" / FILE
    before = file.read_bytes()
    overwrite(file, before.replace(b"main", b"mein"))
    assert "where branches were set" in airstore("-C", lossy.store, "check").out
    refused(airstore("-C", lossy.store, "push"), 20, FILE, "airstore repair")
    done("-C", lossy.store, "repair")
    assert file.read_bytes() == before


def test_a_branch_that_an_older_airstore_moved_on_is_not_lost(lossy: Lossy) -> None:
    noted = open_directory(lossy.store).history.refs.noted
    assert noted is not None
    noted.write({**noted.read(), _MAIN: git("-C", noted.file.parent, "rev-parse", "main~1").strip()})
    done("-C", lossy.store, "check")
    done("-C", lossy.store, "push")
