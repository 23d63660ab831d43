"""The head of a delta's file: where its streams are. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from airstore.core.errors import DamagedError
from airstore.core.limits import LIMITS, MIB
from airstore.media.delta.format.packing import Method

HEAD = 56  # bytes at the beginning of a file that hold the head of any version
VERSION = 2  # of deltas for sites that all hold what it rests on
SHARED_VERSION = 3  # of those for sites that hold different blobs
PACKED_VERSION = 2  # more than those: segments say by what they are compressed
_MAGIC = b"AIRDELT"
_STREAM = struct.Struct("<QQ")
_VERSIONS = {
    1: 3,
    2: 1,
    3: 1,
    4: 1,
    5: 1,
}  # pairs of sizes in the head: the first version had each stream in one frame
_TABLE = 512 * MIB  # plain bytes of a table


class Stream(IntEnum):
    """Bytes of one kind that are taken one after the other."""

    WHOLE = 0
    PATCHES = 1
    NOTES = 2
    CONTROLS = 3  # of archives


class StreamSegment(NamedTuple):
    """One compressed frame, the next part of a stream.

    Attributes:
        stored: its bytes in the file.
        plain: the bytes that it holds.
        method: compressed it.
    """

    stream: Stream
    stored: int
    plain: int
    method: Method = Method.ZSTD


class Head(NamedTuple):
    """What a file begins with.

    Attributes:
        version: of the format.
        size: bytes of the head; the table follows.
        table: bytes that the table takes in the file, and plain bytes of it.
        segments: that follow the table, if the table itself does not say so.
    """

    version: int
    size: int
    table: tuple[int, int]
    segments: tuple[StreamSegment, ...]

    @property
    def shared(self) -> bool:
        """Whether it is for sites that hold different blobs."""
        return self.version in {SHARED_VERSION, SHARED_VERSION + PACKED_VERSION}

    @property
    def packed(self) -> bool:
        """Whether segments say by what they are compressed."""
        return self.version >= VERSION + PACKED_VERSION


def write_head(stored: int, plain: int, version: int = VERSION) -> bytes:
    """The head before a table of so many bytes."""
    return _MAGIC + bytes([version]) + _STREAM.pack(stored, plain)


def read_head(head: bytes) -> Head:
    """The head of a file that begins with these up to `HEAD` bytes.

    Raises:
        DamagedError: it is no delta, or not whole.
    """
    version = head[len(_MAGIC)] if len(head) > len(_MAGIC) and head.startswith(_MAGIC) else 0
    size = len(_MAGIC) + 1 + _VERSIONS.get(version, 0) * _STREAM.size
    if version not in _VERSIONS or len(head) < size:
        raise DamagedError("this is not a delta that this airstore can read", hint="use a newer version")
    table, *others = _STREAM.iter_unpack(head[len(_MAGIC) + 1 : size])
    if table[1] > _TABLE:
        raise DamagedError("a delta's head says more bytes than are believed")
    segments = (StreamSegment(stream, *sizes) for stream, sizes in zip(Stream, others, strict=False))
    return Head(version, size, table, tuple(segments))


def check_segments(head: Head, segments: Sequence[StreamSegment], size: int) -> None:
    """Whether segments are those of a file of so many bytes.

    Raises:
        DamagedError: they are not.
    """
    if head.size + head.table[0] + sum(segment.stored for segment in segments) != size:
        raise DamagedError("a delta does not end where its head says")
    if max((segment.plain for segment in segments), default=0) > LIMITS.layer_plain:
        raise DamagedError("a delta's head says more bytes than are believed")
