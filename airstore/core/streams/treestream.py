"""A directory as a tar stream, and back: plain files and directories, nothing that leads outside."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from airstore.core.durable import make_directory, storage_errors
from airstore.core.errors import DamagedError, UsageError
from airstore.core.pieces import pieces

_PIECE = 1 << 20
_END = bytes(2 * tarfile.BLOCKSIZE)

Wanted = Callable[[PurePosixPath], bool]


def files_of(directory: Path, wanted: Wanted) -> list[Path]:
    """Everything below a directory that ``wanted`` takes, sorted; it is asked about relative paths.

    Raises:
        UsageError: there is something that is neither a file nor a directory.
    """
    found: list[Path] = []
    for root, directories, names in os.walk(directory):
        here = Path(root)
        directories[:] = sorted(name for name in directories if wanted(_relative(directory, here / name)))
        found += [here / name for name in directories]
        found += [here / name for name in names if wanted(_relative(directory, here / name))]
    for path in found:
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise UsageError(f"{path} is neither a file nor a directory, and cannot be sent")
    return sorted(found)


def tar_chunks(directory: Path, files: list[Path], advance: Callable[[int], None]) -> Iterator[bytes]:
    """The tar stream of these files; ``advance`` is told the bytes of content."""
    for path in files:
        info = tarfile.TarInfo(str(_relative(directory, path)))
        info.mode = path.stat().st_mode & 0o777
        if path.is_dir():
            info.type = tarfile.DIRTYPE
            yield info.tobuf(tarfile.PAX_FORMAT)
        else:
            yield from _file(path, info, advance)
    yield _END


def unpack(stream: IO[bytes], directory: Path) -> None:
    """Write a tar stream into a new directory, durably, and read the stream to its end.

    Raises:
        DamagedError: it is no such stream.
        StorageError: it cannot be written.
    """
    with storage_errors(directory):
        make_directory(directory)
        directory.chmod(0o700)
        try:
            with tarfile.open(fileobj=stream, mode="r|", bufsize=_PIECE) as tar:
                for member in tar:
                    _unpack(tar, member, directory)
        except tarfile.TarError as fault:
            raise DamagedError(f"what arrived is no tar: {fault}") from fault
        while stream.read(_PIECE):
            continue


def _file(path: Path, info: tarfile.TarInfo, advance: Callable[[int], None]) -> Iterator[bytes]:
    with path.open("rb") as data:
        info.size = os.fstat(data.fileno()).st_size
        yield info.tobuf(tarfile.PAX_FORMAT)
        for piece in pieces(data, info.size):
            advance(len(piece))
            yield piece
        if data.tell() < info.size:
            raise UsageError(f"{path} became shorter while it was sent", hint="send it again")
    yield bytes(-info.size % tarfile.BLOCKSIZE)


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, directory: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not (member.isreg() or member.isdir()):
        raise DamagedError(f"what arrived has {member.name!r}, which has no place in it")
    target = directory / name
    if member.isdir():
        target.mkdir(mode=0o700)
        target.chmod(member.mode | 0o700)
        return
    data = tar.extractfile(member)
    assert data is not None  # noqa: S101 - regular files have content
    with target.open("xb") as file:
        os.fchmod(file.fileno(), member.mode & 0o777)
        while piece := data.read(_PIECE):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _relative(directory: Path, path: Path) -> PurePosixPath:
    return PurePosixPath(path.relative_to(directory))
