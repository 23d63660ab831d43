"""How a segment of a delta is compressed: by zstd, or by xz, which is smaller on patches, and slower."""

from __future__ import annotations

import lzma
from collections.abc import Iterator, Sequence
from enum import Enum, IntEnum
from typing import BinaryIO, NamedTuple

from airstore.core.errors import DamagedError
from airstore.core.limits import KIB, MIB
from airstore.store.blobs import compress_solid, compression_memory, decompression_memory, solid_chunks

_READ = 256 * KIB
_LEAST_DICTIONARY = 4 * KIB
_HIGHEST = 9
_DICTIONARY = 64 * MIB  # of the highest level
_DECODER = _DICTIONARY + MIB  # what reading may take; liblzma needs some 100 KiB beside the dictionary
_ENCODER = (
    18 * MIB
)  # beside 10.5 bytes for each of the dictionary: 186 MiB at level 7, 674 at 9 (xz's manual)


class Method(IntEnum):
    """What compresses."""

    ZSTD = 0
    XZ = 1


class MachineCode(Enum):
    """Machine code, by what xz does for it."""

    X86 = "x86"  # 32 and 64 bits: targets of calls and jumps are written as absolute addresses
    OTHER = "other"  # words of four bytes, as most others have them


class Packing(NamedTuple):
    """How a stream is compressed.

    Attributes:
        level: 1 to 22 of zstd; 6 to 9 of xz, whose presets say how large its dictionary is.
        code: of what machine code xz makes most; None for patches, which have no alignment.
    """

    method: Method
    level: int
    code: MachineCode | None = None

    def compress(self, parts: Sequence[bytes]) -> bytes:
        """All this data, one after the other, as one frame."""
        if self.method is Method.ZSTD:
            return compress_solid(parts, self.level)
        compressor = lzma.LZMACompressor(
            lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=_filters(self, sum(map(len, parts)))
        )
        return b"".join([*map(compressor.compress, parts), compressor.flush()])

    def memory(self, size: int) -> int:
        """Bytes that compressing so many takes, what comes of it included."""
        if self.method is Method.ZSTD:
            return compression_memory(self.level, size)
        return 21 * _dictionary(self.level, size) // 2 + _ENCODER + size

    def reading(self, size: int) -> int:
        """Bytes that reading what comes of so many takes: the window, or the dictionary."""
        if self.method is Method.ZSTD:
            return decompression_memory(size)
        return _dictionary(self.level, size)


def unpack(file: BinaryIO, method: Method, stored: int, plain: int) -> Iterator[bytes]:
    """The plain bytes of a frame.

    Args:
        file: at the beginning of the frame.
        method: made it.
        stored: bytes of the frame.
        plain: bytes in it.

    Raises:
        DamagedError: it is no frame of that size, or takes more memory than any that `Packing` makes.
    """
    return solid_chunks(file, stored, plain) if method is Method.ZSTD else _unpack_xz(file, stored, plain)


def _unpack_xz(file: BinaryIO, left: int, plain: int) -> Iterator[bytes]:
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DECODER)
    try:
        while not decompressor.eof:
            data = file.read(min(_READ, left)) if decompressor.needs_input else b""
            if decompressor.needs_input and not data:
                break
            left -= len(data)
            # One byte more than there may be, so that more is noticed.
            out = decompressor.decompress(data, min(plain + 1, _READ))
            plain -= len(out)
            if plain < 0:
                raise DamagedError("a compressed stream holds more than its table says")
            yield out
    except lzma.LZMAError as fault:
        raise DamagedError(f"a compressed stream cannot be read: {fault}") from fault
    if plain or left or not decompressor.eof or decompressor.unused_data:
        raise DamagedError("a compressed stream does not end where its table says")


def _filters(packing: Packing, size: int) -> list[dict[str, int]]:
    """A chain of xz's filters, which a frame names itself, so that every reader knows it."""
    last = {"id": lzma.FILTER_LZMA2, "dict_size": _dictionary(packing.level, size)}
    match packing.code:
        case MachineCode.X86:
            return [{"id": lzma.FILTER_X86}, {**last, "preset": packing.level}]
        case MachineCode.OTHER:  # as xz's manual has it for instructions of four bytes
            return [{**last, "preset": packing.level, "lc": 2, "lp": 2, "pb": 2}]
        case None:
            # Of patches the preset "extreme" makes 0.06 to 0.26 % less, in a tenth to two fifths more time.
            extreme = lzma.PRESET_EXTREME if packing.level == _HIGHEST else 0
            return [{**last, "preset": packing.level | extreme, "pb": 0}]


def _dictionary(level: int, size: int) -> int:
    """Bytes of it: the preset's (xz's manual: 8 MiB at 6, doubled with each) where so many are needed."""
    return max(min(_DICTIONARY >> (_HIGHEST - level), 1 << max(size - 1, 0).bit_length()), _LEAST_DICTIONARY)
