"""Lines that are written twice, so that what one file has lost, the other still says.

The copy comes first with the first line, and last with each later one. Killed in between, the file is at most
one line ahead of its copy; where the copy is ahead, or says something else, lines were lost or changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from airstore.core.durable import storage_errors, write_file
from airstore.core.frozen import frozen


@frozen
class TwofoldLines:
    """One file of lines and its copy.

    Attributes:
        path: of the file; the copy lies beside it. Files of before there were copies have none.
    """

    path: Path

    @property
    def copy(self) -> Path:
        """The other file."""
        return self.path.with_suffix(f".copy{self.path.suffix}")

    def begin(self, line: bytes) -> None:
        """Write the first line, durably but for the directory.

        Raises:
            StorageError: the disk is full or failed.
        """
        for path in (self.copy, self.path):
            _append(path, line, os.O_CREAT)

    def append(self, line: bytes) -> None:
        """Write a later line, durably.

        Raises:
            StorageError: the disk is full or failed; what the line announces must not be done.
        """
        _append(self.path, line, os.O_CREAT)
        if self.copy.exists():
            _append(self.copy, line, 0)

    def read(self) -> dict[Path, bytes]:
        """The whole lines of each file that is there, the file before its copy.

        Raises:
            StorageError: the disk failed.
        """
        return {path: data[: data.rfind(b"\n") + 1] for path, data in self._files()}

    def mend(self, lines: bytes, *, copied: bool) -> list[Path]:
        """Have both files say these lines, and nothing after them.

        Args:
            lines: what is right.
            copied: there has to be a copy.

        Returns:
            What was written.

        Raises:
            StorageError: the disk is full or failed; run it again.
        """
        there = dict(self._files())
        wanted = [path for path in (self.path, self.copy) if path in there or path == self.path or copied]
        wrong = [path for path in wanted if there.get(path) != lines]
        for path in wrong:
            write_file(path, lines, mode=0o600)
        return wrong

    def _files(self) -> Iterator[tuple[Path, bytes]]:
        for path in (self.path, self.copy):
            with storage_errors(path):
                if path.is_file():
                    yield path, path.read_bytes()


def _append(path: Path, line: bytes, flags: int) -> None:
    with storage_errors(path):
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | flags, 0o600)
        try:
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
