"""Rebuilding damaged and lost files of media from parity."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from airstore.core.durable import make_directory, storage_errors, sync_directory, write_file
from airstore.core.errors import DamagedError, IncompleteError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.progress import Progress
from airstore.media.index import INDEX_COPY, INDEX_NAME, MediaIndex
from airstore.media.parity.body import Body
from airstore.media.parity.damage import ShardDamage, Shards, survey
from airstore.media.parity.erasure import Code
from airstore.media.parity.shape import Parity, ShardTable
from airstore.media.reader import Media, holds
from airstore.media.volumes.slices import Slice

_DRAFT = ".repairing"


@frozen
class RebuiltShards:
    """What was rebuilt: files written, and bytes of shards that were damaged or lost."""

    files: tuple[Path, ...]
    lost_bytes: int


def repair(media: Media, index: MediaIndex, into: Path | None, progress: Progress) -> RebuiltShards:
    """Rebuild every file that is damaged or not at hand; those that are intact are not written.

    Args:
        media: with the directories that are at hand.
        index: the verified one: what is rebuilt is compared with its digests.
        into: where rebuilt files go, for carriers that are read-only or full; None: where they belong,
            and in the first directory what was on a volume that is not at hand.
        progress: shows what is read.

    Raises:
        IncompleteError: the media carry no parity, or zfec is not installed.
        DamagedError: more is lost than parity can rebuild; nothing was changed.
        StorageError: the carrier is full or cannot be written.
    """
    if index.parity is None:
        raise IncompleteError(
            "these media carry no parity, nothing can be rebuilt from them",
            hint="copy the media again; the publisher makes some with parity: media create --parity 10%",
        )
    places = _Places(media, index, into)
    shards = Shards(index, index.parity, places.read_at)
    damage = survey(shards, _table(index, index.parity, places, shards), progress)
    damage.check(shards.shape)
    drafts = _Drafts(shards, places)
    try:
        with progress.task("rebuilding", sum(piece.size for piece in damage.slices)) as advance:
            for piece in damage.slices:
                drafts.begin(piece)
                advance(piece.size)
            _rebuild(shards, damage, drafts)
        written = drafts.publish()
    finally:
        drafts.discard()
    files = (*written, *_write_table(index.parity, index, shards, places), *places.write_indexes())
    return RebuiltShards(files, (len(damage.data) + len(damage.recovery)) * shards.shape.shard)


class _Places:
    """Where slices are, and where rebuilt ones go."""

    def __init__(self, media: Media, index: MediaIndex, into: Path | None) -> None:
        self._media, self._index, self._into = media, index, into

    def read_at(self, piece: Slice) -> Path:
        """Where a slice is read: one that was rebuilt before, first."""
        name = self._index.lies_at(piece)
        rebuilt = self._into / name if self._into else None
        return rebuilt if rebuilt and rebuilt.is_file() else self._media.place(name)

    def write_at(self, piece: Slice) -> Path:
        """Where a rebuilt slice goes."""
        name = self._index.lies_at(piece)
        return self._into / name if self._into else self._media.place(name)

    def write_indexes(self) -> Iterator[Path]:
        """Give every directory the index and its copy, so that each is found as a part of these media."""
        for directory in [self._into] if self._into else self._media.directories:
            for place in (directory / INDEX_NAME, directory / INDEX_COPY):
                if not _has(place, self._media.envelope):
                    write_file(place, self._media.envelope)
                    yield place


class _Drafts:
    """Files that are being rebuilt, under temporary names beside their own."""

    def __init__(self, shards: Shards, places: _Places) -> None:
        self._shards, self._places = shards, places
        self._drafts: dict[Slice, Path] = {}

    def begin(self, piece: Slice) -> None:
        """Make a draft with whatever of the slice can be read."""
        final = self._places.write_at(piece)
        draft = self._drafts[piece] = final.with_name(final.name + _DRAFT)
        with storage_errors(draft):
            make_directory(draft.parent)
            with draft.open("wb") as out:
                out.truncate(piece.size)
        size = self._shards.shape.shard
        for body, _ in self._shards.bodies():
            for part in body.parts:
                if part.piece == piece:
                    for number in range(part.start // size, -(-(part.start + piece.size) // size)):
                        self.write(body, number, self._shards.read(body, number))

    def write(self, body: Body, number: int, shard: bytes) -> None:
        """Write a shard into the drafts that it is a part of."""
        start = number * self._shards.shape.shard
        for part in body.within(start, len(shard)):
            draft = self._drafts.get(part.piece)
            if draft is None:
                continue
            first, last = part.overlap(start, len(shard))
            with storage_errors(draft), draft.open("r+b") as out:
                out.seek(first - part.start)
                out.write(shard[first - start : last - start])

    def publish(self) -> list[Path]:
        """Compare all drafts with the index, then give them their names.

        Raises:
            DamagedError: one is not what the index says; no file was changed.
        """
        for piece, draft in self._drafts.items():
            if Digest.of_file(draft) != piece.digest:
                raise DamagedError(
                    f"{piece.path} cannot be rebuilt from what is at hand", hint="copy the media again"
                )
        published = [_publish(draft) for draft in self._drafts.values()]
        self._drafts.clear()
        return published

    def discard(self) -> None:
        """Remove drafts that came to nothing."""
        for draft in self._drafts.values():
            with suppress(OSError):
                draft.unlink()


def _rebuild(shards: Shards, damage: ShardDamage, drafts: _Drafts) -> None:
    shape = shards.shape
    code = Code(shape.data, shape.recovery)
    for group in sorted({number % shape.groups for number in damage.data | damage.recovery}):
        members, recoveries = shape.members(group), shape.recoveries(group)
        known = {i: shards.read(shards.files, n) for i, n in enumerate(members) if n not in damage.data}
        known |= {i: bytes(shape.shard) for i in range(len(members), shape.data)}
        known |= {
            shape.data + i: shards.read(shards.recovery, n)
            for i, n in enumerate(recoveries)
            if n not in damage.recovery
        }
        data = code.decode(known)
        for i in (i for i, n in enumerate(members) if n in damage.data):
            drafts.write(shards.files, members[i], data[i])
        again = code.encode(data) if damage.recovery.intersection(recoveries) else []
        for i in (i for i, n in enumerate(recoveries) if n in damage.recovery):
            drafts.write(shards.recovery, recoveries[i], again[i])


def _publish(draft: Path) -> Path:
    final = draft.with_name(draft.name.removesuffix(_DRAFT))
    with storage_errors(final):
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.chmod(0o444)
        draft.replace(final)
        sync_directory(final.parent)
    return final


def _has(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _table(index: MediaIndex, parity: Parity, places: _Places, shards: Shards) -> ShardTable:
    (piece,) = index.slices(parity.table)
    try:
        return ShardTable(places.read_at(piece).read_bytes()[: shards.shape.table_size], shards.shape)
    except OSError:
        return ShardTable(b"", shards.shape)


def _write_table(parity: Parity, index: MediaIndex, shards: Shards, places: _Places) -> Iterator[Path]:
    (piece,) = index.slices(parity.table)
    if not holds(places.read_at(piece), piece):
        target = places.write_at(piece)
        write_file(target, b"".join(shards.digests()))
        yield target
