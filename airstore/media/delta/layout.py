"""The head of a delta's file: where its streams are. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from airstore.core.errors import DamagedError
from airstore.core.limits import LIMITS, MIB

_MAGIC = b"AIRDELT\x01"
_STREAM = struct.Struct("<QQ")
_STREAMS = 3  # the table, what is carried whole, patches
HEAD = len(_MAGIC) + _STREAMS * _STREAM.size
_TABLE = 512 * MIB  # plain bytes of a table


class Stream(NamedTuple):
    """One compressed stream.

    Attributes:
        stored: its bytes in the file.
        plain: the bytes that it holds.
    """

    stored: int
    plain: int


def write_head(streams: Sequence[Stream]) -> bytes:
    """The first `HEAD` bytes of the file; the streams follow, in this order and without gaps."""
    return _MAGIC + b"".join(_STREAM.pack(*stream) for stream in streams)


def read_head(head: bytes, size: int) -> list[Stream]:
    """The streams of a file of so many bytes.

    Raises:
        DamagedError: it is no delta, or not whole.
    """
    if len(head) != HEAD or not head.startswith(_MAGIC):
        raise DamagedError("this is not a delta that this airstore can read", hint="use a newer version")
    streams = [Stream(*pair) for pair in _STREAM.iter_unpack(head[len(_MAGIC) :])]
    if HEAD + sum(stream.stored for stream in streams) != size:
        raise DamagedError("a delta does not end where its head says")
    if streams[0].plain > _TABLE or max(stream.plain for stream in streams) > LIMITS.layer_plain:
        raise DamagedError("a delta's head says more bytes than are believed")
    return streams
