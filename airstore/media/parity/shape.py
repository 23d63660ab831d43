"""How the bytes of media are cut into shards, and which shards make up a group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import KIB

GROUP = 256  # shards of a group, recovery included: elements of the field that zfec computes in
SMALLEST, LARGEST = 4 * KIB, 256 * KIB  # bytes of a shard
_WANTED = 1024  # shards, if their size allows: small media lose little to one damaged byte


@frozen
class Parity:
    """What is carried beside the files to rebuild damaged shards.

    Attributes:
        shard: bytes of a shard; the last one is filled up with zeros.
        data: shards of a group that hold files.
        recovery: shards of a group that are computed; as many damaged ones can be rebuilt.
        table: the file with the digests of all shards.
        shards: the file with the recovery shards.
    """

    shard: int
    data: int
    recovery: int
    table: str
    shards: str

    @property
    def paths(self) -> frozenset[str]:
        """The files of the parity itself."""
        return frozenset({self.table, self.shards})

    def shape(self, sizes: Mapping[str, int]) -> Shape:
        """The shape for files of these sizes, those of the parity left out."""
        size = sum(size for path, size in sizes.items() if path not in self.paths)
        return Shape(self.shard, self.data, self.recovery, size)

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "shard": self.shard,
            "data": self.data,
            "recovery": self.recovery,
            "table": self.table,
            "shards": self.shards,
        }

    @classmethod
    def parse(cls, entry: Mapping[str, Any], sizes: Mapping[str, int], what: str) -> Parity:
        """From a JSON object that passed its schema.

        Raises:
            DamagedError: the files are not of the sizes that follow from the shape.
        """
        found = cls(entry["shard"], entry["data"], entry["recovery"], entry["table"], entry["shards"])
        shape = found.shape(sizes)
        expected = {found.table: shape.table_size, found.shards: shape.recovery_size}
        if found.data + found.recovery > GROUP or expected != {p: sizes.get(p, -1) for p in expected}:
            raise DamagedError(f"{what} describes parity that does not fit its files")
        return found


@frozen
class Shape:
    """Numbers of shards: data shard *i* is in group *i* mod *groups*, so damage in one place is shared."""

    shard: int
    data: int
    recovery: int
    size: int

    @classmethod
    def of(cls, size: int, percent: float) -> Shape:
        """The shape for that many bytes of files, of which that share may be lost.

        Raises:
            UsageError: the share is nothing or more than everything.
        """
        if not 0 < percent <= 100:
            raise UsageError(
                f"parity of {percent:g} % cannot be made", hint="write 10% or anything up to 100%"
            )
        shard = SMALLEST
        while shard < LARGEST and shard * _WANTED < size:
            shard *= 2
        count = -(-size // shard)
        data = min(count, int(GROUP / (1 + percent / 100)))
        recovery = min(GROUP - data, max(1, -int(-data * percent // 100)))
        return cls(shard, data, recovery, size)

    @property
    def count(self) -> int:
        """Data shards in all."""
        return -(-self.size // self.shard)

    @property
    def groups(self) -> int:
        """Groups in all."""
        return -(-self.count // self.data)

    @property
    def recovery_count(self) -> int:
        """Recovery shards in all; number *j* of group *g* is number *j* times groups, plus *g*."""
        return self.groups * self.recovery

    @property
    def recovery_size(self) -> int:
        """Bytes of all recovery shards."""
        return self.recovery_count * self.shard

    @property
    def table_size(self) -> int:
        """Bytes of the digests of all shards."""
        return (self.count + self.recovery_count) * 32

    def members(self, group: int) -> list[int]:
        """The data shards of a group, in order; the last groups may have one less than ``data``."""
        return list(range(group, self.count, self.groups))

    def filled(self, shards: list[bytes]) -> list[bytes]:
        """The data shards of a group, with zeros for those that a last group has not."""
        return shards + [bytes(self.shard)] * (self.data - len(shards))

    def recoveries(self, group: int) -> list[int]:
        """The recovery shards of a group, in order."""
        return list(range(group, self.recovery_count, self.groups))


class ShardTable:
    """The digests of data shards, then of recovery shards, 32 bytes each."""

    def __init__(self, data: bytes, shape: Shape) -> None:
        self._data, self._shape = data.ljust(shape.table_size, b"\0"), shape

    def data(self, number: int) -> bytes:
        """Of a data shard."""
        return self._data[number * 32 : number * 32 + 32]

    def recovery(self, number: int) -> bytes:
        """Of a recovery shard."""
        return self.data(self._shape.count + number)


def table_path(digest: Digest) -> str:
    """Where a table with this SHA-256 is on media."""
    return f"parity/{digest.hex}.table"


def shards_path(digest: Digest) -> str:
    """Where recovery shards with this SHA-256 are on media."""
    return f"parity/{digest.hex}.shards"


def named(digest: Digest) -> Iterator[str]:
    """The names that a file of parity with this SHA-256 may have."""
    yield table_path(digest)
    yield shards_path(digest)
