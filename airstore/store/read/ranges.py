"""Which bytes of which objects a range of a blob is, and bytes in chunks of a useful size. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airstore.core.limits import KIB
from airstore.store.format.objects import ObjectKey, ObjectKind
from airstore.store.format.recipe import Step

_CHUNK = 256 * KIB  # bytes; smaller steps are joined before they are handed out


def slices(steps: Iterable[Step], start: int, end: int, whole: int) -> Iterator[tuple[ObjectKey, int, int]]:
    """Which bytes of which objects make up a range of a blob, in order."""
    at = used = 0
    skeleton: ObjectKey | None = None
    for step in steps:
        if isinstance(step, ObjectKey) and step.kind is ObjectKind.SKELETON:
            skeleton, used = step, 0
            continue
        size = step if isinstance(step, int) else step.size
        first, last = max(start - at, 0), min(end - at, size)
        if first < last and isinstance(step, ObjectKey):
            yield step, first, last
        elif first < last and skeleton is not None:
            yield skeleton, used + first, used + last
        used += step if isinstance(step, int) else 0
        at += size
        if end <= at < whole:
            return  # to the very end only for a range that reaches it: there the recipe proves complete


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer, larger chunks."""
    waiting: list[bytes] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        if count >= _CHUNK:
            yield b"".join(waiting)
            waiting, count = [], 0
    if waiting:
        yield b"".join(waiting)


def cut(chunks: Iterable[bytes], start: int, end: int) -> Iterator[bytes]:
    """The bytes of a range; all chunks are read, so that whoever verifies them sees their end."""
    at = 0
    for chunk in chunks:
        if piece := chunk[max(start - at, 0) : max(end - at, 0)]:
            yield piece
        at += len(chunk)
