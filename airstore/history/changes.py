"""What changed between two trees: counts per file, and a patch for people to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from pygit2 import Patch

from airstore.core.frozen import frozen
from airstore.core.limits import LIMITS

Status = Literal["added", "removed", "changed"]
ReadBlob = Callable[[str], bytes]


@frozen
class FileChange:
    """One file that differs.

    Attributes:
        added: lines that are new; 0 for a binary file.
        removed: lines that are gone; 0 for a binary file.
    """

    path: str
    status: Status
    added: int
    removed: int


@frozen
class Pair:
    """A differing file's blob on either side; None where it does not exist."""

    path: str
    old: str | None
    new: str | None

    @property
    def status(self) -> Status:
        """How the file differs."""
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"


def pairs(old: Mapping[str, str], new: Mapping[str, str], paths: Sequence[str] | None = None) -> list[Pair]:
    """The files that differ, sorted; ``paths`` keeps files of those names or below those directories."""
    return [
        Pair(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path) and (paths is None or any(_below(path, top) for top in paths))
    ]


def _below(path: str, top: str) -> bool:
    top = top.rstrip("/")
    return path == top or path.startswith(top + "/")


def change(pair: Pair, read: ReadBlob) -> FileChange:
    """Count the lines of one difference."""
    old, new = _sides(pair, read)
    _, added, removed = Patch.create_from(old, new, pair.path, pair.path).line_stats
    return FileChange(pair.path, pair.status, added, removed)


def patch_text(differing: Sequence[Pair], read: ReadBlob, limit: int) -> str:
    """A unified diff of at most ``limit`` bytes and a closing line that says how many files were left out.

    Files whose two sides exceed `LIMITS.history_patch` bytes are named, not shown.
    """
    parts: list[str] = []
    left = limit
    for number, pair in enumerate(differing):
        text = _shown(pair, read)
        left -= len(text.encode())
        if left < 0:
            parts.append(f"# {len(differing) - number} more files differ; the patch is too long to show\n")
            break
        parts.append(text)
    return "".join(parts)


def _shown(pair: Pair, read: ReadBlob) -> str:
    old, new = _sides(pair, read)
    if len(old or b"") + len(new or b"") > LIMITS.history_patch:
        return f"# {pair.path} is {pair.status}, and too large to show\n"
    patch = Patch.create_from(old, new, pair.path, pair.path)
    return (patch.data or b"").decode("utf-8", "replace")


def _sides(pair: Pair, read: ReadBlob) -> tuple[bytes | None, bytes | None]:
    return (read(pair.old) if pair.old else None, read(pair.new) if pair.new else None)
