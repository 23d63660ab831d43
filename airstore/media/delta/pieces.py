"""The pieces that blobs are made of while a delta is read: those of the store, and those that were made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import BinaryIO

from airstore.codec import AtRest, Writable
from airstore.core.errors import DamagedError, IncompleteError, NotFoundError
from airstore.core.limits import MIB
from airstore.core.progress import Advance
from airstore.media.delta import pace
from airstore.media.delta.format.layout import Stream
from airstore.media.delta.format.patch import PieceKind
from airstore.media.delta.format.table import STREAM, NewPiece
from airstore.media.delta.resolving import Resolution
from airstore.store.blobs import ObjectReader, Piece, gather

_PART = MIB  # bytes of a piece that are read at once where it passes through
_LARGE = 4 * MIB  # bytes of bases that are at rest while a patch is applied


class Pieces:
    """Every piece by its number, old and new.

    Args:
        reader: of the store.
        olds: what it has of the old pieces.
        resolution: what is made.
        files: for new pieces, and for the bases of one.
    """

    def __init__(
        self,
        reader: ObjectReader,
        olds: Mapping[int, Piece],
        resolution: Resolution,
        files: tuple[BinaryIO, BinaryIO],
    ) -> None:
        self._reader, self._olds, self._ways = reader, olds, resolution.ways
        self._spool, self._bases = files
        self.made = resolution.made
        self._places: dict[int, tuple[int, int]] = {}

    @contextmanager
    def adding(self, at: int, advance: Advance) -> Iterator[Writable]:
        """What takes the new piece of this position; others cannot be read meanwhile."""
        start = self._spool.seek(0, os.SEEK_END)
        yield _Counting(self._spool, advance)
        self._places[at] = start, self._spool.tell() - start

    def bases(self, pieces: Sequence[NewPiece]) -> Iterator[list[bytes] | AtRest]:
        """The bases of each patch that is made, when it is its turn; large ones at rest until the next."""
        patches = [
            piece
            for at, piece in enumerate(pieces)
            if STREAM[piece.kind] is Stream.PATCHES and at in self.made
        ]
        held = self._held([number for piece in patches for number in piece.bases])
        for piece in patches:
            each = [self._parts(number, held) for number in piece.bases]
            if piece.kind is PieceKind.OPENED_PATCH or sum(map(self._size, piece.bases)) < _LARGE:
                yield list(map(gather, each))
            else:
                yield self._at_rest(chain.from_iterable(each))

    def _at_rest(self, parts: Iterable[bytes]) -> AtRest:
        self._bases.seek(0)
        self._bases.writelines(parts)
        self._bases.flush()
        return AtRest(self._bases, self._bases.tell())

    def _size(self, number: int) -> int:
        held = self._olds.get(number)
        return held.size if held else self._places[self._ways[number]][1]

    def chunks(self, numbers: Sequence[int]) -> Iterator[bytes]:
        """The bytes of some pieces, one after the other."""
        held = self._held(numbers)
        return chain.from_iterable(self._parts(number, held) for number in numbers)

    def _held(self, numbers: Sequence[int]) -> Iterator[bytes]:
        """The objects of those pieces that the site has; its index is asked for many at once."""
        with _of_the_site():
            yield from self._reader.objects(
                key for number in numbers if number in self._olds for key in self._olds[number].keys
            )

    def _parts(self, number: int, held: Iterator[bytes]) -> Iterator[bytes]:
        """The bytes of a piece, whose objects come next of those that the site has if it is one of them."""
        if number in self._olds:
            yield from islice(held, len(self._olds[number].keys))
            return
        start, size = self._places[self._ways[number]]
        for at in range(start, start + size, _PART):
            self._spool.seek(at)
            yield self._spool.read(min(_PART, start + size - at))


class _Counting:
    """A file, and whoever hears of what is written to it."""

    def __init__(self, file: BinaryIO, advance: Advance) -> None:
        self._file, self._advance = file, advance

    def write(self, data: bytes, /) -> None:
        self._file.write(data)
        self._advance(len(data) * pace.MAKING)


@contextmanager
def _of_the_site() -> Iterator[None]:
    """What the site has is not believed either, and is not the delta's fault."""
    try:
        yield
    except (NotFoundError, DamagedError) as fault:
        raise IncompleteError(f"what a delta rests on is missing here or damaged: {fault}") from fault
