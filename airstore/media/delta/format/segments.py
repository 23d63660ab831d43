"""A delta's streams, cut into segments: each is compressed by itself, several at the same time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple, Protocol

from airstore.core.durable import storage_errors
from airstore.core.limits import KIB, MIB
from airstore.core.progress import Advance
from airstore.media.delta.format.layout import Stream, StreamSegment
from airstore.media.delta.format.packing import MachineCode, Method, Packing, unpack
from airstore.store.blobs import Feed

_PART = 256 * KIB  # bytes that are read at once
SEGMENT = 64 * MIB  # plain bytes at most
_MUCH = 2 * MIB  # bytes of a last segment that two workers share, of a stream that has small ones


@dataclass
class _Open:
    """A segment that is not full yet, and what `Advance` will hear of."""

    parts: list[bytes] = field(default_factory=list)
    plain: int = 0
    count: int = 0
    code: Counter[MachineCode] = field(default_factory=Counter)


class Packer(Protocol):
    """Says how segments are compressed."""

    def most(self, stream: Stream) -> int:
        """Plain bytes of one at most."""

    def packing(self, stream: Stream, plain: int, code: Mapping[MachineCode, int]) -> Packing:
        """How one of so many bytes is, so many of which are machine code."""


class _SegmentJob(NamedTuple):
    stream: Stream
    segment: _Open
    method: Method
    frame: Future[bytes]


class SegmentWriter:
    """Compresses streams into a file; the same bytes whatever the number of workers.

    Args:
        file: takes the segments, in the order in which they are full.
        compress: begins to compress one.
        packer: says how.
        ahead: segments that may wait; what each holds is in memory, and then what came of it.
        advance: called with the count that was given for what is written.

    Attributes:
        segments: those written.
    """

    def __init__(
        self,
        file: BinaryIO,
        compress: Callable[[Sequence[bytes], Packing], Future[bytes]],
        packer: Packer,
        ahead: int,
        advance: Advance,
    ) -> None:
        self._file, self._compress, self._packer = file, compress, packer
        self._ahead, self._advance = ahead, advance
        self._waiting: deque[_SegmentJob] = deque()
        self._open: dict[Stream, _Open] = {stream: _Open() for stream in Stream}
        self.segments: list[StreamSegment] = []

    def write(self, stream: Stream, data: bytes, count: int, code: MachineCode | None = None) -> None:
        """Append to a stream what `advance` hears of as so much, once it is compressed."""
        if not data and not count:
            return
        if self._open[stream].plain + len(data) > self._packer.most(stream):
            self._close(stream)
        segment = self._open[stream]
        segment.parts.append(data)
        segment.plain += len(data)
        segment.count += count
        if code:
            segment.code[code] += len(data)

    def finish(self) -> None:
        """Write what is left."""
        for stream in Stream:
            self._halve(stream)
            self._close(stream)
        while self._waiting:
            self._take()

    def cancel(self) -> None:
        """Drop what has not begun."""
        for job in self._waiting:
            job.frame.cancel()

    def _halve(self, stream: Stream) -> None:
        """Close the first half of what is open where it is much: one worker would be alone with all of it."""
        whole = self._open[stream]
        if whole.plain < _MUCH or self._packer.most(stream) == SEGMENT:
            return
        plain, half = b"".join(whole.parts), whole.plain // 2
        self._open[stream] = _Open([plain[:half]], half)
        self._close(stream)
        self._open[stream] = _Open([plain[half:]], whole.plain - half, whole.count, whole.code)

    def _close(self, stream: Stream) -> None:
        segment, self._open[stream] = self._open[stream], _Open()
        if segment.parts:
            while len(self._waiting) >= self._ahead:
                self._take()
            packing = self._packer.packing(stream, segment.plain, segment.code)
            frame = self._compress(segment.parts, packing)
            self._waiting.append(_SegmentJob(stream, segment, packing.method, frame))

    def _take(self) -> None:
        job = self._waiting.popleft()
        frame = job.frame.result()
        self._file.write(frame)
        self.segments.append(StreamSegment(job.stream, len(frame), job.segment.plain, job.method))
        self._advance(job.segment.count)


def read_streams(
    path: Path, start: int, segments: Sequence[StreamSegment], temporary: Path | None = None
) -> dict[Stream, Feed]:
    """The plain bytes of each stream.

    Args:
        path: the file.
        start: where its first segment is.
        segments: all of them, in order.
        temporary: a directory with room for a segment. Patches are unpacked there before the first is
            given: what unpacks them takes as much memory as applying them does.
    """
    return {stream: Feed(_chunks(path, start, segments, stream, temporary)) for stream in Stream}


def _chunks(
    path: Path, start: int, segments: Sequence[StreamSegment], stream: Stream, temporary: Path | None
) -> Iterator[bytes]:
    with storage_errors(path), path.open("rb") as file:
        for segment in segments:
            if segment.stream is stream:
                file.seek(start)
                plain = unpack(file, segment.method, segment.stored, segment.plain)
                if temporary and stream is Stream.PATCHES:
                    plain = _at_rest(plain, temporary)
                yield from plain
            start += segment.stored


def _at_rest(parts: Iterator[bytes], temporary: Path) -> Iterator[bytes]:
    """The same bytes, when all of them are on disk."""
    with TemporaryFile(dir=temporary) as file:
        for part in parts:
            with storage_errors(temporary):
                file.write(part)
        file.seek(0)
        while part := file.read(_PART):
            yield part
