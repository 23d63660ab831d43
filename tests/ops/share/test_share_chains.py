"""Histories that a git server and a registry put together from what was really signed, and that are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from airstore.trust.ssh.keys import PrivateKey
from tests.ops.share.test_share_faults import copy_tag
from tests.support.faults.forged_media import Forge
from tests.support.product.road_parts import airstore, done, refused, unchanged
from tests.support.product.sharing import Shared, git, release

pytestmark = pytest.mark.slow


def test_a_release_that_does_not_follow_is_refused(shared: Shared) -> None:
    """By whoever has the key, and skips a number that others may have."""
    runner, known = shared.clone("runner"), shared.commits()[0]
    forge = Forge(runner, PrivateKey.load(runner / "keys" / "release"))
    commit = forge.next("1.1.0", change=lambda made: replace(made, sequence=made.sequence + 1))
    moved = (f"{commit}:refs/heads/main", "refs/tags/1.1.0")
    git("-C", runner / "history.git", "push", "-q", shared.bare, *moved)
    copy_tag(shared.objects, known, commit)
    with unchanged(shared.store):
        refused(airstore("-C", shared.store, "pull"), 31, "gap")


def test_a_history_that_ends_before_what_a_trust_root_names_is_refused(
    shared: Shared, tmp_path: Path
) -> None:
    """A fresh clone has seen nothing yet; its trust root has."""
    assert release(shared.store, "1.1.0", "more").code == 0
    store = ("-C", shared.store)
    done(*store, "key", "generate", "second")
    for words in (("add-key", "second"), ("remove-key", "release"), ("sign", "--key", "root")):
        done(*store, "trust", "root", *words)
    done(*store, "push")
    newest, first = shared.commits()
    git("-C", shared.bare, "update-ref", "refs/heads/main", first)
    git("-C", shared.bare, "update-ref", "-d", "refs/tags/1.1.0")
    copy_tag(shared.objects, newest, first)
    refused(airstore(*shared.cloning(tmp_path / "new")), 31, "stale", "revokes a key")
    assert not (tmp_path / "new").exists()
