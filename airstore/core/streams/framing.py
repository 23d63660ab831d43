"""A stream with an end of its own and a digest, over channels that cannot be closed on one side.

::

    4 bytes   length of what follows, big-endian; 0 for the end
    n bytes   content
    ...
    32 bytes  after the end: SHA-256 of all content
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterable, Iterator
from typing import Protocol

from airstore.core.errors import DamagedError, IncompleteError

FRAME = 256 << 10  # bytes of content at most
_LENGTH = struct.Struct(">I")


class ByteSource(Protocol):
    """Where a framed stream comes from."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


def framed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The framed stream of some content."""
    digest = hashlib.sha256()
    for chunk in chunks:
        for start in range(0, len(chunk), FRAME):
            piece = chunk[start : start + FRAME]
            digest.update(piece)
            yield _LENGTH.pack(len(piece)) + piece
    yield _LENGTH.pack(0) + digest.digest()


class Unframed(io.RawIOBase):
    """The content of a framed stream; at its end the digest has been compared.

    Reading raises `IncompleteError` where the stream ends too early, `DamagedError` where it is another one
    than was sent.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        self._rest = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """See `io.RawIOBase`."""
        if not self._rest and not self._ended:
            self._next()
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)

    def _next(self) -> None:
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > FRAME:
            raise DamagedError(f"a frame of {length} bytes; at most {FRAME} are sent")
        if length:
            data = self._exactly(length)
            self._digest.update(data)
            self._rest = memoryview(data)
            return
        self._ended = True
        if self._exactly(self._digest.digest_size) != self._digest.digest():
            raise DamagedError("what arrived is not what was sent", hint="send it again")

    def _exactly(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            data = self._source.read(size - len(found))
            if not data:
                raise IncompleteError("the stream broke off before its end", hint="send it again")
            found += data
        return bytes(found)
