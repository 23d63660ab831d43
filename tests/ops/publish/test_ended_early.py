"""Runs that ended before their release was there: check names what they left, the next run uses it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from airstore.charts.helm.command import Helm
from airstore.core.durable import Disk
from airstore.core.errors import StorageError
from airstore.core.progress import QUIET
from airstore.ops.publish.contents import gather
from airstore.ops.publish.create import create_release
from airstore.ops.publish.pending import Signing
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import StoreDirectory, open_directory
from airstore.trust.ssh.keys import PrivateKey
from tests.ops.stores.test_faults import on, operations, take_in
from tests.support.faults.faulty_disk import FaultyDisk
from tests.support.product.road_parts import Road, done, leftovers, unchanged
from tests.support.product.tiny_product import Tiny

NOTHING = {"blobs": 0, "bytes": 0, "packs": 0}


def unused(store: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(done("-C", store, "check", "-o", "json").out)["unused"]
    return found


def ended_early(store: Path, run: Callable[[StoreDirectory], None]) -> Path:
    """A copy on which the last operation of the disk failed that leaves blobs without a release."""

    def on_disk(path: Path, disk: Disk) -> None:
        run(on(path, disk))

    counted = shutil.copytree(store, store.with_name("counted"))
    total = operations(lambda disk: on_disk(counted, disk))
    releases = len(open_directory(store).history.releases())
    for nth in range(total, 0, -1):
        tried = shutil.copytree(store, store.with_name(f"tried-{nth}"))
        with pytest.raises(StorageError):
            on_disk(tried, FaultyDisk(nth))
        if len(open_directory(tried).history.releases()) == releases:
            return tried
    raise AssertionError


def test_a_release_that_was_not_made(tiny: Tiny, helm4: Path) -> None:
    contents = gather(tiny.product, Helm(helm4), RegistryOptions())
    signing = Signing(PrivateKey.load(tiny.store / "keys" / "release"), ("A", "a@example.com"), 1)

    def create(store: StoreDirectory) -> None:
        create_release(store, contents, "1.0.0", RegistryOptions(), signing, QUIET)

    left = ended_early(tiny.store, create)
    found = unused(left)
    assert found["blobs"] > 3
    assert found["bytes"] > 100
    assert f"note: {found['blobs']} blobs belong to no release" in done("-C", left, "check").err
    again = done("-C", left, "release", "create", "--version", "1.0.0", "-o", "json").json()
    assert (again["new_blobs"], again["blobs"]) == (0, found["blobs"])
    assert unused(left) == NOTHING
    assert "belong" not in done("-C", left, "check").err
    assert leftovers(left) == []


def test_media_that_were_not_imported(road: Road, site: Path) -> None:
    left = ended_early(site, lambda store: take_in(store.path, road.delta, store.disk))
    found = unused(left)
    assert found["blobs"] > 0
    assert "the same `media import` uses them" in done("-C", left, "check").err
    done("-C", left, "media", "import", road.delta)
    assert unused(left) == NOTHING


def test_a_refused_release_leaves_nothing(tiny: Tiny) -> None:
    assert tiny.create().code == 0
    (tiny.base / "app" / "values.yaml").write_text("more: 1\n")
    with unchanged(tiny.store):
        assert tiny.create().code == 31
    assert unused(tiny.store) == NOTHING
