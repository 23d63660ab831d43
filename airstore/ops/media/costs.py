"""What made media large, as the media themselves say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airstore.media.delta.file import DeltaFile
from airstore.media.index import MediaIndex

NONE: dict[str, Any] = {"images": [], "files": []}


def costs(directory: Path, index: MediaIndex) -> dict[str, Any]:
    """Bytes by image and the most expensive files, see `airstore.media.delta.notes`; none for packs.

    Raises:
        DamagedError, StorageError: a delta is missing, or cannot be read.
    """
    for path in index.deltas:  # there is one at most
        return DeltaFile(directory / path).notes() or NONE
    return NONE
