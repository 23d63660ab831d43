"""Reading a delta: blobs made of what the site has and what the delta carries (docs/formats-media.md).

Nothing is believed here but that the bytes are the publisher's: whether a blob is the right one says its
digest, when it is rebuilt before it becomes visible.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError, IncompleteError, NotFoundError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.progress import Advance
from airstore.core.work import at_work
from airstore.media.delta import patch
from airstore.media.delta.file import DeltaFile
from airstore.media.delta.layout import Stream
from airstore.media.delta.nested import close_streams
from airstore.media.delta.table import STREAM, BaseBlob, DeltaTable, NewBlob, check_bases
from airstore.store.blobs import (
    BlobEncoding,
    BlobWriter,
    Feed,
    ObjectReader,
    Piece,
    content,
    join_tar,
    outline,
)


class Delta:
    """One delta, and what it rests on.

    Args:
        path: its file.
        reader: opens a reader of the store that has the base.
        open_held: has the store open blobs that it holds whole; whether it has.

    Raises:
        DamagedError: it is no delta, or its table is damaged.
        IncompleteError: the store does not have what it rests on.
    """

    def __init__(
        self, path: Path, reader: Callable[[], ObjectReader], open_held: Callable[[], bool] = lambda: False
    ) -> None:
        self._file, self._reader = DeltaFile(path), reader()
        self.table: DeltaTable = self._file.table
        if not all(_is_cut(base, self._reader) for base in self.table.bases) and open_held():
            self._reader = reader()
        self._olds = list(_olds(self.table, self._reader))
        check_bases(self.table, (old.size for old in self._olds))

    @property
    def plain_bytes(self) -> int:
        """Bytes of the new pieces."""
        return sum(piece.size for piece in self.table.pieces)

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
            wanted: those that are stored.
            temporary: a directory with room for the new pieces.
            advance: called with every count of new plain bytes.

        Raises:
            DamagedError: the delta does not fit what the site has.
            StorageError: the disk is full or failed.
        """
        with storage_errors(temporary), TemporaryFile(dir=temporary) as spool:
            places = [0]
            for data in self._pieces():
                spool.write(data)
                places.append(places[-1] + len(data))
                advance(len(data))
            made = _Pieces(self._reader, self._olds, spool, places)
            for blob in self.table.blobs:
                if blob.digest in wanted:
                    with at_work("make blob %s from a delta", blob.digest):
                        _restore(writer, blob, made)

    def _pieces(self) -> Iterator[bytes]:
        """The new pieces, in order."""
        feeds = self._file.streams()
        for piece in self.table.pieces:
            carried = feeds[STREAM[piece.kind]].take(piece.carried)
            control = feeds[Stream.CONTROLS].take(piece.control)
            bases = [self._old(number) for number in piece.bases]
            made = patch.apply(piece.kind, carried, bases, piece.view or piece.size)
            yield patch.of_size(close_streams(made, control, piece.size), piece.size)

    def _old(self, number: int) -> bytes:
        with _of_the_site():
            return content(self._reader, self._olds[number])


class _Pieces:
    """Every piece by its number, old and new."""

    def __init__(
        self, reader: ObjectReader, olds: Sequence[Piece], spool: BinaryIO, places: Sequence[int]
    ) -> None:
        self._reader, self._olds, self._spool, self._places = reader, olds, spool, places

    def chunks(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """The bytes of some pieces, one after the other."""
        for number in numbers:
            if number < len(self._olds):
                with _of_the_site():
                    data = content(self._reader, self._olds[number])
                yield data
            else:
                start, end = self._places[number - len(self._olds) :][:2]
                self._spool.seek(start)
                yield self._spool.read(end - start)


def _restore(writer: BlobWriter, blob: NewBlob, made: _Pieces) -> None:
    held = made.chunks(blob.pieces)
    if blob.bodies is not None:
        held = join_tar(Feed(held), Feed(made.chunks(blob.bodies)))
    compressed = None
    if blob.compressed:
        side = made.chunks(blob.compressed.side)
        compressed = BlobEncoding(blob.compressed.plain_size, blob.compressed.encoder, side)
    writer.restore(Descriptor("", blob.digest, blob.size), held, compressed)


@contextmanager
def _of_the_site() -> Iterator[None]:
    """What the site has is not believed either, and is not the delta's fault."""
    try:
        yield
    except (NotFoundError, DamagedError) as fault:
        raise IncompleteError(f"what a delta rests on is missing here or damaged: {fault}") from fault


def _is_cut(base: BaseBlob, reader: ObjectReader) -> bool:
    """Whether a blob is held in the pieces that the publisher has it in."""
    try:
        return len(list(outline(reader, base.digest))) == base.pieces
    except (NotFoundError, DamagedError):
        return False


def _olds(table: DeltaTable, reader: ObjectReader) -> Iterator[Piece]:
    for base in table.bases:
        with _of_the_site():
            pieces = list(outline(reader, base.digest))
        if len(pieces) != base.pieces:
            raise IncompleteError(
                f"a delta rests on {base.pieces} pieces of blob {base.digest}, which is held in {len(pieces)}"
            )
        yield from pieces
