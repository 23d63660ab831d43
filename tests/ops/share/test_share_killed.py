"""Remotes that break off, and machines that are killed or full, at every moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from airstore.cli.options.remotes import make_remote_access
from airstore.core.errors import StorageError
from airstore.core.poll import poll
from airstore.core.progress import QUIET
from airstore.ops.share.pull import PullScope, pull_store
from airstore.ops.share.remotes import find_remote
from airstore.ops.stores.directory import open_directory
from tests.support.faults.faulty_disk import FaultyDisk
from tests.support.product.road_parts import (
    done,
    leftovers,
    process,
    sound,
    unchanged,
)
from tests.support.product.sharing import Shared, release, versions
from tests.support.product.sharing_fixtures import noise
from tests.support.registry.faults import Fault, FaultProxy

pytestmark = pytest.mark.slow


def through(shared: Shared, proxy: FaultProxy) -> None:
    """The first machine reaches the registry through the proxy from now on."""
    remote = replace(shared, objects=f"oci://{proxy.host}/{shared.objects.split('/', 3)[3]}")
    done("-C", shared.store, "remote", "remove", "origin")
    done("-C", shared.store, "remote", "add", "origin", *remote.places)


@pytest.mark.parametrize(
    ("method", "path", "sent_before"),
    [("PUT", "digest=", 0), ("PUT", "manifests", 1)],
)
def test_a_push_killed_anywhere_is_resumed(
    method: str, path: str, sent_before: int, shared: Shared, before_registry: FaultProxy
) -> None:
    through(shared, before_registry)
    assert release(shared.store, "1.1.0", noise(2)).code == 0
    before = shared.commits()
    before_registry.faults.append(Fault(method, path, stall=20))
    with process("-C", shared.store, "push") as running:
        for _ in poll(60, 0.05):
            if before_registry.count(f"^{method} .*{path}"):
                break
        running.send_signal(signal.SIGKILL)
    assert shared.commits() == before
    pushed = done("-C", shared.store, "push", "-o", "json").json()
    assert (pushed["releases"], pushed["packs"]) == (1, 1 - sent_before)
    assert versions(shared.clone("runner")) == ["1.0.0", "1.1.0"]


def test_a_push_killed_after_the_server_took_it_has_been_done(shared: Shared) -> None:
    assert release(shared.store, "1.1.0", "more").code == 0
    hook, mark = shared.bare / "hooks" / "post-receive", shared.base / "mark"
    hook.write_text(f"#!/bin/sh\ntouch {mark}\nsleep 3\n")
    hook.chmod(0o755)
    with process("-C", shared.store, "push") as running:
        for _ in poll(60, 0.05):
            if mark.exists():
                break
        running.send_signal(signal.SIGKILL)
    assert len(shared.commits()) == 2
    assert done("-C", shared.store, "push", "-o", "json").json()["releases"] == 0
    done("-C", shared.store, "pull")


def test_a_pull_killed_while_it_fetches_is_resumed(shared: Shared, before_registry: FaultProxy) -> None:
    runner = shared.clone("runner")
    assert release(runner, "1.1.0", noise(3)).code == 0
    done("-C", runner, "push")
    through(shared, before_registry)
    before_registry.faults.append(Fault("GET", "blobs/", stall=20))
    with unchanged(shared.store, tmp=True), process("-C", shared.store, "pull") as running:
        for _ in poll(60, 0.05):
            if before_registry.count("^GET .*blobs/"):
                break
        running.send_signal(signal.SIGKILL)
    done("-C", shared.store, "pull")
    sound(shared.store, "1.0.0", "1.1.0")
    assert leftovers(shared.store) == []


@pytest.fixture
def ahead(shared: Shared) -> Shared:
    """The remote has a release with a large pack that the first machine lacks."""
    runner = shared.clone("runner")
    assert release(runner, "1.1.0", noise(4)).code == 0
    done("-C", runner, "push")
    return shared


def test_a_full_disk_at_any_moment_leaves_what_was_there(ahead: Shared) -> None:
    store = open_directory(ahead.store)
    remote, access = find_remote(store, ""), make_remote_access()
    nth, failed = 0, True
    while failed:
        nth += 1
        disk = FaultyDisk(nth)
        try:
            pull_store(replace(store, disk=disk), remote, access, QUIET, PullScope(whole=nth % 2 == 0))
        except StorageError:
            assert disk.failed
        failed = disk.failed
        assert versions(ahead.store) in (["1.0.0"], ["1.0.0", "1.1.0"])
    assert nth > 5
    sound(ahead.store, "1.0.0", "1.1.0")


def test_a_disk_that_is_full_when_a_hole_is_to_be_filled(large: Shared) -> None:
    clone = large.clone("runner")
    out = large.base / "out"
    limited = f"ulimit -f 64; exec {sys.executable} -m airstore -C {clone} media create --to 1.0.0 {out}"
    ended = subprocess.run(["sh", "-c", limited], check=False, capture_output=True, text=True)
    assert ended.returncode == 41, ended
    assert "File too large" in ended.stderr
    assert not out.exists()
    sound(clone, "1.0.0")
