"""Chunks of any size in, exactly the asked number of bytes out."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator


def gather(chunks: Iterable[bytes]) -> bytes:
    """All of these in one, with no more than one of them in memory beside it."""
    out = io.BytesIO()
    for chunk in chunks:
        out.write(chunk)
    return out.getvalue()


class Feed:
    """A byte stream that is taken in measured bites; holds one chunk and one bite at most."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = b""
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes; fewer only where the stream ends."""
        end = self._at + count
        if end <= len(self._chunk):
            taken = self._chunk[self._at : end]
            self._at = end
            return taken
        return self._gather(count)

    def parts(self, count: int) -> Iterator[bytes]:
        """What `take` would give, in parts as they come: however much it is, one chunk is held."""
        while count:
            if self._at == len(self._chunk):
                following = next(self._chunks, None)
                if following is None:
                    return
                self._chunk, self._at = following, 0
            taken = self._chunk[self._at : self._at + count]
            self._at += len(taken)
            count -= len(taken)
            yield taken

    def peek(self, count: int) -> bytes:
        """What `take` would give, without moving on."""
        bite = self.take(count)
        self._chunk = bite + self._chunk[self._at :]
        self._at = 0
        return bite

    def _gather(self, count: int) -> bytes:
        parts = [self._chunk[self._at :]]
        missing = count - len(parts[0])
        self._chunk, self._at = b"", 0
        for chunk in self._chunks:
            if len(chunk) >= missing:
                parts.append(chunk[:missing])
                self._chunk, self._at = chunk, missing
                break
            parts.append(chunk)
            missing -= len(chunk)
        return b"".join(parts)
