"""A delta's table: which old pieces it rests on, the new pieces, and the blobs that both make up. Pure.

A *piece* is a file's body, a tar's skeleton, side data or a raw blob, cut every
`airstore.media.delta.patch.PIECE` bytes. Old pieces have numbers from 0 on, in the order of the base blobs;
new ones follow them. References are relative: unchanged neighbours cost nearly nothing once compressed, and
no digest is carried that the site can compute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.media.delta.layout import Head, Stream, StreamSegment
from airstore.media.delta.nested import VIEW
from airstore.media.delta.patch import BASE, PIECE, PieceKind
from airstore.media.delta.wire import Numbers, put, put_signed

STREAM = {
    PieceKind.WHOLE: Stream.WHOLE, PieceKind.OPENED: Stream.WHOLE,
    PieceKind.PATCH: Stream.PATCHES, PieceKind.OPENED_PATCH: Stream.PATCHES,
}  # fmt: skip
_OPENED = {PieceKind.OPENED, PieceKind.OPENED_PATCH}
_DIGEST = 32
_MOST = 1 << 24  # pieces of one side, and blobs
_BASES = 8  # old pieces of one new one
_NAME = 255  # bytes of an encoder's name


@dataclass(frozen=True)
class BaseBlob:
    """A blob that the site has.

    Attributes:
        pieces: how many it is cut into.
    """

    digest: Digest
    pieces: int


@dataclass(frozen=True)
class NewPiece:
    """A piece that has to be carried.

    Attributes:
        size: bytes.
        kind: how it is carried.
        carried: bytes of that.
        bases: numbers of old pieces that a patch is made of, joined in this order.
        view: bytes of it with the archives in it opened; 0 where none is.
        control: bytes of what puts them back.
    """

    size: int
    kind: PieceKind
    carried: int
    bases: tuple[int, ...] = ()
    view: int = 0
    control: int = 0


@dataclass(frozen=True)
class Compressed:
    """How a blob is compressed.

    Attributes:
        plain_size: bytes of what it holds.
        encoder: the encoder whose model was used, for people.
        side: pieces of side data.
    """

    plain_size: int
    encoder: str
    side: tuple[int, ...]


@dataclass(frozen=True)
class NewBlob:
    """A blob that the site will have.

    Attributes:
        digest: of the blob.
        size: of the blob.
        compressed: None where what it holds is the blob itself.
        pieces: of what it holds, or of its skeleton if that is a tar.
        bodies: pieces of a tar's file bodies, in order; None where it is no tar.
    """

    digest: Digest
    size: int
    compressed: Compressed | None
    pieces: tuple[int, ...]
    bodies: tuple[int, ...] | None


@dataclass(frozen=True)
class DeltaTable:
    """All of a delta but its bytes.

    Attributes:
        segments: of the file, in order.
        bases: blobs that it rests on.
        pieces: new ones.
        blobs: new ones.
    """

    segments: tuple[StreamSegment, ...]
    bases: tuple[BaseBlob, ...]
    pieces: tuple[NewPiece, ...]
    blobs: tuple[NewBlob, ...]

    @property
    def old_pieces(self) -> int:
        """How many old pieces there are; new ones have numbers from here on."""
        return sum(base.pieces for base in self.bases)


def encode(table: DeltaTable) -> bytes:
    """The table's bytes, before compression."""
    out = bytearray(put(len(table.segments)))
    for segment in table.segments:
        out += put(segment.stream) + put(segment.stored) + put(segment.plain)
    out += put(len(table.bases))
    for base in table.bases:
        out += base.digest.raw + put(base.pieces)
    out += put(len(table.pieces))
    near = 0
    for piece in table.pieces:
        out += put(piece.size) + put(piece.kind)
        out += put(piece.view) + put(piece.control) if piece.kind in _OPENED else b""
        out += put(piece.carried) if STREAM[piece.kind] is Stream.PATCHES else b""
        out += put(len(piece.bases))
        for number in piece.bases:
            out += put_signed(number - near)
            near = number + 1
    out += put(len(table.blobs))
    following = _Following(table.old_pieces)
    for blob in table.blobs:
        out += _encode_blob(blob, following)
    return bytes(out)


def decode(data: bytes, head: Head) -> DeltaTable:
    """The table that `encode` wrote, or what did in an older version.

    Args:
        data: its bytes.
        head: of its file.

    Raises:
        DamagedError: it is damaged, or says what cannot be.
    """
    numbers = Numbers(data)
    segments = head.segments if head.version == 1 else tuple(_segments(numbers))
    bases = tuple(
        BaseBlob(Digest.from_raw(numbers.bytes(_DIGEST)), numbers.take(_MOST))
        for _ in range(numbers.take(_MOST))
    )
    old = sum(base.pieces for base in bases)
    pieces = tuple(_pieces(numbers, old, head.version))
    following = _Following(old, len(pieces))
    blobs = tuple(_decode_blob(numbers, following) for _ in range(numbers.take(_MOST)))
    if not numbers.ended:
        raise DamagedError("a delta's table goes on behind its end")
    return DeltaTable(segments, bases, pieces, blobs)


def _segments(numbers: Numbers) -> Iterator[StreamSegment]:
    for _ in range(numbers.take(_MOST)):
        stream = Stream(numbers.take(max(Stream)))
        yield StreamSegment(stream, numbers.take(LIMITS.layer_plain), numbers.take(LIMITS.layer_plain))


def _pieces(numbers: Numbers, old: int, version: int) -> Iterator[NewPiece]:
    near = 0
    for _ in range(numbers.take(_MOST)):
        size, kind = (
            numbers.take(PIECE),
            PieceKind(numbers.take(max(PieceKind) if version > 1 else PieceKind.PATCH)),
        )
        opened = (numbers.take(VIEW), numbers.take(PIECE)) if kind in _OPENED else (0, 0)
        known = version > 1 and STREAM[kind] is Stream.WHOLE
        carried = (opened[0] or size) if known else numbers.take(max(PIECE, VIEW))
        of = list[int]()
        for _ in range(numbers.take(_BASES)):
            near = _within(near + numbers.take_signed(_MOST), old) + 1
            of.append(near - 1)
        yield NewPiece(size, kind, carried, tuple(of), *opened)


class _Following:
    """References as steps: the next old piece, the next new one, or some other.

    Args:
        old: how many old pieces there are.
        new: how many new ones; none needed for encoding.
    """

    def __init__(self, old: int, new: int = 0) -> None:
        self._old, self._all = old, old + new
        self._next = [0, old]

    def encode(self, references: Sequence[int]) -> bytes:
        """A list of references."""
        return put(len(references)) + b"".join(map(self._step, references))

    def decode(self, numbers: Numbers) -> tuple[int, ...]:
        """The list again.

        Raises:
            DamagedError: one of them leads nowhere.
        """
        return tuple(self._taken(numbers) for _ in range(numbers.take(_MOST)))

    def _step(self, reference: int) -> bytes:
        side = int(reference >= self._old)
        step, self._next[side] = reference - self._next[side], reference + 1
        return put(side) if step == 0 else put(2 + side) + put_signed(step)

    def _taken(self, numbers: Numbers) -> int:
        token = numbers.take(3)
        side = token & 1
        step = numbers.take_signed(_MOST) if token & 2 else 0
        reference = _within(self._next[side] + step, self._all)
        if (reference >= self._old) != bool(side):
            raise DamagedError("a delta's table refers to a piece of the wrong side")
        self._next[side] = reference + 1
        return reference


def _encode_blob(blob: NewBlob, following: _Following) -> bytes:
    compressed = blob.compressed
    form = 2 * bool(compressed) + (blob.bodies is not None)
    out = blob.digest.raw + put(blob.size) + put(form)
    if compressed:
        name = compressed.encoder.encode()[:_NAME]
        out += put(compressed.plain_size) + put(len(name)) + name + following.encode(compressed.side)
    out += following.encode(blob.pieces)
    return out + (following.encode(blob.bodies) if blob.bodies is not None else b"")


def _decode_blob(numbers: Numbers, following: _Following) -> NewBlob:
    digest, size = Digest.from_raw(numbers.bytes(_DIGEST)), numbers.take(LIMITS.layer_plain)
    form = numbers.take(3)
    compressed = None
    if form & 2:
        plain = numbers.take(LIMITS.layer_plain)
        name = numbers.bytes(numbers.take(_NAME)).decode(errors="replace")
        compressed = Compressed(plain, name, following.decode(numbers))
    pieces = following.decode(numbers)
    return NewBlob(digest, size, compressed, pieces, following.decode(numbers) if form & 1 else None)


def _within(number: int, end: int) -> int:
    if not 0 <= number < end:
        raise DamagedError(f"a delta's table refers to piece {number} of {end}")
    return number


def check_bases(table: DeltaTable, sizes: Iterable[int]) -> None:
    """Whether every patch's bases are within bounds, by the sizes of the site's own pieces.

    Raises:
        DamagedError: one is larger than a site would hold in memory.
    """
    known = list(sizes)
    for piece in table.pieces:
        if sum(known[number] for number in piece.bases) > BASE:
            raise DamagedError(f"a delta's piece rests on more than {BASE} bytes")
