"""What a site holds in memory while a delta is read: a piece that is carried whole is not in it."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from airstore.core.limits import MIB
from airstore.media.delta.reader import Delta
from airstore.store.blobs import BlobStore, Staging
from tests.media.delta.test_delta_blobs import Pair, layer
from tests.media.delta.test_shared_delta import noise

pytestmark = pytest.mark.slow


def test_a_large_file_passes_in_parts(tmp_path: Path) -> None:
    tar = gzip.decompress(layer({"srv/large": noise(5, 31 * MIB)}, level=0))
    with BlobStore.create(tmp_path / "publisher") as publisher, BlobStore.create(tmp_path / "site") as site:
        path = Pair(publisher, site, tmp_path).write([tar], [])
        with Staging(site, []) as staging:
            delta = Delta(path, staging.reader)
            tracemalloc.start()
            with staging.writer() as writer:
                delta.restore(writer, delta.blobs, tmp_path, lambda _count: None)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            staging.verify(delta.blobs, lambda _count: None)
    assert peak < len(tar)  # some 20 MiB, of objects and frames under way
