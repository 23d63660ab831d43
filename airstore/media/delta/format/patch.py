"""One new piece of bytes as what it takes to make it of old ones. Pure.

Patches are of HDiffPatch's format, uncompressed (github.com/sisong/HDiffPatch, HDIFF13): matches, and
differences inside of them byte by byte; a solid stream of many compresses better than each alone.
The codec makes them, and applies them: there it holds the base and the patch and not what it makes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import IntEnum
from typing import NamedTuple, Protocol

from airstore.codec import Writable, make_patch, shared
from airstore.codec import patch as apply_patch
from airstore.core.errors import DamagedError
from airstore.media.delta.format.nested import VIEW, may_have_streams, open_streams, streams, view
from airstore.media.delta.format.wire import Numbers
from airstore.store.blobs import compress_solid

PIECE = 33 << 20  # bytes of a piece that are believed
BASE = 96 << 20  # bytes of all its bases at most
_GAIN = 16  # bytes that a patch must save
_LARGE = 4 << 20  # bytes of what is worth a look for long runs


class PieceKind(IntEnum):
    """How a new piece is carried."""

    WHOLE = 0
    PATCH = 1
    OPENED = 2  # whole, with the archives in it opened
    OPENED_PATCH = 3  # a patch that gives the piece with the archives in it opened


class Carried(NamedTuple):
    """What has to be carried of a piece.

    Attributes:
        data: the patch, or the bytes that are carried whole.
        view: bytes of the piece with its archives opened; 0 where none is.
        control: puts them back.
    """

    kind: PieceKind
    data: bytes
    view: int = 0
    control: bytes = b""


class Room(Protocol):
    """Memory in which patches are made."""

    @property
    def base(self) -> int:
        """Bytes that one may rest on."""

    def patching(self, new: int, base: int) -> AbstractContextManager[object]:
        """Wait until one of so many bytes can be made on so many."""

    def spelling(self, size: int) -> AbstractContextManager[object]:
        """Wait until one can be weighed that makes so many bytes, with its differences spelled out."""


class _NoBounds:
    @property
    def base(self) -> int:
        return BASE

    def patching(self, new: int, base: int) -> AbstractContextManager[object]:  # noqa: ARG002
        return nullcontext()

    def spelling(self, size: int) -> AbstractContextManager[object]:  # noqa: ARG002
        return nullcontext()


NO_BOUNDS: Room = _NoBounds()


def make(
    new: bytes,
    bases: Sequence[bytes],
    *,
    near: bytes = b"",
    open_archives: bool = True,
    room: Room = NO_BOUNDS,
) -> Carried:
    """What has to be carried of a piece; its own bytes where a patch saves nothing.

    Args:
        new: at most `PIECE` bytes.
        bases: what a patch may rest on.
        near: one more base, the last one; what is near to what moved is looked into; see `reaches`.
        open_archives: look whether less is carried with the archives in it opened: about 2 ms for each file.
        room: the memory for it.
    """
    own = sum(map(len, bases))
    bases = [*bases, near] if near else bases
    closed = _against(new, b"".join(bases), PieceKind.WHOLE, room, own)
    if not open_archives or not may_have_streams(new):
        return closed
    known = {base[each.start : each.end] for base in bases for each in streams(base)}
    opened, control = open_streams(new, known)
    base = _viewed(bases, room.base)
    if not control or base is None:
        return closed
    found = _against(opened, base, PieceKind.OPENED, room)._replace(view=len(opened), control=control)
    return min(closed, found, key=_weight)


def apply(kind: PieceKind, data: bytes, bases: list[bytes], size: int) -> bytes:
    """The piece again, or its view, if archives in it are opened. See `apply_to`."""
    out = io.BytesIO()
    apply_to(out, kind, data, bases, size)
    return out.getvalue()


def apply_to(out: Writable, kind: PieceKind, data: bytes, bases: list[bytes], size: int) -> None:
    """Write the piece, or its view, as it is made: it is as large as what it is made of.

    Args:
        out: takes it.
        kind: how it is carried.
        data: what `make` gave.
        bases: its bases; the list is emptied, for what is joined is a copy.
        size: of the piece or its view, as the table says.

    Raises:
        DamagedError: the patch is damaged, or not for these bases; what was written is worth nothing.
    """
    if kind in {PieceKind.WHOLE, PieceKind.OPENED}:
        out.write(of_size(data, size))
        return
    base = _viewed(bases, BASE) if kind is PieceKind.OPENED_PATCH else b"".join(bases)
    bases.clear()
    if base is None:
        raise DamagedError(f"a delta's piece rests on more than {BASE} bytes")
    sizes = Numbers(data[:20])
    if sizes.take(max(PIECE, VIEW)) != size or sizes.take(BASE) != len(base):
        raise DamagedError("a delta's patch is for another base than this site has")
    apply_patch(base, data, size, out)


def _against(new: bytes, base: bytes, whole: PieceKind, room: Room, own: int | None = None) -> Carried:
    if base:
        with room.patching(len(new), len(base)):
            patch = make_patch(base, new, own)
        if len(patch) + _GAIN < len(new):
            return Carried(PieceKind(whole + 1), patch)
    return Carried(whole, new)


def reaches(new: bytes, base: bytes, beside: bytes) -> bool:
    """Whether a patch on ``base`` makes more of a piece with what was beside that: some of it moved there.

    Where more than half of it is in long runs: of what changed more the patch would hardly be smaller.
    """
    if len(new) < _LARGE:
        return False
    both, moved = shared(base + beside, new, len(base))
    return moved > 0 and 2 * both >= len(new)


def _viewed(bases: Sequence[bytes], most: int) -> bytes | None:
    """Each base, and behind it its view if that is another; None if that is more than ``most`` bytes."""
    parts = list[bytes]()
    for base in bases:
        opened = view(base)
        parts += (base, opened) if opened is not base else (base,)
        if sum(map(len, parts)) > most:
            return None
    return b"".join(parts)


def _weight(carried: Carried) -> int:
    return len(compress_solid([carried.data, carried.control], 1))


def parts_of_size(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes, as they come.

    Raises:
        DamagedError: they are not so many, which shows at their end.
    """
    count = 0
    for part in parts:
        count += len(part)
        yield part
    _check_count(count, size)


def of_size(data: bytes, size: int) -> bytes:
    """The same bytes.

    Raises:
        DamagedError: they are not so many.
    """
    _check_count(len(data), size)
    return data


def _check_count(count: int, size: int) -> None:
    if count != size:
        raise DamagedError(f"a delta's piece has {count} bytes, not the {size} that its table says")
