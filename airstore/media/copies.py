"""Layers that travel as the registry or the store has them: a site copies those, and makes all others again.

What a site has too little of is no smaller on media by much, and rebuilding it costs what the encoder costs;
of a layer without gzip, what splitting and compressing it costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Self

from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.core.progress import Progress
from airstore.media.delta.making.pairing import general
from airstore.media.delta.writer import Task
from airstore.store.blobs import (
    BlobStore,
    ObjectKey,
    ObjectReader,
    Outline,
    PackFile,
    outline,
    select,
    write_packs,
    write_whole,
)

_LEAST = 1 * MIB  # bytes of a blob without gzip; smaller ones are documents, and none is slow


def divided(store: BlobStore, task: Task) -> Task:
    """The same task with the layers set apart that are copied.

    Args:
        store: has all blobs.
        task: none of whose blobs is copied yet.

    Raises:
        NotFoundError, DamagedError: the store lacks a blob, or cannot read it.
    """
    reader = store.reader()
    recipes = {digest: reader.root(digest, opened=True)[1] for digest in task.new}
    large = [digest for digest, recipe in recipes.items() if recipe.opened or recipe.size >= _LEAST]
    copied = set(large) - _known(reader, large, task.base)
    sizes = {digest: recipes[digest].size for digest in large if digest in copied}
    return replace(task, new=[digest for digest in task.new if digest not in sizes], copied=sizes)


def write_copies(
    store: BlobStore, blobs: Mapping[Digest, int], directory: Path, progress: Progress
) -> list[PackFile]:
    """Write packs of what `divided` set apart.

    A gzip layer that is held opened is rebuilt; of anything else the store's own frames are copied. They
    bring all that a layer consists of: a site may hold a file of it within a layer that is whole there.

    Args:
        store: has the blobs.
        blobs: which, and their bytes.
        directory: where the packs go.
        progress: shows them.

    Raises:
        NotFoundError, DamagedError: the store lacks a blob, or cannot read it.
        StorageError: the disk is full or failed.
    """
    reader = store.reader()
    opened = [digest for digest in blobs if reader.root(digest, opened=True)[1].opened]
    packs: list[PackFile] = []
    if opened:
        with progress.task("rebuilding layers", sum(blobs[digest] for digest in opened)) as advance:
            packs += write_whole(store, opened, directory, advance)
    if rest := set(blobs) - set(opened):
        selection = select(store, rest)
        with progress.task("copying layers", selection.plain_bytes) as advance:
            packs += write_packs(store, selection, directory, advance)
    return packs


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
