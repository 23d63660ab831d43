"""Whether executables make smaller deltas with addresses normalised before the patch: pairs of ELF files.

``python -m scripts.benchmarks.elf OLD NEW [OLD NEW]...``: files, wheels or other zip archives; of archives
all ELF files of more than 64 KiB that both have, by their names without hashes. One line a pair: what a patch
takes (HDiffPatch, then one zstd -19 stream for all of a pair's files) as they are and behind each filter.

- ``absolute``: the operand of calls and jumps (x86-64: E8 and E9; arm64: BL and B) as an absolute address,
  which is what BCJ filters do. The patch is made of both files so, and would be undone after it.
- ``rank``: in place of that address its place among all such targets of the file, with which tools for
  executables begin.
"""

from __future__ import annotations

import re
import struct
import sys
import time
import zipfile
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path

import hdiffpatch

from airstore.store.blobs import compress_solid

_ELF, _LEAST, _PIECE = b"\x7fELF", 64 << 10, 32 << 20
_X86, _ARM = 62, 183  # e_machine
_CALL = re.compile(rb"[\xe8\xe9](?=(.{4}))", re.DOTALL)
_HASH = re.compile(r"[-.][0-9a-f]{8,}(?=\.so)|\.so[.0-9]*$")


def main(names: list[str]) -> None:
    """Measure the pairs that were named."""
    print(f"{'pair':44} {'files':>5} {'new MB':>7} {'plain':>10} {'absolute':>10} {'rank':>10}  s")
    for old, new in zip(names[::2], names[1::2], strict=True):
        begun = time.monotonic()
        olds, news = _elves(Path(old)), _elves(Path(new))
        pairs = [(olds[name], data) for name, data in news.items() if olds.get(name, data) != data]
        if not pairs:
            print(f"{Path(new).name[:44]:44} nothing changed")
            continue
        plain, absolute, rank = (_delta(pairs, each) for each in (lambda data: data, _absolute, _ranked))
        size, took = sum(len(new) for _, new in pairs) / 1e6, time.monotonic() - begun
        sizes = f"{plain:10} {absolute:10} {rank:10}"
        print(f"{Path(new).name[:44]:44} {len(pairs):5} {size:7.1f} {sizes}  {took:.0f}", flush=True)


def _elves(path: Path) -> dict[str, bytes]:
    if not zipfile.is_zipfile(path):
        return {"": path.read_bytes()}
    with zipfile.ZipFile(path) as archive:
        found = {
            _HASH.sub("", info.filename): archive.read(info)
            for info in archive.infolist()
            if info.file_size > _LEAST
        }
    return {name: data for name, data in found.items() if data.startswith(_ELF)}


def _delta(pairs: list[tuple[bytes, bytes]], view: Callable[[bytes], bytes]) -> int:
    patches = list[bytes]()
    for old, new in pairs:
        before, after = view(old), view(new)
        pieces = (after[at : at + _PIECE] for at in range(0, len(after), _PIECE))
        patches += (hdiffpatch.diff(before, piece, validate=False) for piece in pieces)
    return len(compress_solid(patches, 19))


def _text(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Offset, size and address of what is executable, by the program headers of ELF-64."""
    table, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    for at in range(table, table + size * count, size):
        kind, flags, offset, address = struct.unpack_from("<IIQQ", data, at)
        (length,) = struct.unpack_from("<Q", data, at + 32)
        if kind == 1 and flags & 1:
            yield offset, length, address


def _absolute(data: bytes) -> bytes:
    return _rewritten(data, lambda target, _targets: target)


def _ranked(data: bytes) -> bytes:
    return _rewritten(data, lambda target, targets: bisect_left(targets, target))


def _rewritten(data: bytes, value: Callable[[int, list[int]], int]) -> bytes:
    machine = struct.unpack_from("<H", data, 18)[0]
    out = bytearray(data)
    for start, length, address in _text(data):
        if machine == _X86:
            places = list(_x86(data, start, length, address))
        elif machine == _ARM:
            places = list(_arm(data, start, length, address))
        else:
            continue
        targets = sorted({target for _, target in places})
        for at, target in places:
            if machine == _X86:
                struct.pack_into("<I", out, at, value(target, targets) & 0xFFFFFFFF)
            else:
                word = struct.unpack_from("<I", out, at)[0]
                struct.pack_into("<I", out, at, word & 0xFC000000 | value(target, targets) & 0x3FFFFFF)
    return bytes(out)


def _x86(data: bytes, start: int, length: int, address: int) -> Iterator[tuple[int, int]]:
    """Where operands are, and where they lead; only what leads into the same segment is one."""
    end = start
    for found in _CALL.finditer(data, start, start + length):
        at = found.start() + 1
        (step,) = struct.unpack("<i", found[1])
        target = address + at + 4 - start + step
        if at > end and address <= target < address + length:
            end = at + 3
            yield at, target


def _arm(data: bytes, start: int, length: int, address: int) -> Iterator[tuple[int, int]]:
    words = array("I", data[start : start + length - length % 4])
    for number, word in enumerate(words):
        if word >> 26 in {0x25, 0x05}:
            step = (word & 0x3FFFFFF) - (1 << 26 if word & 0x2000000 else 0)
            target = (address >> 2) + number + step
            if 0 <= target - (address >> 2) < length >> 2:
                yield start + 4 * number, target


if __name__ == "__main__":
    main(sys.argv[1:])
