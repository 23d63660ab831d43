"""Gzip blobs opened and rebuilt, as iterators of chunks."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator

from airstore.codec.native import KeptWholeError, Recorded, rebuild, record
from airstore.codec.pulled import Chunks, pulled
from airstore.codec.streams import Writable

MAGIC = b"\x1f\x8b"
FORMAT = 1  # of the side data; see docs/formats-codec.md
_FREE = 64 << 10  # bytes of side data that no blob has to account for
_SHARE = 4  # side data may be a fourth of the gzip bytes; beyond that the whole blob is cheaper


class Opening:
    """One gzip blob being recorded: first `plain` to its end, then `recorded`.

    Args:
        blob: the gzip bytes.
        side: takes the side data, from another thread.
    """

    def __init__(self, blob: Iterable[bytes], side: Writable) -> None:
        self._blob = _Counted(blob)
        self._side = _BoundedSide(side, self._blob)
        self._recorded: Recorded | None = None

    def plain(self) -> Generator[bytes, None, None]:
        """The plain bytes; worth nothing before the iterator has ended.

        Raises:
            KeptWholeError: the blob cannot be put back exactly, or its side data would be too large.
        """
        return pulled(self._record)

    @property
    def recorded(self) -> Recorded:
        """What it was recorded as."""
        if self._recorded is None:
            raise ValueError("the recording has not ended")
        return self._recorded

    def _record(self, plain: Writable) -> None:
        self._recorded = record(self._blob, plain, self._side)


def rebuilt(plain: Iterable[bytes], side: Iterable[bytes]) -> Iterator[bytes]:
    """A gzip blob from its plain bytes and side data; the caller compares its digest.

    Raises:
        DamagedError: they were damaged, or do not belong together.
    """
    return pulled(lambda gzip: rebuild(Chunks(plain), Chunks(side), gzip))


def takes_every_core(encoder: str) -> bool:
    """Whether rebuilding what this encoder wrote is done in parallel by itself: its blocks stand alone."""
    return encoder.startswith(("pgzip", "pigz"))


class _Counted:
    """A stream that counts what was read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = Chunks(chunks)
        self.count = 0

    def read(self, size: int, /) -> bytes:
        data = self._chunks.read(size)
        self.count += len(data)
        return data


class _BoundedSide:
    """Side data, up to a share of what was read of the blob."""

    def __init__(self, side: Writable, blob: _Counted) -> None:
        self._side, self._blob = side, blob
        self._count = 0

    def write(self, data: bytes, /) -> None:
        self._count += len(data)
        if self._count > _FREE + self._blob.count // _SHARE:
            raise KeptWholeError(
                f"its encoder is not one of those known: side data would be {self._count} bytes for the "
                f"first {self._blob.count}"
            )
        self._side.write(data)
