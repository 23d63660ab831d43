"""Reading a delta: blobs made of what the site has and what the delta carries (docs/formats-media.md).

Nothing is believed here but that the bytes are the publisher's: whether a blob is the right one says its
digest, when it is rebuilt before it becomes visible.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from airstore.codec import Writable
from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError, IncompleteError, NotFoundError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.core.progress import Advance
from airstore.core.work import at_work
from airstore.media.delta import pace
from airstore.media.delta.file import DeltaFile
from airstore.media.delta.format import patch
from airstore.media.delta.format.layout import Stream
from airstore.media.delta.format.nested import close_streams
from airstore.media.delta.format.patch import PieceKind
from airstore.media.delta.format.references import Aliases
from airstore.media.delta.format.table import STREAM, BaseBlob, DeltaTable, NewBlob, NewPiece
from airstore.media.delta.resolving import Resolution, check_bases, resolve
from airstore.store.blobs import (
    BlobEncoding,
    BlobWriter,
    Feed,
    ObjectReader,
    Piece,
    gather,
    join_tar,
    outline,
)

_PART = MIB  # bytes of a piece that are read at once where it passes through
_TOGETHER = 200  # pieces that the store's index is asked for at once


class Delta:
    """One delta, and what it rests on.

    Args:
        path: its file.
        reader: opens a reader of the store that has the base.
        open_held: has the store open some blobs of those that it holds whole; whether it has.

    Raises:
        DamagedError: it is no delta, or its table is damaged.
        IncompleteError: the store does not have what it rests on.
    """

    def __init__(
        self,
        path: Path,
        reader: Callable[[], ObjectReader],
        open_held: Callable[[Collection[Digest]], bool] = lambda _bases: False,
    ) -> None:
        self._file, self._reader = DeltaFile(path), reader()
        self.table: DeltaTable = self._file.table
        uncut = {base.digest for base in self.table.bases if _is_cut(base, self._reader) is False}
        if uncut and open_held(uncut):
            self._reader = reader()
        self._olds = _olds(self.table, self._reader)

    def resolve(self, wanted: Container[Digest]) -> Resolution:
        """What is made so that some of the new blobs can be stored.

        Raises:
            IncompleteError: the store does not have what they rest on.
            DamagedError: a piece rests on more than a site would hold in memory.
        """
        found = resolve(self.table, wanted, self._olds.__contains__)
        if found.lacking:
            raise self._lacks(found.lacking[0])
        check_bases(self.table, found, lambda number: self._size(number, found))
        return found

    def work(self, wanted: Container[Digest]) -> int:
        """Units of work that `restore` is; see `pace`."""
        return pace.work(self.table, self.resolve(wanted).plain_bytes, wanted)

    @property
    def blobs(self) -> list[Digest]:
        """Digests of the new blobs."""
        return [blob.digest for blob in self.table.blobs]

    def restore(
        self, writer: BlobWriter, wanted: Container[Digest], temporary: Path, advance: Advance
    ) -> None:
        """Store new blobs.

        Args:
            writer: takes them.
            wanted: those that are stored; see `resolve`.
            temporary: a directory with room for the new pieces.
            advance: called with every count of work.

        Raises:
            DamagedError: the delta does not fit what the site has.
            StorageError: the disk is full or failed.
        """
        resolution = self.resolve(wanted)
        with storage_errors(temporary), TemporaryFile(dir=temporary) as spool:
            made = _Pieces(self._reader, self._olds, resolution, spool)
            # What is carried whole needs nothing else; what unpacks it is let go before patches are applied.
            for which in (Stream.WHOLE, Stream.PATCHES):
                self._make(self._file.streams(temporary), which, made, advance)
            for blob in self.table.blobs:
                if blob.digest in wanted:
                    with at_work("make blob %s from a delta", blob.digest):
                        _restore(writer, blob, made, advance)

    def _make(self, feeds: Mapping[Stream, Feed], which: Stream, known: _Pieces, advance: Advance) -> None:
        """Make the new pieces of one stream, in order.

        What is carried whole is most of full media, and passes in parts: a piece in memory beside the window
        of its stream would be most of what an import takes.
        """
        stream, bases = feeds[which], known.bases(self.table.pieces)
        for at, piece in enumerate(self.table.pieces):
            control = feeds[Stream.CONTROLS].take(piece.control)
            if STREAM[piece.kind] is not which:
                continue
            if at not in known.made:
                _pass_over(stream.parts(piece.carried))
                continue
            if piece.kind is PieceKind.WHOLE:
                with known.adding(at, advance) as out:
                    for part in patch.parts_of_size(stream.parts(piece.carried), piece.size):
                        out.write(part)
                continue
            olds = next(bases) if which is Stream.PATCHES else []
            with known.adding(at, advance) as out:
                _patch(piece, stream, olds, control, out)

    def _size(self, number: int, resolution: Resolution) -> int:
        held = self._olds.get(number)
        return held.size if held else self.table.pieces[resolution.ways[number]].size

    def _lacks(self, number: int) -> IncompleteError:
        """Of which blob a piece is that is not here."""
        end = 0
        for base in self.table.bases:
            end += base.pieces
            if number < end:
                return IncompleteError(_not_here(base, self._reader))
        return IncompleteError("this site holds none of the states that a delta starts from")


class _Pieces:
    """Every piece by its number, old and new."""

    def __init__(
        self, reader: ObjectReader, olds: Mapping[int, Piece], resolution: Resolution, spool: BinaryIO
    ) -> None:
        self._reader, self._olds, self._ways, self._spool = reader, olds, resolution.ways, spool
        self.made = resolution.made
        self._places: dict[int, tuple[int, int]] = {}

    @contextmanager
    def adding(self, at: int, advance: Advance) -> Iterator[Writable]:
        """What takes the new piece of this position; others cannot be read meanwhile."""
        start = self._spool.seek(0, os.SEEK_END)
        yield _Counting(self._spool, advance)
        self._places[at] = start, self._spool.tell() - start

    def bases(self, pieces: Sequence[NewPiece]) -> Iterator[list[bytes]]:
        """The bytes of the bases of each patch that is made, when it is its turn.

        As one where nothing is asked of each: joining them takes as much memory again.
        """
        patches = (at for at, piece in enumerate(pieces) if STREAM[piece.kind] is Stream.PATCHES)
        for group in _groups(at for at in patches if at in self.made):
            held = self._held(number for at in group for number in pieces[at].bases)
            for at in group:
                each = [self._parts(number, held) for number in pieces[at].bases]
                opened = pieces[at].kind is PieceKind.OPENED_PATCH
                yield list(map(gather, each if opened else [chain.from_iterable(each)]))

    def chunks(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """The bytes of some pieces, one after the other."""
        for group in _groups(numbers):
            held = self._held(group)
            for number in group:
                yield from self._parts(number, held)

    def _held(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """The objects of those pieces that the site has; its index is asked for all of them at once."""
        keys = [key for number in numbers if number in self._olds for key in self._olds[number].keys]
        with _of_the_site():
            yield from self._reader.objects(keys)

    def _parts(self, number: int, held: Iterator[bytes]) -> Iterator[bytes]:
        """The bytes of a piece, whose objects come next of those that the site has if it is one of them."""
        if number in self._olds:
            yield from islice(held, len(self._olds[number].keys))
            return
        start, size = self._places[self._ways[number]]
        for at in range(start, start + size, _PART):
            self._spool.seek(at)
            yield self._spool.read(min(_PART, start + size - at))


def _groups(numbers: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(numbers)
    while group := list(islice(rest, _TOGETHER)):
        yield group


class _Counting:
    """A file, and whoever hears of what is written to it."""

    def __init__(self, file: BinaryIO, advance: Advance) -> None:
        self._file, self._advance = file, advance

    def write(self, data: bytes, /) -> None:
        self._file.write(data)
        self._advance(len(data) * pace.MAKING)


def _patch(piece: NewPiece, stream: Feed, bases: list[bytes], control: bytes, out: Writable) -> None:
    data = gather(stream.parts(piece.carried))
    if not control:
        patch.apply_to(out, piece.kind, data, bases, piece.size)
        return
    made = patch.apply(piece.kind, data, bases, piece.view or piece.size)
    out.write(patch.of_size(close_streams(made, control, piece.size), piece.size))


def _pass_over(parts: Iterable[bytes]) -> None:
    for _ in parts:
        pass


def _restore(writer: BlobWriter, blob: NewBlob, made: _Pieces, advance: Advance) -> None:
    held = made.chunks(blob.pieces)
    if blob.bodies is not None:
        held = join_tar(Feed(held), Feed(made.chunks(blob.bodies)))
    compressed = None
    if blob.compressed:
        side = made.chunks(blob.compressed.side)
        compressed = BlobEncoding(blob.compressed.plain_size, blob.compressed.encoder, side)
    writer.restore(Descriptor("", blob.digest, blob.size), _counted(held, advance), compressed)


def _counted(chunks: Iterable[bytes], advance: Advance) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        advance(len(chunk) * pace.JOINING)


@contextmanager
def _of_the_site() -> Iterator[None]:
    """What the site has is not believed either, and is not the delta's fault."""
    try:
        yield
    except (NotFoundError, DamagedError) as fault:
        raise IncompleteError(f"what a delta rests on is missing here or damaged: {fault}") from fault


def _is_cut(base: BaseBlob, reader: ObjectReader) -> bool | None:
    """Whether a blob is held in the pieces that the publisher has it in; None where it is not held."""
    try:
        return len(list(outline(reader, base.digest))) == base.pieces
    except (NotFoundError, DamagedError):
        return None


def _olds(table: DeltaTable, reader: ObjectReader) -> dict[int, Piece]:
    """What the site has of the old pieces, by their numbers."""
    aliases, found, start = Aliases(table.same or ()), dict[int, Piece](), 0
    for base in table.bases:
        if _is_cut(base, reader):
            for number, piece in enumerate(outline(reader, base.digest), start):
                found.setdefault(number, piece)
                found.setdefault(aliases.first(number), piece)
        start += base.pieces
    return found


def _not_here(base: BaseBlob, reader: ObjectReader) -> str:
    """Why a base blob is of no use."""
    try:
        pieces = list(outline(reader, base.digest))
    except (NotFoundError, DamagedError) as fault:
        return f"what a delta rests on is missing here or damaged: {fault}"
    return f"a delta rests on {base.pieces} pieces of blob {base.digest}, which is held in {len(pieces)}"
