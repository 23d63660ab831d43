"""A tar stream told apart into file bodies and everything else, losing no byte.

The parser only decides where bodies lie; it never writes headers. Where a stream stops making sense as a
tar, the rest is skeleton, so joining the spans gives back any input, tar or not. Formats: POSIX.1-2001
ustar and pax, GNU tar (tar.h: base-256 numbers, long names, sparse files).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from airstore.core.limits import MIB
from airstore.store.format.objects import PIECE
from airstore.store.ingest.feed import Feed

BLOCK = 512
_META = frozenset(b"xgXLK")  # their data describes the next member: skeleton
_BODILESS = frozenset(b"123456V")  # links, devices, directories, labels: size says nothing
_META_LIMIT = MIB  # a longer pax header or long name is not believed
_SIGNED = struct.Struct("512b")
_ZERO = bytes(BLOCK)


class TarSpan(NamedTuple):
    """Some consecutive bytes of the stream, at most `PIECE`; ``body`` says which side they belong to."""

    body: bool
    data: bytes


class _Header(NamedTuple):
    type: int
    size: int


def is_tar(block: bytes) -> bool:
    """Whether a stream that starts with these 512 bytes is a ustar, pax or GNU tar."""
    return block[257:262] == b"ustar" and _header(block) is not None


def join(skeleton: Feed, bodies: Feed) -> Iterator[bytes]:
    """The stream again, from the bytes of its skeleton and of its bodies, as `spans` told them apart."""
    return (span.data for span in spans(skeleton, bodies))


def members(skeleton: Feed) -> Iterator[tuple[str, int]]:
    """Path and size of each body that is not empty, in order, from a stream's skeleton alone."""
    path, announced = b"", None
    while block := skeleton.take(BLOCK):
        header = _header(block)
        if header is None:
            if block != _ZERO:
                return
            continue
        if header.type in _META:
            if header.size > _META_LIMIT:
                return
            meta = skeleton.take(header.size)
            skeleton.take(-header.size % BLOCK)
            if header.type == ord("x"):
                path, announced = _pax(meta, b"path") or path, _pax_size(meta)
            elif header.type == ord("L"):
                path = meta.split(b"\0", 1)[0]
            continue
        size = header.size if announced is None else announced
        for _ in _member(skeleton, Feed(()), header, block, size):
            pass
        if size and header.type not in _BODILESS:
            yield (path or _path(block)).decode(errors="replace"), size
        path, announced = b"", None


def spans(feed: Feed, bodies: Feed | None = None) -> Iterator[TarSpan]:
    """All bytes of a stream, in order, as skeleton and body spans.

    Args:
        feed: the stream.
        bodies: where the bodies come from, if they are not in the stream.
    """
    announced: int | None = None  # size from a pax header, for the member it precedes
    while block := feed.take(BLOCK):
        yield TarSpan(body=False, data=block)
        header = _header(block)
        if header is None:
            if block != _ZERO:
                break
            continue
        if header.type in _META:
            if header.size > _META_LIMIT:
                break
            meta = feed.take(header.size)
            yield from _skeleton(meta, feed.take(-header.size % BLOCK))
            announced = _pax_size(meta) if header.type == ord("x") else announced
            continue
        size = header.size if announced is None else announced
        announced = None
        yield from _member(feed, bodies or feed, header, block, size)
    while rest := feed.take(PIECE):
        yield TarSpan(body=False, data=rest)


def _member(feed: Feed, bodies: Feed, header: _Header, block: bytes, size: int) -> Iterator[TarSpan]:
    if header.type in _BODILESS:
        return
    more = header.type == ord("S") and block[482]
    while more:  # GNU sparse maps go on in blocks of their own
        extension = feed.take(BLOCK)
        yield from _skeleton(extension)
        more = len(extension) == BLOCK and extension[504]
    left = size
    while left and (piece := bodies.take(min(left, PIECE))):
        yield TarSpan(body=True, data=piece)
        left -= len(piece)
    yield from _skeleton(feed.take(-size % BLOCK))


def _skeleton(*parts: bytes) -> Iterator[TarSpan]:
    return (TarSpan(body=False, data=part) for part in parts if part)


def _header(block: bytes) -> _Header | None:
    if len(block) != BLOCK or block == _ZERO:
        return None
    stated, size = _number(block[148:156]), _number(block[124:136])
    if stated is None or size is None or not _sums_to(block, stated):
        return None
    return _Header(block[156], size)


def _sums_to(block: bytes, stated: int) -> bool:
    """The checksum counts its own field as spaces; some old writers summed signed bytes."""
    if sum(block) - sum(block[148:156]) + 8 * 32 == stated:
        return True
    signed: tuple[int, ...] = _SIGNED.unpack(block)
    return stated == sum(signed) - sum(signed[148:156]) + 8 * 32


def _number(field: bytes) -> int | None:
    """An octal field, or a positive base-256 one; None where it is neither."""
    if field[0] & 0x80:
        negative = field[0] & 0x40
        return None if negative else int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        return None
    return int(digits, 8)


def _path(block: bytes) -> bytes:
    """The path of a header; the prefix is ustar's, and other things elsewhere."""
    name = block[:100].split(b"\0", 1)[0]
    prefix = block[345:500].split(b"\0", 1)[0] if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _pax_size(records: bytes) -> int | None:
    """The ``size`` of a pax extended header."""
    value = _pax(records, b"size")
    return int(value) if value.isdigit() and len(value) < 20 else None


def _pax(records: bytes, key: bytes) -> bytes:
    """A value of a pax extended header, empty if there is none; its last record wins, as POSIX has it."""
    found, at = b"", 0
    while at < len(records):
        length, space, _ = records[at : at + 20].partition(b" ")
        if not space or not length.isdigit() or not int(length):
            break
        record = records[at + len(length) + 1 : at + int(length)]
        name, _, value = record.removesuffix(b"\n").partition(b"=")
        found = value if name == key else found
        at += int(length)
    return found
