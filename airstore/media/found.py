"""Media on a carrier: where they are below a directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from airstore.core.errors import AirstoreError, NotFoundError, UsageError
from airstore.media.ignored import is_ignored
from airstore.media.index import INDEX_NAME
from airstore.media.reader import Media, has_index

_DEPTH = 4  # directories below the one that is named


def find_media(named: Sequence[Path]) -> list[Media]:
    """The media in and below directories, each once; a directory that holds media is looked into no further.

    Volumes of one media are found as one.

    Raises:
        NotFoundError: a directory is not there, or holds no media.
        DamagedError: an index cannot be read.
    """
    found: dict[Path, None] = {}
    for directory in named:
        below = [directory] if has_index(directory) else _below(directory)
        if not below:
            raise NotFoundError(
                f"{directory} holds no airstore media: {INDEX_NAME} is missing, in it and below it",
                hint="name the directory that `airstore media create` wrote, or the carrier's",
            )
        found |= dict.fromkeys(below)
    return _joined([Media(directory) for directory in found])


def find_one(*named: Path) -> Media:
    """The one media in and below directories, in one directory or in volumes.

    Raises:
        NotFoundError: there is none.
        UsageError: there are several.
    """
    found = find_media(named)
    if len(found) > 1:
        listed = ", ".join(str(media.directory) for media in found)
        raise UsageError(f"these are several media: {listed}", hint="name one")
    return found[0]


def _joined(found: Sequence[Media]) -> list[Media]:
    """Media of which several directories are volumes, as one; copies of whole media stay apart."""
    together: dict[bytes | Path, list[Media]] = {}
    for media in found:
        together.setdefault(media.envelope if _in_parts(media) else media.directory, []).append(media)
    return [
        parts[0] if len(parts) == 1 else Media(*(part.directory for part in parts))
        for parts in together.values()
    ]


def _in_parts(media: Media) -> bool:
    """Volumes, and what was rebuilt from parity beside what is damaged."""
    try:
        index = media.claimed_index()
        return bool(index.volumes or index.parity)
    except AirstoreError:
        return False  # it is named when it is verified


def _below(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise NotFoundError(
            f"{directory} holds no airstore media: it is no directory", hint="is the carrier mounted?"
        )
    found = []
    for parent, directories, _names in os.walk(directory):
        here = Path(parent)
        depth = len(here.relative_to(directory).parts)
        directories[:] = sorted(name for name in directories if not is_ignored(name) and depth < _DEPTH)
        if has_index(here) and _is_media(here):
            found.append(here)
            directories.clear()
    return found


def _is_media(directory: Path) -> bool:
    try:
        Media(directory).claimed_index()
    except AirstoreError:
        return False  # an index.json of something else, or damaged ones, which are named when they are named
    return True
