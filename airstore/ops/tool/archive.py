"""A folder as one ``.tar.gz``: the same folder, the same bytes."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path
from typing import IO, cast

from airstore.core.durable import durable_file
from airstore.ops.tool.trim import files

MOMENT = 1_704_067_200  # 2024-01-01: what every file of a bundle says of itself
_LEVEL = 6  # 9 takes three times as long for two percent


def write(folder: Path, out: Path) -> None:
    """Pack a folder under its own name; owners, times and modes are always the same.

    Raises:
        StorageError: the disk is full.
        DamagedError: the folder has something that is neither file nor directory.
    """
    with (
        durable_file(out, mode=0o644) as raw,
        gzip.GzipFile("", "wb", _LEVEL, cast("IO[bytes]", raw), mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in files(folder):
            _add(tar, path, str(path.relative_to(folder.parent)))


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = path.stat().st_size, MOMENT
    info.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
    with path.open("rb") as data:
        tar.addfile(info, data)
