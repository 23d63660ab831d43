"""The native library: where it is, and the types of its functions (see crate/binding/src/lib.rs)."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from airstore.core.errors import IncompleteError

DONE, STREAM, UNSUPPORTED, DAMAGED = range(4)
_INTERFACE = 3
_PATH = Path(__file__).with_name("libairstore_codec.so")

Function = Any  # what a prototype makes of a Python function: a type of ctypes without a public name
Read = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_size_t)
Write = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_size_t)


class Sizes(ctypes.Structure):
    """Bytes of a recorded blob, of what it holds, and of its side data."""

    _fields_: ClassVar = [("gzip", ctypes.c_uint64), ("plain", ctypes.c_uint64), ("side", ctypes.c_uint64)]
    gzip: int
    plain: int
    side: int


class Text(ctypes.Structure):
    """A text of up to 240 bytes."""

    _fields_: ClassVar = [("size", ctypes.c_size_t), ("bytes", ctypes.c_ubyte * 240)]
    size: int
    bytes: ctypes.Array[ctypes.c_ubyte]

    @property
    def value(self) -> str:
        """The text."""
        return bytes(self.bytes[: self.size]).decode(errors="replace")


@cache
def library() -> ctypes.CDLL:
    """Load the library.

    Raises:
        IncompleteError: this installation has none, or one of another version.
    """
    hint = "install airstore again: from a wheel, or from source with cargo 1.85 or newer"
    try:
        loaded = ctypes.CDLL(str(_PATH))
    except OSError as fault:
        raise IncompleteError(f"this installation lacks its native codec: {fault}", hint=hint) from fault
    loaded.airstore_codec_interface.restype = ctypes.c_uint32
    if loaded.airstore_codec_interface() != _INTERFACE:
        raise IncompleteError("this installation's native codec is of another version", hint=hint)
    sizes, text = ctypes.POINTER(Sizes), ctypes.POINTER(Text)
    loaded.airstore_codec_record.argtypes = [Read, Write, Write, sizes, text]
    loaded.airstore_codec_rebuild.argtypes = [Read, Read, Write, text]
    data, size = ctypes.c_char_p, ctypes.c_size_t
    loaded.airstore_codec_patch.argtypes = [data, size, data, size, ctypes.c_uint64, Write, text]
    sizes_of_two = ctypes.POINTER(ctypes.c_uint64 * 2)
    loaded.airstore_codec_make_patch.argtypes = [data, size, size, data, size, Write, text]
    loaded.airstore_codec_shared.argtypes = [data, size, size, data, size, sizes_of_two, text]
    return loaded
