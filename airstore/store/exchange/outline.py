"""What blobs are made of, in pieces that a delta speaks of: bodies with their paths, skeletons, side data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, repeat

from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.core.limits import MIB
from airstore.store.format.objects import ObjectKey, ObjectKind
from airstore.store.format.recipe import Opened, Step
from airstore.store.ingest import tar
from airstore.store.ingest.feed import Feed, gather
from airstore.store.read.reader import ObjectReader

PIECE = 32 * MIB  # bytes of a piece at most; a few times that is in memory while a delta is made or read


@frozen
class Piece:
    """Consecutive bytes of one kind.

    Attributes:
        name: path of the file that it belongs to; empty where it is of none.
        keys: the objects that hold them.
    """

    name: str
    keys: tuple[ObjectKey, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(key.size for key in self.keys)


@frozen
class Outline:
    """What a blob is made of.

    Attributes:
        size: of the blob.
        opened: how it is compressed; None where what follows is the blob itself.
        pieces: of all it holds, or of the skeleton if that is a tar.
        bodies: of a tar, in order, those that are not empty; None where it is no tar.
        side: of the side data that say how it is compressed.
    """

    blob: Digest
    size: int
    opened: Opened | None
    pieces: tuple[Piece, ...]
    bodies: tuple[Piece, ...] | None
    side: tuple[Piece, ...]

    def __iter__(self) -> Iterator[Piece]:
        """All of them, in an order that both sides know."""
        return iter((*self.pieces, *self.side, *(self.bodies or ())))


def outline(reader: ObjectReader, digest: Digest, *, named: bool = False) -> Outline:
    """What a blob is made of.

    Args:
        reader: of the store that has it.
        digest: of the blob.
        named: have bodies know their paths, for which the skeleton is read.

    Raises:
        NotFoundError: the store does not have it.
        DamagedError: its recipe is damaged, or with ``named`` its skeleton.
    """
    _, recipe = reader.root(digest, opened=True)
    steps = list(reader.steps(recipe))
    raw = [step for step in steps if isinstance(step, ObjectKey) and step.kind is ObjectKind.RAW]
    skeleton = [step for step in steps if isinstance(step, ObjectKey) and step.kind is ObjectKind.SKELETON]
    side = tuple(_cut("", recipe.opened.side)) if recipe.opened else ()
    if not skeleton:
        return Outline(digest, recipe.size, recipe.opened, tuple(_cut("", raw)), None, side)
    files = list(_files(steps))
    names = chain(_paths(reader, skeleton) if named else (), repeat(""))
    bodies = tuple(piece for name, keys in zip(names, files, strict=False) for piece in _cut(name, keys))
    return Outline(digest, recipe.size, recipe.opened, tuple(_cut("", skeleton)), bodies, side)


def content(reader: ObjectReader, piece: Piece) -> bytes:
    """A piece's bytes.

    Raises:
        DamagedError: an object has no good copy.
    """
    return gather(map(reader.object, piece.keys))


def contents(reader: ObjectReader, pieces: Sequence[Piece]) -> Iterator[bytes]:
    """The bytes of each of some pieces; the store's index is asked for many objects at once.

    Raises:
        DamagedError: an object has no good copy.
    """
    data = reader.objects(key for piece in pieces for key in piece.keys)
    return (gather(islice(data, len(piece.keys))) for piece in pieces)


def _files(steps: Iterable[Step]) -> Iterator[list[ObjectKey]]:
    """The objects of each file: between two files there is at least a header, which is skeleton."""
    keys: list[ObjectKey] = []
    for step in steps:
        if isinstance(step, int) and keys:
            yield keys
            keys = []
        elif isinstance(step, ObjectKey) and step.kind is ObjectKind.BODY:
            keys.append(step)
    if keys:
        yield keys


def _paths(reader: ObjectReader, skeleton: Iterable[ObjectKey]) -> Iterator[str]:
    return (name for name, _ in tar.members(Feed(map(reader.object, skeleton))))


def _cut(name: str, keys: Iterable[ObjectKey]) -> Iterator[Piece]:
    """Pieces of whole objects."""
    taken: list[ObjectKey] = []
    size = 0
    for key in keys:
        if taken and size + key.size > PIECE:
            yield Piece(name, tuple(taken))
            taken, size = [], 0
        taken.append(key)
        size += key.size
    if taken:
        yield Piece(name, tuple(taken))
