"""A store that several machines share: pushed, cloned, pulled, released from each, and media of all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airstore.core.durable import exclusive_lock
from tests.support.product.road_parts import airstore, done, pack_of, refused, snapshot, sound, unchanged
from tests.support.product.sharing import Shared, git, release, versions
from tests.support.product.sharing_fixtures import noise

pytestmark = pytest.mark.slow


def test_a_clone_makes_the_next_release_and_the_first_machine_pulls_it(shared: Shared) -> None:
    runner = shared.clone("runner")
    assert versions(runner) == ["1.0.0"]
    assert release(runner, "1.1.0", "other").code == 0
    pushed = done("-C", runner, "push", "-o", "json").json()
    assert (pushed["release"], pushed["releases"]) == ("1.1.0", 1)
    pulled = done("-C", shared.store, "pull", "-o", "json").json()
    assert pulled["releases"] == ["1.1.0"]
    sound(shared.store, "1.0.0", "1.1.0")
    again = done("-C", shared.store, "push", "-o", "json").json()
    assert (again["releases"], again["packs"]) == (0, 0)
    assert done("-C", runner, "pull", "-o", "json").json()["releases"] == []


def test_a_clone_brings_indexes_and_recipes_alone(large: Shared) -> None:
    clone = large.clone("runner")
    (pack,) = (clone / "packs").iterdir()
    whole = pack_of(large.store)
    assert pack.name == whole.with_suffix(".partial").name
    assert pack.stat().st_size == whole.stat().st_size
    assert pack.stat().st_blocks * 512 < whole.stat().st_size // 2
    sound(clone, "1.0.0")


def test_what_a_release_shares_with_the_one_before_is_neither_fetched_nor_sent(large: Shared) -> None:
    clone = large.clone("runner")
    before = snapshot(clone / "packs")
    (large.base / "runner" / "app" / "values.yaml").write_text("replicas: 2\n")
    assert release(clone, "1.1.0").code == 0
    sent = done("-C", clone, "push", "-o", "json").json()
    assert sent["bytes"] < 20_000 < pack_of(large.store).stat().st_size
    assert before.items() <= snapshot(clone / "packs").items()  # no hole was filled
    assert done("-C", large.store, "pull", "-o", "json").json()["bytes"] < 20_000
    sound(large.store, "1.0.0", "1.1.0")


@pytest.mark.parametrize("effort", ["normal", "none"])
def test_media_of_a_clone_have_what_media_of_the_first_machine_have(large: Shared, effort: str) -> None:
    clone, site = large.clone("runner"), large.base / "site"
    for store, out in ((large.store, "first"), (clone, "second")):
        done("-C", store, "media", "create", "--to", "1.0.0", "--effort", effort, large.base / out)
    assert snapshot(large.base / "first").keys() == snapshot(large.base / "second").keys()
    done("init", site, "--site", "acme", "--trust", large.root)
    done("-C", site, "media", "import", large.base / "second")
    sound(site, "1.0.0")
    sound(clone, "1.0.0")


def test_a_delta_fetches_what_it_rests_on(large: Shared) -> None:
    clone = large.clone("runner")
    assert release(clone, "1.1.0", noise(1) + "more").code == 0
    done("-C", clone, "media", "create", "--to", "1.1.0", "--from", "1.0.0", large.base / "delta")
    assert sum(path.stat().st_size for path in (large.base / "delta").rglob("*.delta")) < 20_000


def test_whole_packs_take_the_place_of_parts(large: Shared) -> None:
    clone = large.clone("runner")
    assert done("-C", clone, "pull", "--whole", "-o", "json").json()["only_remote"] == 0
    assert snapshot(clone / "packs") == snapshot(large.store / "packs")
    done("-C", clone, "remote", "remove", "origin")
    sound(clone, "1.0.0")
    assert not list((large.clone("other", "--whole") / "packs").glob("*.partial"))


def test_an_index_made_again_knows_the_parts(large: Shared) -> None:
    clone = large.clone("runner")
    (clone / "index.sqlite").unlink()
    sound(clone, "1.0.0")
    done("-C", clone, "media", "create", "--to", "1.0.0", large.base / "out")


def test_the_last_remote_that_has_packs_stays(large: Shared) -> None:
    clone = large.clone("runner")
    with unchanged(clone):
        refused(airstore("-C", clone, "remote", "remove", "origin"), 2, "only at origin", "pull --whole")


def test_packs_without_a_remote_are_named(large: Shared) -> None:
    clone = large.clone("runner")
    (clone / "remotes.json").unlink()
    outcome = airstore("-C", clone, "media", "create", "--to", "1.0.0", large.base / "out")
    refused(outcome, 21, "only in part here", "remote add")


def test_packs_that_the_remote_does_not_name_any_more_are_forgotten(large: Shared) -> None:
    clone = large.clone("runner")
    (old,) = (clone / "packs").glob("*.partial")
    # Somebody writes the pack anew: the same objects in another one.
    fresh = large.clone("fresh", "--whole")
    for file in ("packs", "index.sqlite"):
        target = fresh / file
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    (fresh / "packs").mkdir()
    (fresh.parent / "app" / "values.yaml").write_text("replicas: 2\n")
    assert release(fresh, "1.1.0").code == 0
    (clone.parent / "app" / "values.yaml").write_text("replicas: 2\n")
    done("-C", fresh, "push")
    done("-C", clone, "pull")
    assert not old.exists()
    done("-C", clone, "release", "verify", "1.1.0")
    done("-C", clone, "media", "create", "--to", "1.1.0", large.base / "out")


def test_of_two_releases_at_once_one_wins_and_the_other_is_told(shared: Shared) -> None:
    one, two = shared.clone("one"), shared.clone("two")
    assert release(one, "1.1.0", "of one").code == 0
    assert release(two, "1.1.0", "of two").code == 0
    done("-C", one, "push")
    with unchanged(two):
        refused(airstore("-C", two, "push"), 31, "has releases that", "airstore pull")
        refused(airstore("-C", two, "pull"), 31, "which made 1.1.0", "--set-aside")
    pulled = done("-C", two, "pull", "--set-aside", "-o", "json").json()
    assert (pulled["releases"], pulled["set_aside"]) == (["1.1.0"], ["1.1.0"])
    assert git("-C", two / "history.git", "for-each-ref", "refs/disowned")
    assert release(two, "1.2.0", "of two").code == 0
    done("-C", two, "push")
    done("-C", shared.store, "pull")
    sound(shared.store, "1.0.0", "1.1.0", "1.2.0")


GIT_THAT_IS_LATE = """#!/bin/sh
case " $* " in *" push "*)
  [ -e {mark} ] || {{ touch {mark}; {real} --git-dir={winner} push -q {bare} main --tags; }} ;;
esac
exec {real} "$@"
"""


def test_a_push_between_looking_and_pushing_wins(shared: Shared, tmp_path: Path) -> None:
    one, two = shared.clone("one"), shared.clone("two")
    assert release(one, "1.1.0", "of one").code == 0
    assert release(two, "1.2.0", "of two").code == 0
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    names = {"mark": tmp_path / "mark", "real": shutil.which("git"), "winner": one / "history.git"}
    wrapper.write_text(GIT_THAT_IS_LATE.format(bare=shared.bare, **names))
    wrapper.chmod(0o755)
    late = {"PATH": f"{wrapper.parent}:{git('--exec-path').strip()}:/usr/bin:/bin"}
    with unchanged(two):
        refused(airstore("-C", two, "push", env=late), 31, "somebody else has pushed", "--set-aside")
    assert shared.commits()[0] == git("-C", one / "history.git", "rev-parse", "main").strip()
    assert "1.2.0" not in git("-C", shared.bare, "tag")


def test_a_history_that_was_rewound_is_refused(shared: Shared) -> None:
    assert release(shared.store, "1.1.0", "more").code == 0
    done("-C", shared.store, "push")
    old, new = shared.commits()[1], shared.commits()[0]
    git("-C", shared.bare, "update-ref", "refs/heads/main", old)
    with unchanged(shared.store):
        refused(airstore("-C", shared.store, "pull"), 31, "was rewound", new[:12])
        refused(airstore("-C", shared.store, "push"), 31, "was rewound", old[:12])
    git("-C", shared.bare, "update-ref", "-d", "refs/heads/main")
    refused(airstore("-C", shared.store, "pull"), 31, "is empty")


def test_a_history_that_was_rewritten_is_refused_whatever_is_asked(shared: Shared) -> None:
    other = shared.clone("other")
    assert release(shared.store, "1.1.0", "more").code == 0
    done("-C", shared.store, "push")
    assert release(other, "1.1.0", "instead").code == 0
    git("-C", other / "history.git", "push", "-q", "--force", shared.bare, "main", "1.1.0")
    # As who can write to both would do it.
    git("-C", shared.bare, "update-ref", "refs/heads/main", shared.commits()[1])
    done("-C", other, "push")
    with unchanged(shared.store):
        refused(airstore("-C", shared.store, "pull", "--set-aside"), 31, "was rewritten")
        refused(airstore("-C", shared.store, "push"), 31, "has releases that")


def test_a_locked_store_is_left_alone(shared: Shared) -> None:
    with exclusive_lock(shared.store / "lock"):
        for words in (("push",), ("pull",), ("remote", "remove", "origin")):
            refused(airstore("-C", shared.store, *words), 11, "another airstore process")


def test_a_site_shares_nothing(shared: Shared, new_site: Path) -> None:
    refused(airstore("-C", new_site, "push"), 2, "is for a publisher")
    refused(airstore("-C", new_site, "remote", "add", "origin", *shared.places), 2, "is for a publisher")


def test_nothing_is_pushed_before_there_is_a_release(shared: Shared) -> None:
    fresh = shared.base / "fresh"
    done("init", fresh, "--product", shared.tiny.product)
    done("-C", fresh, "key", "generate", "release")
    refused(airstore("-C", fresh, "push"), 10, "no remote", "remote add")
    done("-C", fresh, "remote", "add", "origin", *shared.places)
    refused(airstore("-C", fresh, "push"), 10, "no release yet")


def test_repair_leaves_parts_as_they_are(large: Shared) -> None:
    clone = large.clone("runner")
    before = snapshot(clone / "packs")
    done("-C", clone, "repair")
    done("-C", clone, "check", "--rebuild-index")
    assert snapshot(clone / "packs") == before
    done("-C", clone, "media", "create", "--to", "1.0.0", large.base / "out")
