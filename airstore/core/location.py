"""Where a store is: found by commands that need not open it, so nothing of a store is imported here."""

from __future__ import annotations

from pathlib import Path

from airstore.core.errors import NotFoundError

CONFIG = "airstore.json"  # the file that makes a directory a store


def absolute(path: Path) -> Path:
    """A path that means the same in any directory; links stay.

    Raises:
        NotFoundError: it is relative to a directory that is gone.
    """
    try:
        return path.absolute()
    except FileNotFoundError as fault:
        raise NotFoundError(
            f"{path} is relative to the current directory, which was deleted", hint="cd to another one"
        ) from fault
