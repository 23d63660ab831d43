"""Putting blobs into a store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

from airstore.core.descriptor import Descriptor
from airstore.core.digest import verified
from airstore.core.errors import DamagedError, NotFoundError
from airstore.store.format.objects import Kind, ObjectKey
from airstore.store.format.packwriter import PackWriter
from airstore.store.format.recipe import RecipeBuilder, Step, encode_root
from airstore.store.ingest.sink import FrameSink, in_order
from airstore.store.ingest.split import Segment, split
from airstore.store.read.reader import ObjectReader
from airstore.store.read.sqlite import KeySet


class _Found(NamedTuple):
    """A segment's steps, its objects in order, and those that the store has in good condition."""

    steps: Sequence[Step]
    objects: dict[ObjectKey, bytes]
    good: set[ObjectKey]


class BlobWriter:
    """Splits blobs and stores the objects that are new; `BlobStore.writer` says when they become visible."""

    def __init__(self, reader: ObjectReader, pool: Executor, packs: PackWriter) -> None:
        self._reader = reader
        self._pool = pool
        self._packs = packs
        self._sink = FrameSink(pool, packs)
        self._objects = KeySet()  # kind and digest: written by this writer, or read and found good
        self._blobs = KeySet()

    @property
    def new_bytes(self) -> int:
        """Compressed bytes added so far; a few frames under way are not counted yet."""
        return self._packs.written

    def put(self, expected: Descriptor, source: Callable[[], Iterable[bytes]]) -> bool:
        """Store a blob, unless it is present and every byte of it reads back.

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
        steps, parts = self._write(verified(source(), expected.digest, expected.size))
        root = encode_root(expected.digest, expected.size, steps, parts)
        # Never left out as known: an older recipe of this blob, if there is one, has just failed.
        self._sink.add(_key(Kind.RECIPE, root), root)
        self._sink.end_blob()
        self._blobs.add(expected.digest.raw)
        return True

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
            size = sum(map(len, self._reader.blob(expected.digest)))
        except (NotFoundError, DamagedError):
            return False  # not there, or not any more: either way it is written
        return size == expected.size

    def _write(self, chunks: Iterable[bytes]) -> tuple[bytes, list[ObjectKey]]:
        builder = RecipeBuilder()
        parts: list[ObjectKey] = []
        for found in in_order(self._pool, self._look_up, split(chunks)):
            self._add(found)
            if part := builder.add(found.steps):
                parts.append(self._add_part(part))
        rest = builder.rest()
        if parts and rest:
            parts.append(self._add_part(rest))
        return rest, parts

    def _add_part(self, part: bytes) -> ObjectKey:
        key = _key(Kind.PART, part)
        self._add(_Found((), {key: part}, self._reader.good([key])))
        return key

    def _add(self, found: _Found) -> None:
        """Store the objects of a segment that neither this writer nor the store has in good condition."""
        names = {key: bytes([key.kind]) + key.digest for key in found.objects}
        new = self._objects.add_all(list(names.values()))
        for key, data in found.objects.items():
            if names[key] in new and key not in found.good:
                self._sink.add(key, data)

    def _look_up(self, segment: Segment) -> _Found:
        """Hash a segment's objects and look for them in the store; runs in worker threads."""
        steps: list[Step] = []
        objects: dict[ObjectKey, bytes] = {}
        if segment.skeleton:
            key = _key(Kind.SKELETON, segment.skeleton)
            objects[key] = segment.skeleton
            steps.append(key)
        for step in segment.steps:
            if isinstance(step, bytes):
                key = _key(segment.kind, step)
                objects[key] = step
                steps.append(key)
            else:
                steps.append(step)
        return _Found(steps, objects, self._reader.good(list(objects)))


def _key(kind: Kind, data: bytes) -> ObjectKey:
    return ObjectKey(kind, hashlib.sha256(data).digest(), len(data))
