"""Computing parity for media that were just written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from airstore.core.durable import make_directory, storage_errors, write_file
from airstore.core.image.digest import Digest
from airstore.core.progress import Progress
from airstore.media.index import MediaFile, MediaIndex
from airstore.media.parity.body import Body, files_of
from airstore.media.parity.erasure import Code
from airstore.media.parity.shape import Parity, Shape, shards_path, table_path


def add_parity(building: Path, index: MediaIndex, percent: float, progress: Progress) -> MediaIndex:
    """Write parity beside the files that the index lists; returns the index that lists it, too.

    Args:
        building: has the files.
        index: of media in one directory.
        percent: how much of the files may be lost.
        progress: shows what is read.

    Raises:
        UsageError: the share cannot be meant.
        IncompleteError: zfec is not installed.
        StorageError: the disk is full or failed.
    """
    shape = Shape.of(index.size, percent)
    writer = _Writer(files_of(index, lambda piece: building / piece.path), shape)
    drafts = building / "parity" / "shards", building / "parity" / "table"
    make_directory(drafts[0].parent)
    with (
        progress.task("computing parity", index.size) as advance,
        storage_errors(drafts[0]),
        drafts[0].open("wb") as out,
    ):
        for group in range(shape.groups):
            advance(writer.write(out.fileno(), group))
        os.fsync(out.fileno())
    write_file(drafts[1], bytes(writer.table))
    shards, shards_file = _named(drafts[0], shards_path)
    table, table_file = _named(drafts[1], table_path)
    parity = Parity(shape.shard, shape.data, shape.recovery, table, shards)
    return replace(index, files={**index.files, shards: shards_file, table: table_file}, parity=parity)


class _Writer:
    """Group by group: reads its data shards, writes its recovery shards to their places."""

    def __init__(self, body: Body, shape: Shape) -> None:
        self._body, self._shape = body, shape
        self._code = Code(shape.data, shape.recovery)
        self.table = bytearray(shape.table_size)

    def write(self, out: int, group: int) -> int:
        """Write the recovery shards of a group; gives the bytes of files that were read."""
        shape = self._shape
        members = shape.members(group)
        shards = [self._body.read(number * shape.shard, shape.shard) for number in members]
        for number, shard in zip(members, shards, strict=True):
            self._note(number, shard)
        for number, shard in zip(
            shape.recoveries(group), self._code.encode(shape.filled(shards)), strict=True
        ):
            os.pwrite(out, shard, number * shape.shard)
            self._note(shape.count + number, shard)
        return min(len(members) * shape.shard, shape.size)

    def _note(self, place: int, shard: bytes) -> None:
        self.table[place * 32 : place * 32 + 32] = hashlib.sha256(shard).digest()


def _named(draft: Path, name: Callable[[Digest], str]) -> tuple[str, MediaFile]:
    digest = Digest.of_file(draft)
    path = name(digest)
    with storage_errors(draft):
        final = draft.rename(draft.parent.parent / path)
        return path, MediaFile(final.stat().st_size, digest)
