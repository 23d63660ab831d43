"""Throw-away repositories that borrow a history's objects, and how what was made there becomes part of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pygit2

from airstore.core.durable import Disk, storage_errors
from airstore.core.errors import UsageError
from airstore.history.git.objects import making

_PACK_FILES = (".pack", ".rev", ".idx")  # readers look for .idx: it comes last


def scratch(directory: Path, lender: Path) -> Path:
    """Make a bare repository that borrows the objects of ``lender`` and has nothing else of it.

    Raises:
        UsageError: git's list of lenders cannot hold the path.
        StorageError: the disk is full or failed.
    """
    objects = lender / "objects"
    if "\n" in str(objects):
        raise UsageError(f"the path {str(objects)!r} has a line break; git cannot borrow from there")
    with making(directory):
        pygit2.init_repository(str(directory), bare=True, initial_head="main")
        (directory / "objects" / "info" / "alternates").write_text(f"{objects}\n")
    return directory


def publish_packs(directory: Path, history: Path, disk: Disk) -> None:
    """Make the packs of a scratch repository part of a history, durably. Can be repeated.

    Raises:
        StorageError: the disk is full or failed; run it again.
    """
    for suffix in _PACK_FILES:
        for path in sorted((directory / "objects" / "pack").glob(f"*{suffix}")):
            final = history / "objects" / "pack" / path.name
            with storage_errors(final):
                with path.open("rb") as file:
                    disk.sync(file)
                disk.publish(path, final)


def remove(directory: Path) -> None:
    """Remove a scratch repository, if it is there.

    Raises:
        StorageError: the operating system refused.
    """
    with storage_errors(directory):
        if directory.exists():
            shutil.rmtree(directory)
