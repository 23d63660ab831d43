"""What a blob holds once its compression is undone, whatever form it is kept in: for looking into layers."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, cast

import zstandard

from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS, MIB
from airstore.store.read.reader import ObjectReader

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_STEP = MIB  # plain bytes at once: a small chunk may hold a thousand times as much
_WINDOW = 128 * MIB  # what `zstd --long` of images needs at most


def plain_chunks(reader: ObjectReader, digest: Digest) -> Iterator[bytes]:
    """The plain bytes of a layer: gzip and zstd undone, anything else as it is.

    Raises:
        NotFoundError: the store does not have it.
        DamagedError: it cannot be read or inflated, or holds more than `LIMITS.layer_plain`.
    """
    chunks = reader.plain(digest)
    first = next(chunks, b"")
    inflate = _gzip if first.startswith(_GZIP) else _zstd if first.startswith(_ZSTD) else _as_it_is
    return _bounded(inflate(chain((first,), chunks)), f"blob {digest}")


def _bounded(chunks: Iterator[bytes], what: str) -> Iterator[bytes]:
    left = LIMITS.layer_plain
    try:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise DamagedError(f"{what} holds more than {LIMITS.layer_plain} bytes")
            yield chunk
    except (zlib.error, zstandard.ZstdError) as fault:
        raise DamagedError(f"{what} cannot be inflated: {fault}") from fault


def _as_it_is(chunks: Iterator[bytes]) -> Iterator[bytes]:
    return chunks


def _gzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Of several members one after the other, too; zeros behind the last are padding."""
    stream = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        data = chunk
        while data:
            if plain := stream.decompress(data, _STEP):
                yield plain
            data = stream.unconsumed_tail or stream.unused_data.lstrip(b"\0")
            if stream.unused_data and data:
                stream = zlib.decompressobj(wbits=31)


def _zstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    source = cast("BinaryIO", _Chunks(chunks))  # no more of it is asked for than reading
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    with decompressor.stream_reader(source, read_size=_STEP, read_across_frames=True) as reader:
        while plain := reader.read(_STEP):
            yield plain


class _Chunks:
    """Chunks as a file that is read from its beginning to its end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
