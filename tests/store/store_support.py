"""Shared by the tests of the store: blobs to put, tars to split, a disk that fails when told to."""

from __future__ import annotations

import errno
import hashlib
import io
import random
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from hypothesis import settings

from airstore.core.durable import LocalDisk
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.store.blobs import BlobStore

PROPERTY = settings(max_examples=50, deadline=None, derandomize=True, database=None)


def descriptor(data: bytes) -> Descriptor:
    return Descriptor("application/octet-stream", Digest.of(data), len(data))


def noise(size: int, seed: int) -> bytes:
    """Incompressible bytes."""
    return random.Random(seed).randbytes(size)  # noqa: S311


def text(size: int, seed: int) -> bytes:
    """Compressible bytes."""
    words = [hashlib.sha256(bytes([seed, number])).hexdigest().encode() for number in range(50)]
    chosen = random.Random(seed).choices(words, k=size // 64 + 1)  # noqa: S311
    return b" ".join(chosen)[:size]


def make_tar(files: Mapping[str, bytes], format_: int = tarfile.PAX_FORMAT, mtime: float = 1.0) -> bytes:
    """A tar by the standard library, in the given order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as tar:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(body), int(mtime)
            tar.addfile(info, io.BytesIO(body))
    return out.getvalue()


def put(store: BlobStore, *blobs: bytes) -> list[Digest]:
    with store.writer() as writer:
        for blob in blobs:
            writer.put(descriptor(blob), lambda blob=blob: chunked(blob))  # type: ignore[misc]
    return [Digest.of(blob) for blob in blobs]


def chunked(data: bytes, size: int = 70_001) -> Iterable[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def read(store: BlobStore, digest: Digest) -> bytes:
    return b"".join(store.read(digest))


def packs_of(store: BlobStore) -> list[Path]:
    return sorted(store.layout.packs.iterdir())


def flip(path: Path, at: int) -> None:
    """Change one bit of a read-only file."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


class FaultyDisk(LocalDisk):
    """A real disk of which one operation fails: the ``nth`` of its kind, counted from 1."""

    def __init__(self, operation: str, nth: int, code: int = errno.ENOSPC) -> None:
        self.left = {operation: nth}
        self.code = code

    @property
    def failed(self) -> bool:
        return min(self.left.values()) <= 0

    def write(self, file: BinaryIO, data: bytes | memoryview) -> None:
        if self._due("write"):
            super().write(file, data[: len(data) // 2])  # a full disk takes a part
            raise OSError(self.code, "injected")
        super().write(file, data)

    def sync(self, file: BinaryIO) -> None:
        if self._due("sync"):
            raise OSError(self.code, "injected")
        super().sync(file)

    def publish(self, temporary: Path, final: Path) -> None:
        if self._due("publish"):
            raise OSError(self.code, "injected")
        super().publish(temporary, final)

    def _due(self, operation: str) -> bool:
        if operation in self.left:
            self.left[operation] -= 1
        return self.left.get(operation) == 0
