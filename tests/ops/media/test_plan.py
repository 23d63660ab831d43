"""What a delta is about: what of a base the release keeps, and what only older releases of it have."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.ops.media.bases import Base, base_from_release
from airstore.ops.media.plan import plan_media
from airstore.ops.stores.directory import open_directory
from tests.support.product.road_parts import Road

pytestmark = pytest.mark.slow


def test_what_a_site_keeps_of_long_ago_is_told_from_its_last_release(road: Road, tmp_path: Path) -> None:
    store = open_directory(road.copied(tmp_path / "road").publisher)
    ancient = b"a layer of a release before"
    with store.open_blobs() as blobs:
        with blobs.writer() as writer:
            writer.put(Descriptor("", Digest.of(ancient), len(ancient)), lambda: [ancient])
        last = base_from_release(store, "1.0.0")
        held = Base(last.release, last.blobs | {Digest.of(ancient)}, "acme")
        task = plan_media(store, blobs, "1.1.0", held).task
    assert task.older == {Digest.of(ancient)}
    assert task.kept < last.blobs
    assert set(task.base) == held.blobs
