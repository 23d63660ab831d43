"""Files and small documents as what `Uploader` reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest, verified
from airstore.core.pieces import pieces


class FileReader:
    """A `RangeReader` over files and documents in memory.

    Args:
        files: by digest; the registry, which hashes what it gets, notices another content.
        documents: in memory.
    """

    def __init__(self, files: Mapping[Digest, Path], documents: Mapping[Digest, bytes]) -> None:
        self._files, self._documents = files, documents

    def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``stop``; verified where that is the whole.

        Raises:
            DamagedError: the file is not what its name says, or ends before.
            StorageError: it cannot be read.
        """
        document = self._documents.get(digest)
        if document is not None:
            yield document[start:stop]
            return
        path = self._files[digest]
        with storage_errors(path):
            size = path.stat().st_size
        chunks = _chunks(path, start, size if stop is None else stop)
        if start == 0 and stop in {None, size}:
            yield from verified(chunks, digest, size, str(path))
        else:
            yield from chunks

    def read_bytes(self, digest: Digest, limit: int) -> bytes:
        """The whole of a small one.

        Raises:
            DamagedError: it is larger than ``limit``.
        """
        data = b"".join(self.read(digest, 0, limit + 1 if digest in self._documents else None))
        if len(data) > limit:
            raise DamagedError(f"{digest} is larger than {limit} bytes")
        return data


def _chunks(path: Path, start: int, stop: int) -> Iterator[bytes]:
    with storage_errors(path), path.open("rb") as file:
        file.seek(start)
        yield from pieces(file, stop - start)
        if file.tell() < stop:
            raise DamagedError(f"{path} was cut short", hint="run `airstore check`")
