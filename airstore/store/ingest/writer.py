"""Putting blobs into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from airstore.codec import KeptWholeError
from airstore.codec.opening import MAGIC, Opening
from airstore.core.errors import NotFoundError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest, verified
from airstore.core.work import at_work
from airstore.store.format.frames import LEVEL, QUICK
from airstore.store.format.objects import PIECE, ObjectKey, ObjectKind, key_of
from airstore.store.format.packwriter import PackWriter
from airstore.store.format.recipe import Opened, RecipeBuilder, Step, encode_root
from airstore.store.ingest.feed import Feed
from airstore.store.ingest.sink import FrameSink, in_order
from airstore.store.ingest.split import BlobSegment, split
from airstore.store.ingest.spool import Spool
from airstore.store.read.presence import Presence
from airstore.store.read.reader import ObjectReader
from airstore.store.read.sqlite import KeySet


class _Found(NamedTuple):
    """A segment's steps, its objects in order, and those that the store has in good condition."""

    steps: Sequence[Step]
    objects: dict[ObjectKey, bytes]
    good: set[ObjectKey]


class BlobEncoding(NamedTuple):
    """How a blob is compressed.

    Attributes:
        plain_size: of what it holds.
        encoder: the encoder whose model was used, for people.
        side: the side data.
    """

    plain_size: int
    encoder: str
    side: Iterable[bytes]


class BlobWriter:
    """Splits blobs and stores the objects that are new; `BlobStore.writer` says when they become visible.

    Args:
        reader: of what the store has.
        pool: where objects are hashed, looked up and compressed.
        packs: takes the frames.
        temporary: a directory for what is needed only until the end of a blob.
        opening: have `put` open gzip blobs; otherwise somebody waits: they stay as they come until `open` is
            asked, and the rest is compressed quickly.

    Attributes:
        kept_whole: gzip blobs that could not be opened, and why.
    """

    def __init__(
        self,
        reader: ObjectReader,
        pool: Executor,
        packs: PackWriter,
        temporary: Path,
        *,
        opening: bool = True,
    ) -> None:
        self._reader = reader
        self._presence = Presence(reader)
        self._pool = pool
        self._packs = packs
        self._temporary = temporary
        self._opening = opening
        self.kept_whole: dict[Digest, str] = {}
        self._sink = FrameSink(pool, packs, level=LEVEL if opening else QUICK)
        self._objects = KeySet()  # kind and digest: written by this writer, or read and found good
        self._blobs = KeySet()

    @property
    def new_bytes(self) -> int:
        """Compressed bytes added so far; a few frames under way are not counted yet."""
        return self._packs.written

    def put(self, expected: Descriptor, source: Callable[[], Iterable[bytes]]) -> bool:
        """Store a blob, unless it is present and every byte of it reads back; see `Presence`.

        A damaged blob is written anew. When this fails there is no recipe of the blob; objects that came
        before the fault are good by their own digests and save work when it is put again.

        Args:
            expected: what the stream must be; its digest and size are checked.
            source: opens the stream; called only if the blob is needed.

        Returns:
            Whether the blob was written.

        Raises:
            DamagedError: the stream is not the expected blob.
            StorageError: the disk is full or failed.
        """
        if expected.digest.raw in self._blobs or self._present(expected):
            self._blobs.add(expected.digest.raw)
            return False
        with at_work("store blob %s, %d bytes", expected.digest, expected.size):
            self._take(expected, verified(source(), expected.digest, expected.size))
            self._sink.end_blob()
        self._blobs.add(expected.digest.raw)
        return True

    def open(self, held: Descriptor) -> bool:
        """Open a gzip blob that the store holds whole; the recipe that has it whole stays.

        Returns:
            Whether it was opened; if not, `kept_whole` says why.

        Raises:
            NotFoundError, DamagedError: the store cannot read it.
            StorageError: the disk is full or failed.
        """
        _, recipe = self._reader.root(held.digest)
        head = b"".join(self._reader.blob(held.digest, 0, len(MAGIC)))
        if recipe.opened or head != MAGIC:
            return False
        try:
            self._open(held, self._reader.blob(held.digest))
        except KeptWholeError as why:
            self.kept_whole[held.digest] = str(why)
            return False
        self._sink.end_blob()
        return True

    def restore(self, blob: Descriptor, content: Iterable[bytes], compressed: BlobEncoding | None) -> None:
        """Store a blob from what it is made of; whoever makes it visible rebuilds and verifies it before.

        Args:
            blob: its digest and size.
            content: its bytes, or its plain bytes if it is compressed.
            compressed: how it is; None for a blob that is kept as it is.

        Raises:
            StorageError: the disk is full or failed.
        """
        steps, parts = self._write(content)
        opened = None
        if compressed:
            side = Feed(compressed.side)
            pieces = iter(lambda: side.take(PIECE), b"")
            keys = tuple(self._add_object(ObjectKind.RAW, piece) for piece in pieces)
            opened = Opened(compressed.plain_size, compressed.encoder, keys)
        self._add_root(encode_root(blob.digest, blob.size, steps, parts, opened))
        self._sink.end_blob()

    def finish(self) -> None:
        """Hand everything over to the packs."""
        self._sink.finish()

    def close(self) -> None:
        """Stop; what is not finished is dropped."""
        self._sink.cancel()
        self._objects.close()
        self._blobs.close()

    def _present(self, expected: Descriptor) -> bool:
        try:
            return self._presence.size(expected.digest) == expected.size
        except NotFoundError:
            return False

    def _take(self, expected: Descriptor, chunks: Iterator[bytes]) -> None:
        head = next(chunks, b"")
        chunks = chain((head,), chunks)
        if not self._opening or not head.startswith(MAGIC):
            self._whole(expected, chunks)
            return
        with Spool(self._temporary) as raw:
            try:
                self._open(expected, raw.filled_by(chunks))
            except KeptWholeError as why:
                self.kept_whole[expected.digest] = str(why)
                self._whole(expected, chain(raw.read(), chunks))

    def _whole(self, expected: Descriptor, chunks: Iterable[bytes]) -> None:
        steps, parts = self._write(chunks)
        self._add_root(encode_root(expected.digest, expected.size, steps, parts))

    def _open(self, expected: Descriptor, chunks: Iterable[bytes]) -> None:
        """Record a gzip blob; recording proves that it can be rebuilt before it ends.

        Raises:
            KeptWholeError: it cannot, and there is no recipe of it.
        """
        with Spool(self._temporary) as side:
            opening = Opening(chunks, side)
            with closing(opening.plain()) as plain:
                steps, parts = self._write(plain)
            pieces = tuple(self._add_object(ObjectKind.RAW, piece) for piece in side.read(PIECE))
        opened = Opened(opening.recorded.plain_size, opening.recorded.encoder, pieces)
        self._add_root(encode_root(expected.digest, expected.size, steps, parts, opened))

    def _add_root(self, root: bytes) -> None:
        """Never left out as known: an older recipe of this blob, if there is one, has just failed."""
        self._sink.add(key_of(ObjectKind.RECIPE, root), root)

    def _write(self, chunks: Iterable[bytes]) -> tuple[bytes, list[ObjectKey]]:
        builder = RecipeBuilder()
        parts: list[ObjectKey] = []
        with closing(in_order(self._pool, self._look_up, split(chunks))) as segments:
            for found in segments:
                self._add(found)
                if part := builder.add(found.steps):
                    parts.append(self._add_object(ObjectKind.PART, part))
        rest = builder.rest()
        if parts and rest:
            parts.append(self._add_object(ObjectKind.PART, rest))
        return rest, parts

    def _add_object(self, kind: ObjectKind, data: bytes) -> ObjectKey:
        key = key_of(kind, data)
        self._add(_Found((), {key: data}, self._presence.good([key])))
        return key

    def _add(self, found: _Found) -> None:
        """Store the objects of a segment that neither this writer nor the store has in good condition."""
        names = {key: bytes([key.kind]) + key.digest for key in found.objects}
        new = self._objects.add_all(list(names.values()))
        for key, data in found.objects.items():
            if names[key] in new and key not in found.good:
                self._sink.add(key, data)

    def _look_up(self, segment: BlobSegment) -> _Found:
        """Hash a segment's objects and look for them in the store; runs in worker threads."""
        steps: list[Step] = []
        objects: dict[ObjectKey, bytes] = {}
        if segment.skeleton:
            key = key_of(ObjectKind.SKELETON, segment.skeleton)
            objects[key] = segment.skeleton
            steps.append(key)
        for step in segment.steps:
            if isinstance(step, bytes):
                key = key_of(segment.kind, step)
                objects[key] = step
                steps.append(key)
            else:
                steps.append(step)
        return _Found(steps, objects, self._presence.good(list(objects)))
