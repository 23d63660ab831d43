"""Blobs written down as the registry has them, while they are rebuilt from what media brought."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from airstore.core.durable import Disk
from airstore.core.image.digest import Digest
from airstore.store.format.objects import PIECE, ObjectKey, ObjectKind, key_of
from airstore.store.format.packwriter import PACK_SIZE, pack_writer
from airstore.store.format.recipe import RecipeBuilder, encode_root
from airstore.store.ingest.feed import Feed
from airstore.store.ingest.sink import WORKERS, FrameSink


class WholeBlobs:
    """Packs of whole blobs, written from one or more threads.

    Args:
        directory: where they wait, on the store's file system.
        disk: makes them durable.
    """

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self._lock = threading.Lock()
        try:
            pool = self._stack.enter_context(ThreadPoolExecutor(WORKERS))
            self._packs = self._stack.enter_context(pack_writer(directory, disk, PACK_SIZE))
            self._sink = FrameSink(pool, self._packs, ahead=1)  # rebuilding is slower, and needs the memory
            self._stack.callback(self._sink.cancel)
        except BaseException:
            self._stack.close()
            raise

    def copied(self, blob: Digest, size: int, chunks: Iterable[bytes]) -> Iterator[int]:
        """Write one blob and count its bytes, piece by piece; it is in the packs once the iterator has ended.

        Whatever verifies the chunks does so before: nothing of a blob that fails has a recipe.
        """
        feed, builder = Feed(chunks), RecipeBuilder()
        parts: list[ObjectKey] = []
        while piece := feed.take(PIECE):
            key = key_of(ObjectKind.RAW, piece)
            self._add(key, piece)
            if part := builder.add([key]):
                parts.append(self._part(part))
            yield len(piece)
        rest = builder.rest()
        if parts and rest:
            parts.append(self._part(rest))
        root = encode_root(blob, size, rest, parts)
        self._add(key_of(ObjectKind.RECIPE, root), root)

    def finish(self) -> list[Path]:
        """The packs, complete and named as packs are."""
        self._sink.finish()
        self._packs.publish(self._directory)
        return [self._directory / pack.file_name for pack in self._packs.sealed]

    def close(self) -> None:
        """Remove what was not taken."""
        self._stack.close()

    def _part(self, steps: bytes) -> ObjectKey:
        key = key_of(ObjectKind.PART, steps)
        self._add(key, steps)
        return key

    def _add(self, key: ObjectKey, data: bytes) -> None:
        with self._lock:
            self._sink.add(key, data)
