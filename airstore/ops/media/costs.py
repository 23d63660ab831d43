"""What made media large, as the media themselves say it."""

from __future__ import annotations

from typing import Any

from airstore.core.errors import IncompleteError
from airstore.media.delta.file import DeltaFile
from airstore.media.index import MediaIndex
from airstore.media.reader import Media

NONE: dict[str, Any] = {"images": [], "files": []}


def costs(media: Media, index: MediaIndex) -> dict[str, Any]:
    """Bytes by image and the most expensive files, see `airstore.media.delta.notes`; none for packs.

    Raises:
        IncompleteError: the delta does not lie whole in any of the directories, for it is cut into volumes.
        DamagedError, StorageError: it cannot be read.
    """
    for path in index.deltas:  # there is one at most
        if not media.has(path):
            raise IncompleteError(f"{path} does not lie in one piece here")
        return DeltaFile(media.place(path)).notes() or NONE
    return NONE
