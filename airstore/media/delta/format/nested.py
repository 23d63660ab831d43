"""Archives within layers: deflate streams in zip (jar, whl) and gzip files, opened and put back exactly.

The *view* of some bytes is they themselves with what each stream holds in place of the stream. A *control*
says where the streams were, and has the codec's side data for each. What a site has is viewed by inflating
alone, so that both sides get the same view whatever versions of the codec they have.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Container, Iterator
from contextlib import suppress
from typing import NamedTuple

from airstore.codec import KeptWholeError, rebuild, record
from airstore.core.errors import DamagedError
from airstore.core.limits import KIB, MIB
from airstore.media.delta.format.wire import Numbers, put

VIEW = 64 * MIB  # bytes of a view; streams for which there is no room stay as they are
_DEPTH = 2  # archives within archives
_LEAST = 32  # bytes of a stream that is worth opening
_MOST = 1 << 20  # streams of one file
_CHUNK = 64 * KIB
_ZIP = b"PK\x03\x04"
_ENTRY = struct.Struct("<4s5H3I2H")  # the local header of an entry of a zip file (APPNOTE 4.3.7)
_DEFLATED = 8
_GZIP = b"\x1f\x8b\x08"
_HEADER = _GZIP + b"\0\0\0\0\0\0\xff"  # what the codec is told before each stream
_TRAILER = struct.Struct("<II")


class Deflated(NamedTuple):
    """A deflate stream: where it is, and what it holds."""

    start: int
    end: int
    plain: bytes


def view(data: bytes, depth: int = _DEPTH) -> bytes:
    """The view of some bytes; they themselves where nothing in them can be opened."""
    parts, at = list[bytes](), 0
    for stream in streams(data):
        parts += (data[at : stream.start], view(stream.plain, depth - 1) if depth > 1 else stream.plain)
        at = stream.end
    opened = b"".join((*parts, data[at:]))
    return opened if len(opened) <= VIEW else data


def may_have_streams(data: bytes) -> bool:
    """Whether something in some bytes looks like the beginning of a stream."""
    return _next(data, 0) is not None


def streams(data: bytes) -> Iterator[Deflated]:
    """The streams in some bytes, in order."""
    room = VIEW - len(data)
    at = 0
    while (start := _next(data, at)) is not None:
        stream = _inflated(data, start, room)
        at = start
        if stream:
            room -= len(stream.plain)
            at = stream.end
            yield stream


def open_streams(data: bytes, known: Container[bytes] = (), depth: int = _DEPTH) -> tuple[bytes, bytes]:
    """The view of some bytes and its control, of those streams that the codec can put back exactly.

    Args:
        data: the bytes.
        known: streams that stay as they are, for the site has them so.
        depth: of archives within archives.
    """
    parts, control, at, count = list[bytes](), bytearray(), 0, 0
    for stream in streams(data):
        deflated = data[stream.start : stream.end]
        side = None if deflated in known else _side(deflated, stream.plain)
        if side is None:
            continue
        plain, nested = open_streams(stream.plain, known, depth - 1) if depth > 1 else (stream.plain, b"")
        parts += (data[at : stream.start], plain)
        control += put(stream.start - at) + put(len(plain)) + _counted(nested) + _counted(side)
        at, count = stream.end, count + 1
    opened = b"".join((*parts, data[at:]))
    return (opened, put(count) + control) if count and len(opened) <= VIEW else (data, b"")


def close_streams(opened: bytes, control: bytes, size: int, depth: int = _DEPTH) -> bytes:
    """The bytes again.

    Args:
        opened: their view.
        control: from `open_streams`.
        size: how many bytes there are at most.
        depth: of archives within archives.

    Raises:
        DamagedError: view and control do not belong together.
    """
    if len(opened) <= size and not control:
        return opened
    if not depth:
        raise DamagedError("a delta has archives in more archives than are opened")
    numbers, out, at = Numbers(control), _BoundedOutput(size), 0
    for _ in range(numbers.take(_MOST)):
        start = at + numbers.take(len(opened) - at)
        end = start + numbers.take(len(opened) - start)
        nested = numbers.bytes(numbers.take(len(control)))
        side = numbers.bytes(numbers.take(len(control)))
        out.write(opened[at:start])
        plain = close_streams(opened[start:end], nested, VIEW, depth - 1)
        gzip = _BoundedOutput(size + len(_HEADER) + _TRAILER.size)
        rebuild(io.BytesIO(plain), io.BytesIO(side), gzip)
        out.write(bytes(gzip.data[len(_HEADER) : -_TRAILER.size]))
        at = end
    out.write(opened[at:])
    return bytes(out.data)


def _next(data: bytes, at: int) -> int | None:
    """Where the next stream may begin."""
    if at == 0 and data.startswith(_GZIP):
        return _behind_gzip_header(data)
    found = data.find(_ZIP, at)
    while 0 <= found <= len(data) - _ENTRY.size:
        fields = _ENTRY.unpack_from(data, found)
        start: int = found + _ENTRY.size + fields[-2] + fields[-1]
        if fields[3] == _DEFLATED and start < len(data):
            return start
        found = data.find(_ZIP, found + 1)
    return None


def _behind_gzip_header(data: bytes) -> int | None:
    """Where the stream of a gzip file begins (RFC 1952, 2.3)."""
    flags, at = data[3:4], 10
    if not flags or flags[0] & 0xE0:
        return None
    if flags[0] & 4:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for text in (8, 16):
        if flags[0] & text:
            at = data.find(b"\0", at) + 1
            if not at:
                return None
    at += 2 * bool(flags[0] & 2)
    return at if at < len(data) else None


def _inflated(data: bytes, start: int, room: int) -> Deflated | None:
    inflate, plain, at = zlib.decompressobj(-15), bytearray(), start
    with suppress(zlib.error):
        while at < len(data) and not inflate.eof:
            plain += inflate.decompress(data[at : at + _CHUNK], max(room - len(plain), 0) + 1)
            if len(plain) > room or (inflate.unconsumed_tail and not inflate.eof):
                return None
            at += _CHUNK
        end = min(at, len(data)) - len(inflate.unused_data)
        if inflate.eof and end - start >= _LEAST:
            return Deflated(start, end, bytes(plain))
    return None


def _side(deflated: bytes, plain: bytes) -> bytes | None:
    """The codec's side data, if they are smaller than the stream."""
    gzip = _HEADER + deflated + _TRAILER.pack(zlib.crc32(plain), len(plain) & 0xFFFFFFFF)
    side = _BoundedOutput(len(deflated))
    with suppress(KeptWholeError, DamagedError):
        recorded = record(io.BytesIO(gzip), _BoundedOutput(len(plain)), side)
        if recorded.side_size < len(deflated) // 2:
            return bytes(side.data)
    return None


def _counted(data: bytes) -> bytes:
    return put(len(data)) + data


class _BoundedOutput:
    """Takes so many bytes and no more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.data = bytearray()

    def write(self, data: bytes, /) -> None:
        self.data += data
        if len(self.data) > self._most:
            raise DamagedError("a delta's archive is larger than its table says")
