"""How long a site takes to make blobs of a delta, so that what is left of an import can be said. Pure.

CPU time, measured with imports of full, fast and delta media (docs/benchmarks). Other machines are slower or
faster in about the same proportion for all of this work.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from airstore.core.image.digest import Digest
from airstore.media.delta.format.table import DeltaTable

UNIT = 1e-9  # seconds of one unit of work
MAKING = 8  # units for a byte of a new piece
JOINING = 24  # for a byte of what pieces are joined to, files that the site holds among them
OPENING = 550e-9  # seconds for a byte of a compressed blob that is held whole
_REBUILDING = 80e-9  # seconds for a byte that a compressed blob holds
_READING = 5e-9  # for a byte of a blob that is not compressed, or came as the registry has it
_BOTH_CORES = 2  # blobs are rebuilt two at a time


def work(table: DeltaTable, new_bytes: int, wanted: Container[Digest] | None = None) -> int:
    """Units of work that applying a delta is.

    Args:
        table: of the delta.
        new_bytes: of the new pieces that are made.
        wanted: blobs that are made; None for all.
    """
    return new_bytes * MAKING + sum(size for size, _ in _sizes(table, wanted)) * JOINING


def applying(table: DeltaTable) -> float:
    """Seconds for all new pieces and all blobs."""
    return work(table, sum(piece.size for piece in table.pieces)) * UNIT


def rebuilding(table: DeltaTable, wanted: Container[Digest] | None = None) -> float:
    """Seconds to rebuild blobs, and to hash what comes of it.

    Args:
        table: of the delta that they are in.
        wanted: those that are rebuilt; None for all.
    """
    seconds = [size * (_REBUILDING if compressed else _READING) for size, compressed in _sizes(table, wanted)]
    return max(max(seconds, default=0.0), sum(seconds) / _BOTH_CORES)


def reading(size: int) -> float:
    """Seconds to read back blobs that came as the registry has them.

    Args:
        size: of their packs, bytes.
    """
    return size * _READING / _BOTH_CORES


def _sizes(table: DeltaTable, wanted: Container[Digest] | None) -> Iterator[tuple[int, bool]]:
    """Plain bytes of blobs, and whether they are compressed."""
    for blob in table.blobs:
        if wanted is None or blob.digest in wanted:
            yield (blob.compressed.plain_size, True) if blob.compressed else (blob.size, False)
