"""Media on a carrier: where they are below a directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from airstore.core.errors import AirstoreError, NotFoundError
from airstore.media.ignored import is_ignored
from airstore.media.index import INDEX_NAME
from airstore.media.reader import Media

_DEPTH = 4  # directories below the one that is named


def find_media(named: Sequence[Path]) -> list[Path]:
    """The media in and below directories, each once; a directory that holds media is looked into no further.

    Raises:
        NotFoundError: a directory is not there, or holds no media.
    """
    found: dict[Path, None] = {}
    for directory in named:
        below = [directory] if (directory / INDEX_NAME).is_file() else _below(directory)
        if not below:
            raise NotFoundError(
                f"{directory} holds no airstore media: {INDEX_NAME} is missing, in it and below it",
                hint="name the directory that `airstore media create` wrote, or the carrier's",
            )
        found |= dict.fromkeys(below)
    return list(found)


def _below(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise NotFoundError(
            f"{directory} holds no airstore media: it is no directory", hint="is the carrier mounted?"
        )
    found = []
    for parent, directories, names in os.walk(directory):
        here = Path(parent)
        depth = len(here.relative_to(directory).parts)
        directories[:] = sorted(name for name in directories if not is_ignored(name) and depth < _DEPTH)
        if INDEX_NAME in names and _is_media(here):
            found.append(here)
            directories.clear()
    return found


def _is_media(directory: Path) -> bool:
    try:
        Media(directory).claimed_index()
    except AirstoreError:
        return False  # an index.json of something else, or damaged ones, which are named when they are named
    return True
