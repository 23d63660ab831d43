"""What else is computed natively: patches are made and applied, contents compared. The GIL is released."""

from __future__ import annotations

import ctypes
import io
from typing import BinaryIO, NamedTuple

from airstore.codec.library import DAMAGED, DONE, STREAM, Sketch, Text, library
from airstore.codec.streams import Streams, Writable
from airstore.core.errors import DamagedError


class AtRest(NamedTuple):
    """Bytes that a file begins with, all of them written."""

    file: BinaryIO
    size: int


def patch(base: bytes | AtRest, data: bytes, size: int, out: Writable) -> None:
    """Apply a patch of HDiffPatch's format; what comes of it is written as it is made.

    Args:
        base: what it is for.
        data: what follows the magic of its format, HDIFF13 without compression.
        size: bytes that come of it.
        out: takes them, 64 KiB at most at a time.

    Raises:
        DamagedError: the patch is damaged, or for another base; what was written is worth nothing.
        OSError: the base cannot be read.
    """
    text, rest = Text(), (data, len(data), size)
    with Streams() as streams:
        ends = streams.writer(out), ctypes.byref(text)
        if isinstance(base, AtRest):
            code = library().airstore_codec_patch_file(base.file.fileno(), base.size, *rest, *ends)
        else:
            code = library().airstore_codec_patch(base, len(base), *rest, *ends)
        if code == STREAM:
            streams.reraise()
            raise OSError(text.value)
    if code == DAMAGED:
        raise DamagedError(f"a patch cannot be applied: {text.value}")
    if code != DONE:
        raise RuntimeError(text.value)


def make_patch(base: bytes, new: bytes, own: int | None = None) -> bytes:
    """Make a patch that `patch` applies.

    Args:
        base: what it rests on, less than 128 MiB. Making it takes five times as much beside it.
        new: what it makes.
        own: bytes of the base that are looked into; behind them only what is near to what moved from there.
    """
    text, made = Text(), io.BytesIO()
    with Streams() as streams:
        code = library().airstore_codec_make_patch(
            base,
            len(base),
            len(base) if own is None else own,
            new,
            len(new),
            streams.writer(made),
            ctypes.byref(text),
        )
        if code == STREAM:
            streams.reraise()
    if code != DONE:
        raise RuntimeError(text.value)
    return made.getvalue()


def shared(base: bytes, new: bytes, own: int) -> tuple[int, int]:
    """Bytes in long runs that both sides have, and of them in runs that end behind the base's own bytes.

    Args:
        base: less than 128 MiB.
        new: the new side.
        own: bytes of the base that are its own.
    """
    sizes, text = (ctypes.c_uint64 * 2)(), Text()
    code = library().airstore_codec_shared(
        base, len(base), own, new, len(new), ctypes.byref(sizes), ctypes.byref(text)
    )
    if code != DONE:
        raise RuntimeError(text.value)
    return sizes[0], sizes[1]


def sketch(data: bytes) -> frozenset[int]:
    """Up to 64 numbers of some content: contents that have parts in common have some of them in common.

    Empty for what is too short to be compared.
    """
    found, text = Sketch(), Text()
    if library().airstore_codec_sketch(data, len(data), ctypes.byref(found), ctypes.byref(text)) != DONE:
        raise RuntimeError(text.value)
    return frozenset(found.numbers[: found.count])
