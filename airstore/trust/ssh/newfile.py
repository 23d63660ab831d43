"""Key files: made once, never overwritten."""

from __future__ import annotations

import os
from pathlib import Path

from airstore.core.durable import storage_errors, sync_directory
from airstore.core.errors import UsageError


def write_new(path: Path, data: bytes, mode: int) -> None:
    """Write and sync a file that does not exist yet.

    ``durable_file`` replaces what is there; a key must survive a second ``key generate``. The mode is set
    as the file is made, so that a private key is at no moment readable by others.

    Raises:
        UsageError: the file exists.
        StorageError: the disk is full or failed; nothing of the file is left.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _create(path, mode)
    try:
        with storage_errors(path), os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            sync_directory(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _create(path: Path, mode: int) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as fault:
        raise UsageError(
            f"{path} exists; key files are never overwritten",
            hint="choose another name, or move the file away",
        ) from fault
