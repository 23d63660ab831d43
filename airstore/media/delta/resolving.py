"""Which new pieces a site makes, by what it holds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator

from airstore.core.errors import DamagedError
from airstore.core.frozen import frozen
from airstore.core.image.digest import Digest
from airstore.media.delta.format.patch import BASE
from airstore.media.delta.format.table import DeltaTable, NewBlob


@frozen
class Resolution:
    """How a site comes by pieces.

    Attributes:
        ways: number of a piece that it does not hold, to the position of the new piece that it makes for it.
        made: positions of the new pieces that it makes.
        lacking: numbers of pieces that it neither holds nor can make.
        plain_bytes: of the pieces that it makes.
        carried_bytes: of what is carried for them, before compression.
    """

    ways: dict[int, int]
    made: frozenset[int]
    lacking: tuple[int, ...]
    plain_bytes: int
    carried_bytes: int


def resolve(table: DeltaTable, wanted: Container[Digest], held: Callable[[int], bool]) -> Resolution:
    """What a site makes so that it has some of the blobs.

    Args:
        table: of the delta.
        wanted: digests of blobs; others of the delta are not looked at.
        held: whether the site has an old piece, by its number.
    """
    ways = _ways(table, held)
    needed = {number for blob in table.blobs if blob.digest in wanted for number in _referred(blob)}
    made = set[int]()
    for at in reversed(range(len(table.pieces))):
        piece, own = table.pieces[at], table.old_pieces + at
        makes = {own, own if piece.stands_for is None else piece.stands_for}
        if any(number in needed and ways.get(number) == at for number in makes):
            made.add(at)
            needed |= set(piece.bases)
    old = table.old_pieces
    lacking = tuple(sorted(n for n in needed if n not in ways and not (n < old and held(n))))
    plain = sum(table.pieces[at].size for at in made)
    carried = sum(table.pieces[at].carried + table.pieces[at].control for at in made)
    return Resolution(ways, frozenset(made), lacking, plain, carried)


def check_bases(table: DeltaTable, resolution: Resolution, size: Callable[[int], int]) -> None:
    """Whether the bases of every piece that is made are within bounds.

    Args:
        table: of the delta.
        resolution: what is made.
        size: of a piece by its number, which is held or made.

    Raises:
        DamagedError: one is larger than a site would hold in memory.
    """
    for at in resolution.made:
        if sum(map(size, table.pieces[at].bases)) > BASE:
            raise DamagedError(f"a delta's piece rests on more than {BASE} bytes")


def _ways(table: DeltaTable, held: Callable[[int], bool]) -> dict[int, int]:
    ways: dict[int, int] = {}
    old = table.old_pieces
    for at, piece in enumerate(table.pieces):
        if not all(base in ways or (base < old and held(base)) for base in piece.bases):
            continue
        ways[old + at] = at
        other = piece.stands_for
        if other is not None and other not in ways and not (other < old and held(other)):
            ways[other] = at
    return ways


def _referred(blob: NewBlob) -> Iterator[int]:
    yield from blob.pieces
    yield from blob.compressed.side if blob.compressed else ()
    yield from blob.bodies or ()
