"""Reading a delta: blobs made of what the site has and what the delta carries (docs/formats-media.md).

Nothing is believed here but that the bytes are the publisher's: whether a blob is the right one says its
digest, when it is rebuilt before it becomes visible.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile

from airstore.codec import AtRest, Writable
from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError, IncompleteError, NotFoundError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
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
from airstore.media.delta.pieces import Pieces
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
        with (
            storage_errors(temporary),
            TemporaryFile(dir=temporary) as spool,
            TemporaryFile(dir=temporary) as bases,
        ):
            made = Pieces(self._reader, self._olds, resolution, (spool, bases))
            # What is carried whole needs nothing else; what unpacks it is let go before patches are applied.
            for which in (Stream.WHOLE, Stream.PATCHES):
                self._make(self._file.streams(temporary), which, made, advance)
            for blob in self.table.blobs:
                if blob.digest in wanted:
                    with at_work("make blob %s from a delta", blob.digest):
                        _restore(writer, blob, made, advance)

    def _make(self, feeds: Mapping[Stream, Feed], which: Stream, known: Pieces, advance: Advance) -> None:
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
            olds = next(bases) if which is Stream.PATCHES else list[bytes]()
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


def _patch(piece: NewPiece, stream: Feed, bases: list[bytes] | AtRest, control: bytes, out: Writable) -> None:
    data = gather(stream.parts(piece.carried))
    if not control:
        patch.apply_to(out, piece.kind, data, bases, piece.size)
        return
    made = patch.apply(piece.kind, data, bases, piece.view or piece.size)
    out.write(patch.of_size(close_streams(made, control, piece.size), piece.size))


def _pass_over(parts: Iterable[bytes]) -> None:
    for _ in parts:
        pass


def _restore(writer: BlobWriter, blob: NewBlob, made: Pieces, advance: Advance) -> None:
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
