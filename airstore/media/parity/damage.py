"""What of media is damaged or not at hand, shard by shard."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.progress import Advance, Progress
from airstore.media.index import MediaIndex
from airstore.media.parity.body import Body, files_of, shards_of
from airstore.media.parity.shape import Parity, Shape, ShardTable
from airstore.media.reader import holds
from airstore.media.volumes.slices import Slice


class Shards:
    """The shards of media, whatever of them can be read.

    Args:
        index: the verified one.
        parity: of that index.
        place: where a slice is, or would be.
    """

    def __init__(self, index: MediaIndex, parity: Parity, place: Callable[[Slice], Path]) -> None:
        self.shape = parity.shape({path: file.size for path, file in index.files.items()})
        self.files, self.recovery = files_of(index, place), shards_of(index, place)
        self.place = place

    def bodies(self) -> tuple[tuple[Body, int], tuple[Body, int]]:
        """Files and recovery shards, each with their number of shards."""
        return (self.files, self.shape.count), (self.recovery, self.shape.recovery_count)

    def read(self, body: Body, number: int) -> bytes:
        """One shard, zeros in it for what cannot be read."""
        return body.read(number * self.shape.shard, self.shape.shard)

    def digests(self) -> Iterator[bytes]:
        """Of all shards as they are, in the order of the table."""
        for body, count in self.bodies():
            for number in range(count):
                yield hashlib.sha256(self.read(body, number)).digest()


@frozen
class ShardDamage:
    """Damaged shards by number, and the slices that they are of."""

    data: frozenset[int]
    recovery: frozenset[int]
    slices: tuple[Slice, ...]

    def check(self, shape: Shape) -> None:
        """Whether there is parity enough.

        Raises:
            DamagedError: there is not.
        """
        for group in range(shape.groups):
            lost = len(self.data.intersection(shape.members(group)))
            spare = shape.recovery - len(self.recovery.intersection(shape.recoveries(group)))
            if lost > spare:
                share = 100 * len(self.data) / shape.count
                raise DamagedError(
                    f"{share:.1f} % of the media are damaged or not at hand, more than parity can rebuild",
                    hint="copy the media again, or name the other volumes, too",
                )


def survey(shards: Shards, table: ShardTable, progress: Progress) -> ShardDamage:
    """Read everything once and compare it with the table.

    A damaged table is of use, too: a shard that it calls damaged is not where its files are as listed.
    """
    with progress.task("looking for damage", shards.files.size + shards.recovery.size) as advance:
        data = set(_unlike(shards, shards.files, shards.shape.count, table.data, advance))
        recovery = set(_unlike(shards, shards.recovery, shards.shape.recovery_count, table.recovery, advance))
    slices = (*_damaged(shards, shards.files, data), *_damaged(shards, shards.recovery, recovery))
    return ShardDamage(
        frozenset(_of(shards, shards.files, data, slices)),
        frozenset(_of(shards, shards.recovery, recovery, slices)),
        slices,
    )


def _unlike(
    shards: Shards, body: Body, count: int, expected: Callable[[int], bytes], advance: Advance
) -> Iterator[int]:
    for number in range(count):
        shard = shards.read(body, number)
        advance(len(shard))
        if hashlib.sha256(shard).digest() != expected(number):
            yield number


def _damaged(shards: Shards, body: Body, bad: set[int]) -> list[Slice]:
    size = shards.shape.shard
    touched = {part.piece for number in bad for part in body.within(number * size, size)}
    return [
        part.piece
        for part in body.parts
        if (part.piece in touched or _size(shards.place(part.piece)) != part.piece.size)
        and not holds(shards.place(part.piece), part.piece)
    ]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _of(shards: Shards, body: Body, bad: set[int], slices: tuple[Slice, ...]) -> Iterator[int]:
    size = shards.shape.shard
    for number in bad:
        if any(part.piece in slices for part in body.within(number * size, size)):
            yield number
