"""One new piece of bytes as what it takes to make it of old ones. Pure.

Patches are HDiffPatch's, uncompressed (github.com/sisong/HDiffPatch, format HDIFF13): matches by suffix
array, differences inside of them byte by byte; a solid stream of many compresses better than each alone. The
library believes the sizes that a patch states, so they are first compared with what the signed table says.
"""

from __future__ import annotations

from enum import IntEnum

import hdiffpatch

from airstore.core.errors import DamagedError
from airstore.media.delta.wire import Numbers

PIECE = 33 << 20  # bytes of a piece that are believed
BASE = 96 << 20  # bytes of all its bases at most
_MAGIC = b"HDIFF13&\0"
_GAIN = 16  # bytes that a patch must save


class Kind(IntEnum):
    """How a new piece is carried."""

    WHOLE = 0
    PATCH = 1


def make(new: bytes, base: bytes) -> tuple[Kind, bytes]:
    """What has to be carried of a piece; its own bytes where a patch saves nothing.

    Args:
        new: at most `PIECE` bytes.
        base: its bases, joined; may be empty.
    """
    if base:
        patch: bytes = hdiffpatch.diff(base, new, validate=False)
        if len(patch) + _GAIN < len(new) and patch.startswith(_MAGIC):
            return Kind.PATCH, patch[len(_MAGIC) :]
    return Kind.WHOLE, new


def apply(kind: Kind, carried: bytes, base: bytes, size: int) -> bytes:
    """The piece again.

    Args:
        kind: how it is carried.
        carried: what `make` gave.
        base: its bases, joined.
        size: of the piece, as the table says.

    Raises:
        DamagedError: the patch is damaged, or not for this base.
    """
    if kind is Kind.WHOLE:
        return _of_size(carried, size)
    sizes = Numbers(carried[:20])
    if sizes.take(PIECE) != size or sizes.take(BASE) != len(base):
        raise DamagedError("a delta's patch is for another base than this site has")
    try:
        return _of_size(hdiffpatch.apply(base, _MAGIC + carried), size)
    except hdiffpatch.HDiffPatchError as fault:
        raise DamagedError(f"a delta's patch cannot be applied: {fault}") from fault


def _of_size(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise DamagedError(f"a delta's piece has {len(data)} bytes, not the {size} that its table says")
    return data
