"""Layers that travel as the registry has them: a site copies those, and compresses all others again.

What a site has too little of is no smaller on media by much, and rebuilding it costs what the encoder costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, Self

from airstore.core.image.digest import Digest
from airstore.media.delta.making.pairing import general
from airstore.media.delta.writer import Task
from airstore.store.blobs import BlobStore, ObjectKey, ObjectReader, Outline, outline


def divided(store: BlobStore, task: Task) -> Task:
    """The same task with the layers set apart that are copied.

    Args:
        store: has all blobs.
        task: none of whose blobs is copied yet.

    Raises:
        NotFoundError, DamagedError: the store lacks a blob, or cannot read it.
    """
    reader = store.reader()
    opened = [digest for digest in task.new if reader.root(digest, opened=True)[1].opened]
    copied = set(opened) - _known(reader, opened, task.base)
    sizes = {digest: reader.recipe(digest).size for digest in opened if digest in copied}
    return replace(task, new=[digest for digest in task.new if digest not in sizes], copied=sizes)


def _known(reader: ObjectReader, new: Sequence[Digest], base: Sequence[Digest]) -> set[Digest]:
    """The new blobs of which enough is in the base; without one nothing has to be read for that."""
    if not new or not base:
        return set()
    known = Known.of(outline(reader, digest, named=True) for digest in base)
    found = (outline(reader, digest, named=True) for digest in new)
    return {each.blob for each in found if known.has_half(each)}


class Known(NamedTuple):
    """What sites hold.

    Attributes:
        pieces: by the objects that they consist of.
        paths: of files, without versions and hashes.
    """

    pieces: set[tuple[ObjectKey, ...]]
    paths: set[str]

    @classmethod
    def of(cls, blobs: Iterable[Outline]) -> Self:
        """What these blobs hold."""
        known = cls(set(), set())
        for blob in blobs:
            known.pieces.update(piece.keys for piece in blob)
            known.paths.update(general(body.name) for body in blob.bodies or () if body.name)
        return known

    def has_half(self, new: Outline) -> bool:
        """Whether half of a layer's bytes are here, or are of files of which an older one is."""
        known = sum(piece.size for piece in new if piece.keys in self.pieces or self._has_path(piece.name))
        return 2 * known >= sum(piece.size for piece in new)

    def _has_path(self, path: str) -> bool:
        return bool(path) and general(path) in self.paths
