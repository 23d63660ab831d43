"""What lies on carriers beside media; it is outside of what an index lists and an import uses."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import PurePath

# Never listed in an index and never read: Windows, macOS and desktops put them on every carrier.
_IGNORED = (
    "System Volume Information", "$RECYCLE.BIN", "RECYCLER", "Thumbs.db", "desktop.ini", ".DS_Store", "._*",
    ".Spotlight-V100", ".Trashes", ".fseventsd", ".TemporaryItems", ".apdisk", ".Trash-*", ".directory",
    "lost+found", ".nfs*", ".fuse_hidden*",
)  # fmt: skip


TOOL = "tool"  # a directory with airstore itself, which has signed checksums of its own


def is_ignored(path: str) -> bool:
    """Whether a relative path is a file manager's own, at any depth, or the tool's."""
    return path.startswith(f"{TOOL}/") or any(
        fnmatchcase(part, pattern) for part in PurePath(path).parts for pattern in _IGNORED
    )
