"""SHA-256 digests as OCI writes them (image-spec, descriptor.md, "Digests")."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, Self

from airstore.core.errors import DamagedError

_OTHER = re.compile(r"sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}")
_GRAMMAR = re.compile(r"sha256:[a-f0-9]{64}")


class Digest(str):
    """``sha256:`` and 64 lower-case hex digits; nothing else can be constructed.

    Only SHA-256 is accepted: it is what every registry in the field stores blobs under.

    Raises:
        DamagedError: the text is not such a digest (upper case, other algorithm, wrong length).
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:  # noqa: D102 - see the class
        if not _GRAMMAR.fullmatch(text):
            raise DamagedError(f"not a sha256 digest in lower-case hex: {text[:100]!r}")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, data: bytes | memoryview) -> Self:
        """Digest of bytes in memory."""
        return cls.from_raw(hashlib.sha256(data).digest())

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Digest of a file's content, read in pieces."""
        with path.open("rb") as file:
            return cls.from_raw(hashlib.file_digest(file, "sha256").digest())

    @classmethod
    def from_raw(cls, raw: bytes) -> Self:
        """Digest from its 32 raw bytes."""
        return cls("sha256:" + raw.hex())

    @property
    def hex(self) -> str:
        """The 64 hex digits."""
        return self[7:]

    @property
    def raw(self) -> bytes:
        """The 32 raw bytes."""
        return bytes.fromhex(self[7:])

    @property
    def short(self) -> str:
        """Twelve hex digits, for people."""
        return self[7:19]


def is_other_hash(text: str) -> bool:
    """Whether it is a digest that OCI allows, and that registries in the field do not answer to."""
    return _OTHER.fullmatch(text) is not None


class RunningHash(Protocol):
    """A hash being computed, as `hashlib` makes them."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""


def hashed_aside(chunks: Iterable[bytes], running: RunningHash) -> Iterator[bytes]:
    """Pass chunks on while a thread hashes them, so that whoever takes them works at the same time.

    At most two chunks are held. All of them are hashed when the iterator has ended.
    """
    pending: Future[None] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="airstore-hash") as hasher:
        for chunk in chunks:
            if pending:
                pending.result()
            pending = hasher.submit(running.update, chunk)
            yield chunk
        if pending:
            pending.result()


def verified(chunks: Iterable[bytes], digest: Digest, size: int, what: str = "blob") -> Iterator[bytes]:
    """Pass chunks on and fail at the end, or as soon as they are too many, unless they are as expected.

    The consumer must not act on the bytes before the iterator is exhausted.

    Raises:
        DamagedError: the stream is longer, shorter or different.
    """
    running, count = hashlib.sha256(), 0
    for chunk in chunks:
        count += len(chunk)
        if count > size:
            raise DamagedError(f"{what} {digest} is longer than its stated {size} bytes")
        running.update(chunk)
        yield chunk
    if count != size:
        raise DamagedError(f"{what} {digest} ends after {count} of {size} bytes")
    if running.digest() != digest.raw:
        raise DamagedError(f"{what} {digest} has other content: sha256:{running.hexdigest()}")
