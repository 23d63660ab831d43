"""A delta's table: which old pieces it rests on, the new pieces, and the blobs that both make up. Pure.

A *piece* is a file's body, a tar's skeleton, side data or a raw blob, cut every `.patch.PIECE` bytes. Old
pieces have numbers from 0 on, in the order of the base blobs; new ones follow them. References are relative:
unchanged neighbours cost nearly nothing once compressed, and no digest is carried that the site can compute.

A delta for sites that hold different blobs says which old pieces are the same in two of them, and a new piece
may *stand for* one that some sites have and others do not; it may rest on new ones before it.
"""

from __future__ import annotations

from collections.abc import Iterator

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.media.delta.format.layout import (
    PACKED_VERSION,
    SHARED_VERSION,
    VERSION,
    Head,
    Stream,
    StreamSegment,
)
from airstore.media.delta.format.nested import VIEW
from airstore.media.delta.format.packing import Method
from airstore.media.delta.format.patch import PIECE, PieceKind
from airstore.media.delta.format.references import MOST, Following, Same, decode_same, encode_same, within
from airstore.media.delta.format.wire import Numbers, put, put_signed

STREAM = {
    PieceKind.WHOLE: Stream.WHOLE, PieceKind.OPENED: Stream.WHOLE,
    PieceKind.PATCH: Stream.PATCHES, PieceKind.OPENED_PATCH: Stream.PATCHES,
}  # fmt: skip
_OPENED = {PieceKind.OPENED, PieceKind.OPENED_PATCH}
_DIGEST = 32
_BASES = 8  # old pieces of one new one
_NAME = 255  # bytes of an encoder's name


@frozen
class BaseBlob:
    """A blob that the site has.

    Attributes:
        pieces: how many it is cut into.
    """

    digest: Digest
    pieces: int


@frozen
class NewPiece:
    """A piece that has to be carried.

    Attributes:
        size: bytes.
        kind: how it is carried.
        carried: bytes of that.
        bases: numbers of old pieces that a patch is made of, joined in this order.
        view: bytes of it with the archives in it opened; 0 where none is.
        control: bytes of what puts them back.
        stands_for: number of a piece before it that it is another way to have; None for one of its own.
    """

    size: int
    kind: PieceKind
    carried: int
    bases: tuple[int, ...] = ()
    view: int = 0
    control: int = 0
    stands_for: int | None = None


@frozen
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


@frozen
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


@frozen
class DeltaTable:
    """All of a delta but its bytes.

    Attributes:
        segments: of the file, in order.
        bases: blobs that it rests on.
        pieces: new ones.
        blobs: new ones.
        same: old pieces that are the same, in a delta for sites that hold different blobs; None in others.
    """

    segments: tuple[StreamSegment, ...]
    bases: tuple[BaseBlob, ...]
    pieces: tuple[NewPiece, ...]
    blobs: tuple[NewBlob, ...]
    same: tuple[Same, ...] | None = None

    @property
    def version(self) -> int:
        """Of the format that it takes: the lowest, which most sites can read."""
        least = VERSION if self.same is None else SHARED_VERSION
        return least + PACKED_VERSION * self.packed

    @property
    def packed(self) -> bool:
        """Whether a segment is compressed by anything but zstd."""
        return any(segment.method is not Method.ZSTD for segment in self.segments)

    @property
    def old_pieces(self) -> int:
        """How many old pieces there are; new ones have numbers from here on."""
        return sum(base.pieces for base in self.bases)


def encode(table: DeltaTable) -> bytes:
    """The table's bytes, before compression."""
    out = bytearray(put(len(table.segments)))
    for segment in table.segments:
        out += put(segment.stream) + (put(segment.method) if table.packed else b"")
        out += put(segment.stored) + put(segment.plain)
    out += put(len(table.bases))
    for base in table.bases:
        out += base.digest.raw + put(base.pieces)
    out += encode_same(table.same) if table.same is not None else b""
    out += put(len(table.pieces))
    near = 0
    for own, piece in enumerate(table.pieces, table.old_pieces):
        if table.same is not None:
            out += put(0 if piece.stands_for is None else own - piece.stands_for)
        out += put(piece.size) + put(piece.kind)
        out += put(piece.view) + put(piece.control) if piece.kind in _OPENED else b""
        out += put(piece.carried) if STREAM[piece.kind] is Stream.PATCHES else b""
        out += put(len(piece.bases))
        for number in piece.bases:
            out += put_signed(number - near)
            near = number + 1
    out += put(len(table.blobs))
    following = Following(table.old_pieces)
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
    segments = head.segments if head.version == 1 else tuple(_segments(numbers, packed=head.packed))
    bases = tuple(
        BaseBlob(Digest.from_raw(numbers.bytes(_DIGEST)), numbers.take(MOST))
        for _ in range(numbers.take(MOST))
    )
    old = sum(base.pieces for base in bases)
    same = tuple(decode_same(numbers, within(old, MOST))) if head.shared else None
    pieces = tuple(_pieces(numbers, old, head))
    following = Following(old, len(pieces))
    blobs = tuple(_decode_blob(numbers, following) for _ in range(numbers.take(MOST)))
    if not numbers.ended:
        raise DamagedError("a delta's table continues behind its end")
    return DeltaTable(segments, bases, pieces, blobs, same)


def _segments(numbers: Numbers, *, packed: bool) -> Iterator[StreamSegment]:
    for _ in range(numbers.take(MOST)):
        stream = Stream(numbers.take(max(Stream)))
        method = Method(numbers.take(max(Method))) if packed else Method.ZSTD
        sizes = numbers.take(LIMITS.layer_plain), numbers.take(LIMITS.layer_plain)
        yield StreamSegment(stream, *sizes, method)


def _pieces(numbers: Numbers, old: int, head: Head) -> Iterator[NewPiece]:
    near = 0
    for own in range(old, old + numbers.take(MOST)):
        back = numbers.take(own) if head.shared else 0
        size, kind = (
            numbers.take(PIECE),
            PieceKind(numbers.take(max(PieceKind) if head.version > 1 else PieceKind.PATCH)),
        )
        opened = (numbers.take(VIEW), numbers.take(PIECE)) if kind in _OPENED else (0, 0)
        known = head.version > 1 and STREAM[kind] is Stream.WHOLE
        carried = (opened[0] or size) if known else numbers.take(max(PIECE, VIEW))
        of = list[int]()
        for _ in range(numbers.take(_BASES)):
            near = within(near + numbers.take_signed(MOST), own if head.shared else old) + 1
            of.append(near - 1)
        yield NewPiece(size, kind, carried, tuple(of), *opened, own - back if back else None)


def _encode_blob(blob: NewBlob, following: Following) -> bytes:
    compressed = blob.compressed
    form = 2 * bool(compressed) + (blob.bodies is not None)
    out = blob.digest.raw + put(blob.size) + put(form)
    if compressed:
        name = compressed.encoder.encode()[:_NAME]
        out += put(compressed.plain_size) + put(len(name)) + name + following.encode(compressed.side)
    out += following.encode(blob.pieces)
    return out + (following.encode(blob.bodies) if blob.bodies is not None else b"")


def _decode_blob(numbers: Numbers, following: Following) -> NewBlob:
    digest, size = Digest.from_raw(numbers.bytes(_DIGEST)), numbers.take(LIMITS.layer_plain)
    form = numbers.take(3)
    compressed = None
    if form & 2:
        plain = numbers.take(LIMITS.layer_plain)
        name = numbers.bytes(numbers.take(_NAME)).decode(errors="replace")
        compressed = Compressed(plain, name, following.decode(numbers))
    pieces = following.decode(numbers)
    return NewBlob(digest, size, compressed, pieces, following.decode(numbers) if form & 1 else None)
