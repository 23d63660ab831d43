"""ELF files of a bundle: for which machine, for which glibc, and without what a loader never reads.

| offset | size | field of the 64-bit header |
| ---: | ---: | --- |
| 0 | 4 | magic ``7f 45 4c 46`` |
| 4 | 1 | class: 2 is 64 bits |
| 5 | 1 | order: 1 is little-endian |
| 18 | 2 | machine |
| 32 | 8 | offset of the program headers |
| 40 | 8 | offset of the section headers |
| 54 | 2 | size of a program header |
| 56 | 2 | number of program headers |
| 60 | 2 | number of section headers |
| 62 | 2 | which section has the names |

A program header has its offset in the file at 8 and its size there at 32, 8 bytes each.
"""

from __future__ import annotations

import re
import struct

from airstore.core.errors import DamagedError

_MAGIC = b"\x7fELF\x02\x01"
_HEADER, _SEGMENT = 64, 56
_GLIBC = re.compile(rb"GLIBC_2\.(\d{1,3})(?:\.\d+)?\0")


def is_elf(data: bytes) -> bool:
    """Whether this is a 64-bit little-endian ELF file."""
    return data.startswith(_MAGIC) and len(data) >= _HEADER


def machine(data: bytes) -> int:
    """``e_machine``."""
    return int.from_bytes(data[18:20], "little")


def glibc(data: bytes) -> int:
    """The newest glibc that it asks for, 17 for 2.17; 0 for none, as of static programs."""
    return max((int(minor) for minor in _GLIBC.findall(data)), default=0)


def stripped(data: bytes, what: str) -> bytes:
    """Without symbols, debug information and section headers: what lies behind the last segment.

    Raises:
        DamagedError: its headers lead out of the file.
    """
    offset, (size, count) = int.from_bytes(data[32:40], "little"), struct.unpack_from("<HH", data, 54)
    if size != _SEGMENT or not count or offset + size * count > len(data):
        raise DamagedError(f"{what}: its program headers are not in the file")
    end = offset + size * count
    for position in range(offset, end, size):
        (start,), (length,) = (struct.unpack_from("<Q", data, position + field) for field in (8, 32))
        end = max(end, start + length)
    if end > len(data):
        raise DamagedError(f"{what}: it is cut short, or its segments lead out of the file")
    header = bytearray(data[:_HEADER])
    header[40:48] = bytes(8)
    header[60:64] = bytes(4)
    return bytes(header) + data[_HEADER:end]
