"""The native codec's functions, typed. They release the GIL while they compute."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from airstore.codec.library import DAMAGED, DONE, STREAM, UNSUPPORTED, Sizes, Text, library
from airstore.codec.streams import Readable, Streams, Writable
from airstore.core.errors import DamagedError

__all__ = ["KeptWholeError", "Readable", "Recorded", "Writable", "rebuild", "record"]


class KeptWholeError(Exception):
    """A gzip blob cannot be opened exactly, for the reason given; no fault: it has to be kept whole."""


class Recorded(NamedTuple):
    """What a gzip blob was recorded as.

    Attributes:
        encoder: the encoder whose model was used, for people, or ``tokens``.
        gzip_size: bytes of the blob.
        plain_size: bytes of what it holds.
        side_size: bytes of the side data.
    """

    encoder: str
    gzip_size: int
    plain_size: int
    side_size: int


def record(source: Readable, plain: Writable, side: Writable) -> Recorded:
    """Record a gzip blob as its plain bytes and side data, in bounded memory.

    What is recorded is rebuilt beside it, on another core where there is one, and compared byte for byte.
    Until this returns, what was written to ``plain`` and ``side`` is worth nothing.

    Args:
        source: the blob.
        plain: takes the plain bytes.
        side: takes the side data; see docs/formats-codec.md.

    Raises:
        KeptWholeError: the blob is not gzip, or not one that can be put back exactly.
    """
    sizes, text = Sizes(), Text()
    with Streams() as streams:
        code = library().airstore_codec_record(
            streams.reader(source),
            streams.writer(plain),
            streams.writer(side),
            ctypes.byref(sizes),
            ctypes.byref(text),
        )
        if code == STREAM:
            streams.reraise()
    if code == UNSUPPORTED:
        raise KeptWholeError(text.value)
    if code != DONE:
        raise RuntimeError(text.value)
    return Recorded(text.value, sizes.gzip, sizes.plain, sizes.side)


def rebuild(plain: Readable, side: Readable, gzip: Writable) -> None:
    """Rebuild a gzip blob from its plain bytes and side data, in bounded memory.

    The caller compares the blob's digest: without that, what is written is worth nothing.

    Raises:
        DamagedError: plain bytes and side data were damaged, or do not belong together.
    """
    text = Text()
    with Streams() as streams:
        code = library().airstore_codec_rebuild(
            streams.reader(plain), streams.reader(side), streams.writer(gzip), ctypes.byref(text)
        )
        if code == STREAM:
            streams.reraise()
    if code == DAMAGED:
        raise DamagedError(
            f"a gzip blob cannot be rebuilt: {text.value}",
            hint="the store or the media it comes from are damaged: airstore check, or media verify",
        )
    if code != DONE:
        raise RuntimeError(text.value)
