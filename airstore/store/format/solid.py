"""Solid streams: much data of one kind in one zstd frame with a large window, read in order."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from airstore.core.errors import DamagedError
from airstore.core.limits import KIB, MIB

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WINDOW = 128 * MIB  # what a reader is ready to keep in memory
# What a writer asks of it: most of what an import takes. At level 12 twice as much makes 0.28 % less of 64
# MiB of a Debian root, 0.08 % less of Python's libraries.
_WRITTEN = 32 * MIB
_READ = 128 * KIB
_MATCHES = 16 * MIB  # of the table for long distances
_NEAR = 8 * MIB  # bytes within which every level finds what comes again


def compression_memory(level: int, size: int) -> int:
    """Bytes that compressing so many takes, what comes of it included."""
    window = _window(size)
    parameters = zstandard.ZstdCompressionParameters.from_level(level, source_size=size, window_log=window)
    return int(parameters.estimated_compression_context_size()) + (1 << window) + size + _MATCHES


def decompression_memory(size: int) -> int:
    """Bytes that reading what comes of so many takes, the window."""
    return 1 << _window(size)


def compress_solid(data: Sequence[bytes], level: int) -> bytes:
    """One frame of all this data; its window is as large as the data, up to 32 MiB.

    Args:
        data: what is compressed, one after the other.
        level: of zstd, 1 to 22.
    """
    size = sum(map(len, data))
    window = _window(size)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, source_size=size, window_log=window, enable_ldm=size > _NEAR, write_checksum=1
    )
    compressed = io.BytesIO()
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    with compressor.stream_writer(compressed, size=size, closefd=False) as sink:
        for each in data:
            sink.write(each)
    return compressed.getvalue()


def _window(size: int) -> int:
    return min(max(size - 1, KIB).bit_length(), _WRITTEN.bit_length() - 1)


def solid_chunks(file: BinaryIO, length: int, size: int) -> Iterator[bytes]:
    """The plain bytes of a frame.

    Args:
        file: at the beginning of the frame.
        length: of the frame, compressed.
        size: of the plain bytes.

    Raises:
        DamagedError: it is no frame of that size. One that lacks no more than its checksum, or has something
            behind it, may pass: the digest of the file and those of the blobs are what counts.
    """
    source = _Part(file, length)
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW)
    left = size
    try:
        with decompressor.stream_reader(cast("BinaryIO", source), read_size=_READ, closefd=False) as reader:
            # One byte more than there may be, so that more is noticed; what is cut off just ends.
            while data := reader.read(min(left + 1, _READ)):
                left -= len(data)
                if left < 0:
                    raise DamagedError("a compressed stream holds more than its table says")
                yield data
    except zstandard.ZstdError as fault:
        raise DamagedError(f"a compressed stream cannot be read: {fault}") from fault
    if left or source.left:
        raise DamagedError("a compressed stream does not end where its table says")


class _Part(io.RawIOBase):
    """The next bytes of a file, and no more."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self.left = file, length

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        data = self._file.read(min(len(view), self.left))
        view[: len(data)] = data
        self.left -= len(data)
        return len(data)
