"""Pending releases of a shared store: made by one, signed by others, each at a machine of their own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from airstore.core.errors import NotTrustedError
from airstore.ops.stores.directory import open_directory
from airstore.ops.stores.releases.pending import Before, accept
from airstore.ops.stores.releases.trusted import PENDING
from airstore.trust.ssh.keys import PrivateKey
from tests.support.product.road_parts import airstore, done, refused, sound, unchanged
from tests.support.product.sharing import Shared, git, release, share, versions
from tests.support.product.tiny_product import Tiny
from tests.support.registry.servers import RegistryServer

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Team:
    """A shared store whose releases several have to sign, and what each of them has."""

    shared: Shared

    @property
    def store(self) -> Path:
        return self.shared.store

    def key(self, name: str) -> Path:
        return self.shared.base / name

    def machine(self, name: str) -> Path:
        """Somebody's clone, with a key of their own alone."""
        store = self.shared.clone(f"of-{name}")
        for path in (store / "keys").iterdir():
            path.unlink()
        for suffix in ("", ".pub"):
            shutil.copy2(self.key(f"{name}{suffix}"), store / "keys" / f"{name}{suffix}")
        return store

    def create(self, version: str, text: str = "") -> None:
        """A release at the first machine, signed there."""
        assert release(self.store, version, text).code == 0

    def branches(self) -> list[str]:
        """Of the git server, besides main."""
        refs = git("-C", self.shared.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads")
        return [name for name in refs.split() if name != "main"]


def team(shared: Shared, threshold: int) -> Team:
    made = Team(shared)
    adding = ("-C", shared.store, "trust", "root", "add-key", "--role", "release")
    for name in ("ben", "cleo"):
        key = PrivateKey.generate()
        key.save(made.key(name))
        key.public.save(made.key(f"{name}.pub"), name)
        more = ("--release-threshold", str(threshold)) if name == "cleo" else ()
        done(*adding, f"{name}={made.key(name)}.pub", *more)
    done("-C", shared.store, "trust", "root", "sign", "--key", "root")
    return made


@pytest.fixture
def two(shared: Shared) -> Team:
    """Two of three have to sign."""
    return team(shared, 2)


@pytest.fixture
def three(shared: Shared) -> Team:
    """All three have to sign."""
    return team(shared, 3)


def test_the_second_signature_is_added_at_another_machine(two: Team) -> None:
    two.create("1.1.0", "more")
    pushed = done("-C", two.store, "push", "-o", "json").json()
    assert (pushed["release"], pushed["pending"]) == ("1.0.0", ["1.1.0"])
    ben = two.machine("ben")
    assert versions(ben) == ["1.0.0"]
    assert "release 1.1.0 is pending: signed by release" in done("-C", ben, "release", "list").err
    done("-C", ben, "release", "sign", "1.1.0")
    pushed = done("-C", ben, "push", "-o", "json").json()
    assert (pushed["release"], pushed["releases"]) == ("1.1.0", 1)
    assert two.branches() == []
    done("-C", two.store, "pull")
    sound(two.store, "1.0.0", "1.1.0")
    assert "pending" not in git("-C", two.store / "history.git", "for-each-ref")
    sound(two.shared.clone("late", "--whole"), "1.0.0", "1.1.0")


def test_signatures_that_two_add_at_once_are_merged(three: Team) -> None:
    three.create("1.1.0", "more")
    done("-C", three.store, "push")
    ben, cleo = three.machine("ben"), three.machine("cleo")
    done("-C", ben, "release", "sign", "1.1.0")
    done("-C", cleo, "release", "sign", "1.1.0")
    done("-C", ben, "push")
    with unchanged(cleo):
        refused(airstore("-C", cleo, "push"), 31, "changed the pending release 1.1.0", "airstore pull")
    done("-C", cleo, "pull")
    assert "signed by ben, cleo, release; 0 more must sign" in done("-C", cleo, "release", "list").err
    done("-C", cleo, "release", "sign", "1.1.0")
    done("-C", cleo, "push")
    assert three.branches() == []
    for store in (ben, three.store):
        done("-C", store, "pull")
        sound(store, "1.0.0", "1.1.0")


def test_a_pending_release_that_is_made_anew_replaces_what_nobody_has_touched(two: Team) -> None:
    two.create("1.1.0", "more")
    done("-C", two.store, "push")
    ben = two.machine("ben")
    two.create("1.1.0", "otherwise")
    done("-C", two.store, "push")
    pulled = done("-C", ben, "pull", "-o", "json").json()
    assert pulled["pending"] == ["1.1.0"]
    (note,) = pulled["notes"]  # ben may have looked at the one before
    assert "another release 1.1.0 is pending than before" in note
    done("-C", ben, "release", "sign", "1.1.0")
    done("-C", ben, "push")
    done("-C", two.store, "pull")
    sound(two.store, "1.0.0", "1.1.0")


def test_a_pending_release_that_was_signed_is_not_replaced_unseen(three: Team) -> None:
    three.create("1.1.0", "more")
    done("-C", three.store, "push")
    ben = three.machine("ben")
    done("-C", ben, "release", "sign", "1.1.0")
    three.create("1.1.0", "otherwise")
    done("-C", three.store, "push")
    with unchanged(ben):
        refused(airstore("-C", ben, "push"), 31, "changed the pending release 1.1.0")
        refused(airstore("-C", ben, "pull"), 31, "another release 1.1.0 is pending", "release discard 1.1.0")
    done("-C", ben, "release", "discard", "1.1.0")
    done("-C", ben, "pull")
    assert "signed by release" in done("-C", ben, "release", "list").err


def test_giving_up_is_shared_and_nobody_signs_it_unseen(three: Team) -> None:
    three.create("1.1.0", "more")
    done("-C", three.store, "push")
    ben, cleo = three.machine("ben"), three.machine("cleo")
    done("-C", ben, "release", "sign", "1.1.0")
    done("-C", three.store, "release", "discard", "1.1.0")
    done("-C", three.store, "pull")  # it does not come back before the others know
    assert "pending" not in done("-C", three.store, "release", "list").err
    done("-C", three.store, "push")
    assert three.branches() == []
    done("-C", cleo, "pull")
    assert "pending" not in done("-C", cleo, "release", "list").err
    with unchanged(ben):
        refused(airstore("-C", ben, "pull"), 31, "was given up", "release discard 1.1.0")
        refused(airstore("-C", ben, "push"), 31, "changed the pending release")
    done("-C", ben, "release", "discard", "1.1.0")
    done("-C", ben, "push")
    three.create("1.1.0", "again")
    done("-C", three.store, "push")


def test_the_very_first_release_may_be_pending(
    tiny: Tiny, registry: RegistryServer, prefix: str, tmp_path: Path
) -> None:
    shared = share(tiny, tmp_path, registry.host, f"{prefix}/store")
    first = team(shared, 2)
    first.create("1.0.0")
    pushed = done("-C", tiny.store, "push", "-o", "json").json()
    assert (pushed["release"], pushed["pending"]) == (None, ["1.0.0"])
    ben = first.machine("ben")
    done("-C", ben, "release", "sign", "1.0.0")
    done("-C", ben, "push")
    done("-C", tiny.store, "pull")
    sound(tiny.store, "1.0.0")


def forge(team: Team, change: dict[str, bytes]) -> None:
    """What is pending at the server becomes something else, in a commit as airstore makes them."""
    store = open_directory(team.store)
    branch = f"{PENDING}1.1.0"
    tree = {**store.history.files(store.history.branches()[branch]), **change}
    commit = store.history.commit_snapshot(tree, "shop 1.1.0, pending", store.author)
    git("-C", store.history.path, "push", "-q", "--force", team.shared.bare, f"{commit}:refs/heads/{branch}")


@pytest.mark.parametrize("what", ["values", "envelope", "neither", "by hand"])
def test_what_the_server_puts_there_is_signed_by_nobody(two: Team, what: str) -> None:
    two.create("1.1.0", "more")
    store = open_directory(two.store)
    tree = store.history.files(store.history.branches()[f"{PENDING}1.1.0"])
    name = next(path for path in tree if path.startswith(("values/", "charts/")))
    signed = tree["signatures/release.dsse.json"]
    stranger = tree["signatures/release.dsse.json"].replace(b'"sig": "', b'"sig": "AAAA')
    forge(two, {"values": {name: tree[name] + b"\n"}, "envelope": {"signatures/release.dsse.json": stranger},
                "neither": {"signatures/release.dsse.json": signed}, "by hand": {}}[what])  # fmt: skip
    if what == "by hand":  # by who does not know how airstore writes such commits
        who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        made = git(
            "-C", two.shared.bare, *who, "commit-tree", f"{PENDING}1.1.0^{{tree}}", "-m", "mine"
        ).strip()
        git("-C", two.shared.bare, "update-ref", f"refs/heads/{PENDING}1.1.0", made)
    if what == "neither":
        git("-C", two.shared.bare, "update-ref", f"refs/heads/{PENDING}1.1.0", "main")
    clone = two.shared.clone("clone")
    assert "pending" not in done("-C", clone, "release", "list").err
    (note,) = done("-C", clone, "pull", "-o", "json").json()["notes"]
    assert f"branch {PENDING}1.1.0" in note
    assert "does not count" in note


def test_what_does_not_continue_the_newest_release_does_not_count(two: Team) -> None:
    two.create("1.1.0", "more")
    done("-C", two.store, "push")
    stale = git("-C", two.shared.bare, "rev-parse", f"{PENDING}1.1.0").strip()
    done("-C", two.store, "release", "discard", "1.1.0")
    two.create("1.2.0", "instead")
    done("-C", two.store, "release", "sign", "1.2.0", "--key-file", two.key("ben"))
    done("-C", two.store, "push")
    assert two.branches() == []
    git("-C", two.shared.bare, "update-ref", f"refs/heads/{PENDING}1.1.0", stale)
    clone = two.shared.clone("clone")
    assert "pending" not in done("-C", clone, "release", "list").err
    (note,) = done("-C", clone, "pull", "-o", "json").json()["notes"]
    assert "does not continue the newest release" in note
    store = open_directory(two.store)
    with pytest.raises(NotTrustedError, match=r"release 9\.9\.9 is tiny 1\.1\.0"):
        accept(store.history.files(stale), f"{PENDING}9.9.9", store.trust_root(), Before())


def test_more_pending_releases_than_anybody_has_are_refused(two: Team) -> None:
    for number in range(17):
        git("-C", two.shared.bare, "branch", f"{PENDING}{number}", "main")
    with unchanged(two.store):
        refused(airstore("-C", two.store, "pull"), 40, "17 branches of pending releases", "--delete")


def test_the_release_of_whoever_pushes_after_another_signed_it_takes_the_branch_away(three: Team) -> None:
    """One has all signatures while another adds one to the branch: the release is made, so it is over."""
    three.create("1.1.0", "more")
    done("-C", three.store, "push")
    ben = three.machine("ben")
    done("-C", ben, "release", "sign", "1.1.0")
    done("-C", ben, "push")
    for name in ("ben", "cleo"):
        done("-C", three.store, "release", "sign", "1.1.0", "--key-file", three.key(name))
    done("-C", three.store, "push")
    assert three.branches() == []
    done("-C", ben, "pull")
    sound(ben, "1.0.0", "1.1.0")
    assert "pending" not in git("-C", ben / "history.git", "for-each-ref")
