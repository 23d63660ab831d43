"""In which order new files are compressed: those that are like each other follow one another. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from airstore.media.delta.pairing import File

_LIBRARY = "so"  # libfoo.so.1.2 is one, whatever its number
_RARE = 100  # a kind that has less than one byte in so many is put to what has no kind of its own


def ordered(files: Sequence[File], alone: Sequence[int]) -> list[int]:
    """The positions of all files: what has a base where it was, then those of ``alone``, like ones together.

    Files of one kind stay in the order in which a store has them, so that each of its frames is read only a
    few times.
    """
    alike = likeness([files[number] for number in alone])
    apart = set(alone)
    rest = [number for number in range(len(files)) if number not in apart]
    return rest + sorted(alone, key=lambda number: alike(files[number]))


def likeness(files: Sequence[File]) -> Callable[[File], str]:
    """The kind of each of these files, by its suffix."""
    sizes = Counter[str]()
    for file in files:
        sizes[_suffix(file)] += file.size
    least = sizes.total() // _RARE
    return lambda file: _suffix(file) if sizes[_suffix(file)] > least else ""


def _suffix(file: File) -> str:
    path = file.path.partition("\0")[0]
    parts = PurePosixPath(path).name.lower().split(".")[1:]
    return _LIBRARY if _LIBRARY in parts else parts[-1] if parts else ""
