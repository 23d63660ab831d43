"""Blobs written down as the registry has them: rebuilt from what media brought, or to be carried by them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path

from airstore.codec.opening import takes_every_core
from airstore.core.durable import Disk
from airstore.core.image.digest import Digest
from airstore.core.progress import Advance
from airstore.core.work import at_work
from airstore.store.directory import BlobStore
from airstore.store.exchange.export import PackFile
from airstore.store.format.objects import PIECE, ObjectKey, ObjectKind, key_of
from airstore.store.format.packwriter import PACK_SIZE, pack_writer
from airstore.store.format.recipe import RecipeBuilder, encode_root
from airstore.store.ingest.feed import Feed
from airstore.store.ingest.sink import WORKERS, FrameSink, in_order
from airstore.store.ingest.spool import Spool
from airstore.store.read.catalog import name_of

_AHEAD = 1  # blobs on disk besides the one that is written


def write_whole(
    store: BlobStore, blobs: Iterable[Digest], directory: Path, advance: Advance
) -> list[PackFile]:
    """Write packs of blobs as the registry has them, in whatever form the store holds them.

    Two are rebuilt at once, and written one after the other: the same blobs give the same bytes.

    Args:
        store: has the blobs.
        blobs: which, in their order.
        directory: where the packs go.
        advance: called with every count of the blobs' bytes.

    Raises:
        NotFoundError, DamagedError: the store lacks a blob, or cannot read it.
        StorageError: the disk is full or failed.
    """
    whole = WholeBlobs(directory, store.disk)
    with ExitStack() as stack:
        stack.callback(whole.close)
        rebuild = _rebuilder(store, directory, stack)
        with (
            ThreadPoolExecutor(WORKERS, thread_name_prefix="airstore-store") as pool,
            closing(in_order(pool, rebuild, blobs, ahead=_AHEAD)) as rebuilt,
        ):
            for digest, size, spool in rebuilt:
                with spool:
                    for count in whole.copied(digest, size, spool.read()):
                        advance(count)
        return [PackFile(Digest.from_raw(name_of(path)), path.stat().st_size) for path in whole.finish()]


def _rebuilder(
    store: BlobStore, directory: Path, stack: ExitStack
) -> Callable[[Digest], tuple[Digest, int, Spool]]:
    """What puts one verified blob on disk for a while; of those that take every core one at a time."""
    reader, one = store.reader(), threading.Lock()

    def rebuild(digest: Digest) -> tuple[Digest, int, Spool]:
        recipe = reader.recipe(digest)
        alone = recipe.opened is not None and takes_every_core(recipe.opened.encoder)
        spool = stack.enter_context(Spool(directory))
        with at_work("rebuild blob %s", digest), one if alone else nullcontext():
            for chunk in reader.blob(digest):
                spool.write(chunk)
        return digest, recipe.size, spool

    return rebuild


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
