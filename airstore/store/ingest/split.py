"""A blob cut into segments: about 1 MiB of skeleton and content each, small enough to work on in parallel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from airstore.store.format.objects import PIECE, ObjectKind
from airstore.store.ingest import tar
from airstore.store.ingest.feed import Feed


class BlobSegment(NamedTuple):
    """Consecutive bytes of a blob.

    Attributes:
        kind: of the contents: `ObjectKind.RAW` or `ObjectKind.BODY`.
        skeleton: this segment's skeleton bytes, joined.
        steps: how they interleave: a number takes so many of the next skeleton bytes, bytes are one content.
    """

    kind: ObjectKind
    skeleton: bytes
    steps: tuple[int | bytes, ...]


def split(chunks: Iterable[bytes]) -> Iterator[BlobSegment]:
    """Cut a blob: a plain tar, told by its first block, at its file bodies; anything else every 1 MiB."""
    feed = Feed(chunks)
    if tar.is_tar(feed.peek(tar.BLOCK)):
        return _tar_segments(tar.spans(feed))
    return _raw_segments(feed)


def join(segments: Iterable[BlobSegment]) -> Iterator[bytes]:
    """The bytes that `split` cut."""
    for segment in segments:
        at = 0
        for step in segment.steps:
            if isinstance(step, bytes):
                yield step
            else:
                yield segment.skeleton[at : at + step]
                at += step


def _raw_segments(feed: Feed) -> Iterator[BlobSegment]:
    while piece := feed.take(PIECE):
        yield BlobSegment(ObjectKind.RAW, b"", (piece,))


def _tar_segments(spans: Iterable[tar.TarSpan]) -> Iterator[BlobSegment]:
    skeleton: list[bytes] = []
    steps: list[int | bytes] = []
    taken = plain = 0
    for body, data in spans:
        plain += len(data)
        if body:
            steps.extend((taken, data) if taken else (data,))
            taken = 0
        else:
            skeleton.append(data)
            taken += len(data)
        if plain >= PIECE:
            yield _segment(skeleton, steps, taken)
            skeleton, steps, taken, plain = [], [], 0, 0
    if plain:
        yield _segment(skeleton, steps, taken)


def _segment(skeleton: list[bytes], steps: list[int | bytes], taken: int) -> BlobSegment:
    last = (taken,) if taken else ()
    return BlobSegment(ObjectKind.BODY, b"".join(skeleton), (*steps, *last))
