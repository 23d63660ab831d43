"""Files of an OCI layout or docker archive, in a directory or in a tar; no link leads out of a tar.

Those in a directory may be links, as Bazel makes layouts: what they lead to has to have the digest asked for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Protocol

from airstore.core.errors import DamagedError, NotFoundError
from airstore.registry.sources.tarindex import index_tar, read_at

_CHUNK = 1 << 18
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO that somebody put in the place of a blob would hang.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class Files(Protocol):
    """Regular files by relative path, in a directory or a tar.

    Attributes:
        name: what errors call it.
    """

    name: str

    def size(self, path: str) -> int | None:
        """Size in bytes; None where there is no such file. Raises DamagedError for anything odd."""

    def stream(self, path: str) -> Iterator[bytes]:
        """The file's bytes; several streams may run at once. Raises NotFoundError or DamagedError."""

    def close(self) -> None:
        """Let go of it."""


class DirectoryFiles:
    """`Files` of a directory."""

    def __init__(self, path: Path) -> None:
        """Open a directory.

        Raises:
            NotFoundError: no such directory.
        """
        self.name = str(path)
        try:
            self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as fault:
            raise NotFoundError(f"cannot open {path}: {fault.strerror}") from fault

    def close(self) -> None:
        """Close the directory; the number is forgotten, for the system may give it to another file."""
        root, self._root = self._root, -1
        if root >= 0:
            os.close(root)

    def size(self, path: str) -> int | None:
        """See `Files`."""
        with ExitStack() as stack:
            try:
                return os.fstat(self._open(path, stack)).st_size
            except NotFoundError:
                return None

    def stream(self, path: str) -> Iterator[bytes]:
        """See `Files`."""
        with ExitStack() as stack:
            handle = self._open(path, stack)
            while chunk := self._read(handle, path):
                yield chunk

    def _read(self, handle: int, path: str) -> bytes:
        try:
            return os.read(handle, _CHUNK)
        except OSError as fault:
            raise DamagedError(f"cannot read {self.name}/{path}: {fault.strerror}") from fault

    def _open(self, path: str, stack: ExitStack) -> int:
        *folders, last = PurePosixPath(path).parts
        handle = self._root
        try:
            for folder in folders:
                handle = _opened(folder, _DIRECTORY, handle, stack)
            handle = _opened(last, _FILE, handle, stack)
        except FileNotFoundError as fault:
            raise NotFoundError(f"{self.name} has no {path}") from fault
        except OSError as fault:
            raise DamagedError(
                f"{self.name}: cannot open {path} as a plain file: {fault.strerror}"
            ) from fault
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise DamagedError(f"{self.name}: {path} is not a plain file")
        return handle


def _opened(name: str, flags: int, parent: int, stack: ExitStack) -> int:
    handle = os.open(name, flags, dir_fd=parent)
    stack.callback(os.close, handle)
    return handle


_WAY_OUT = (
    "is it whole? skopeo may read it all the same: have it write the image anew with `skopeo copy` to"
    " oci:DIRECTORY, and name that under images.sources"
)


class TarFiles:
    """`Files` of a plain tar, read in place."""

    def __init__(self, path: Path) -> None:
        """Open and index a tar.

        Raises:
            NotFoundError: no such file.
            UsageError: the tar is compressed.
            DamagedError: not a whole, unambiguous tar.
        """
        self.name = str(path)
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as fault:
            raise NotFoundError(f"cannot open {path}: {fault.strerror}") from fault
        try:
            self._index = index_tar(self._handle, self.name)
        except DamagedError as fault:
            self.close()
            raise DamagedError(str(fault), hint=fault.hint or _WAY_OUT) from fault
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the tar; the number is forgotten, for the system may give it to another file."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def size(self, path: str) -> int | None:
        """See `Files`."""
        member = self._index.find(path)
        return member.size if member else None

    def stream(self, path: str) -> Iterator[bytes]:
        """See `Files`."""
        member = self._index.find(path)
        if member is None:
            raise NotFoundError(f"{self.name} has no {path}")
        position, end = member.offset, member.offset + member.size
        while position < end:
            chunk = read_at(self._handle, position, min(_CHUNK, end - position), self.name)
            position += len(chunk)
            yield chunk


def read_small(files: Files, path: str, limit: int) -> bytes:
    """A file that is read at once.

    Raises:
        NotFoundError: there is none.
        DamagedError: it is larger than ``limit`` bytes.
    """
    data = bytearray()
    for chunk in files.stream(path):
        data += chunk
        if len(data) > limit:
            raise DamagedError(f"{files.name}: {path} is larger than {limit} bytes")
    return bytes(data)
