"""Bytes on disk for the length of one blob, in files without a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from airstore.core.durable import storage_errors
from airstore.core.limits import MIB


class Spool:
    """Takes bytes, then gives them back.

    Raises:
        StorageError: the disk is full or failed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with storage_errors(directory):
            self._file = TemporaryFile(dir=directory)  # noqa: SIM115 - closed by __exit__

    def write(self, data: bytes, /) -> None:
        """Append bytes."""
        with storage_errors(self._directory):
            self._file.write(data)

    def filled_by(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass chunks on, keeping a copy."""
        for chunk in chunks:
            self.write(chunk)
            yield chunk

    def read(self, piece: int = MIB) -> Iterator[bytes]:
        """All bytes, ``piece`` at a time."""
        with storage_errors(self._directory):
            self._file.seek(0)
            while data := self._file.read(piece):
                yield data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # a full disk: what is left to write is thrown away anyway
            self._file.close()
