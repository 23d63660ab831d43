"""Keys of sites and pending releases on their way: killed or full at any moment, and done after it."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from airstore.cli.options.remotes import make_remote_access
from airstore.core.errors import StorageError
from airstore.core.poll import poll
from airstore.core.progress import QUIET
from airstore.ops.share.pull import PullScope, pull_store
from airstore.ops.share.remotes import find_remote
from airstore.ops.stores.directory import open_directory
from airstore.trust.ssh.keys import PrivateKey
from tests.support.faults.faulty_disk import FaultyDisk
from tests.support.product.road_parts import done, leftovers, process, sound
from tests.support.product.sharing import Shared, git, release

pytestmark = pytest.mark.slow

BRANCHES = ["pending-1.1.0", "sites"]


def of_server(shared: Shared) -> list[str]:
    refs = git("-C", shared.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads")
    return sorted(name for name in refs.split() if name != "main")


def held(store: Path) -> tuple[bool, bool]:
    """Whether a store lists the pending release, and the key of the site as one that is signed."""
    sites = {row["name"]: row["signed"] for row in done("-C", store, "site", "list", "-o", "json").json()}
    return "release 1.1.0 is pending" in done("-C", store, "release", "list").err, sites.get("plant", False)


@pytest.fixture
def busy(shared: Shared) -> Shared:
    """The first machine has a release that a second key has to sign, and a site's key; neither is pushed."""
    key = PrivateKey.generate()
    key.public.save(shared.base / "ben.pub", "ben")
    adding = ("-C", shared.store, "trust", "root", "add-key", "--role", "release", "--release-threshold", "2")
    done(*adding, f"ben={shared.base / 'ben.pub'}")
    done("-C", shared.store, "trust", "root", "sign", "--key", "root")
    PrivateKey.generate().public.save(shared.base / "plant.pub", "plant")
    done("-C", shared.store, "site", "add", "plant", shared.base / "plant.pub")
    assert release(shared.store, "1.1.0", "more").code == 0
    assert held(shared.store) == (True, True)
    return shared


@pytest.mark.parametrize("hook", ["pre-receive", "post-receive"])
def test_a_push_that_is_killed_has_moved_both_branches_or_none(busy: Shared, hook: str) -> None:
    script, mark = busy.bare / "hooks" / hook, busy.base / "mark"
    script.write_text(f"#!/bin/sh\ntouch {mark}\nsleep 3\n")
    script.chmod(0o755)
    with process("-C", busy.store, "push") as running:
        assert any(mark.exists() for _ in poll(60, 0.05))
        running.send_signal(signal.SIGKILL)
    assert of_server(busy) in ([], BRANCHES)
    script.unlink()
    done("-C", busy.store, "push")
    assert of_server(busy) == BRANCHES
    assert held(busy.clone("colleague")) == (True, True)


def test_a_pull_on_a_full_disk_brings_each_branch_whole_or_not_at_all(busy: Shared) -> None:
    clone = busy.clone("colleague")
    done("-C", busy.store, "push")
    store = open_directory(clone)
    remote, access = find_remote(store, ""), make_remote_access()
    nth, failed = 0, True
    while failed:
        nth += 1
        disk = FaultyDisk(nth)
        try:
            pull_store(replace(store, disk=disk), remote, access, QUIET, PullScope())
        except StorageError:
            assert disk.failed
        failed = disk.failed
        sound(clone, "1.0.0")
    assert nth > 3
    assert held(clone) == (True, True)
    assert leftovers(clone) == []


def test_a_pull_that_is_killed_is_finished_by_the_next(busy: Shared) -> None:
    clone = busy.clone("colleague")
    done("-C", busy.store, "push")
    for delay in (0.6, 0.9, 1.2, 1.6):  # from its start on; where it is then is up to the machine
        with process("-C", clone, "pull") as running:
            for _ in poll(delay, delay):
                pass
            running.send_signal(signal.SIGKILL)
        sound(clone, "1.0.0")
    done("-C", clone, "pull")
    assert held(clone) == (True, True)
    assert leftovers(clone) == []
