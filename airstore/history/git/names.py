"""What may name a release, a branch, a commit or a file in the history; everything else is refused.

Names come from product files and from media, and end up in ref paths, tree entries and argument lists.
"""

from __future__ import annotations

import re
import unicodedata

from airstore.core.errors import UsageError

MAIN = "refs/heads/main"
TAGS = "refs/tags/"
HEADS = "refs/heads/"
DISOWNED = "refs/disowned/"
REPAIR_HINT = "run `airstore repair --from PLACE`: media or another store that have it"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PERSON = re.compile(r"[^<>\x00-\x1f\x7f\ud800-\udfff]+")
_PATH_BYTES, _COMPONENT_BYTES, _DEPTH = 4096, 255, 64
# What case-insensitive file systems take for git's own directory and file (git's fsck refuses them too).
_RESERVED = frozenset({".git", "git~1", ".gitmodules", "gitmod~1"})
_INVISIBLE = frozenset({"Cc", "Cf", "Cs"})


def is_commit(text: str) -> bool:
    """Is this a full object id, 40 lower-case hex digits?"""
    return _COMMIT.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Can this name a release, and thus a tag? Same rule as ``schemas/release.schema.json``.

    Text that reads as an object id is refused, so that a version is never taken for a commit.
    """
    bad = ".." in text or text.endswith((".", ".lock")) or is_commit(text)
    return _NAME.fullmatch(text) is not None and not bad


def check_version(text: str) -> None:
    """Raise UsageError unless ``text`` can name a release."""
    if not is_version(text):
        raise UsageError(
            f"{text[:140]!r} cannot name a release",
            hint="use letters, digits, '.', '_', '+' and '-', such as 2.4.0; begin with a letter or digit",
        )


def check_branch(text: str) -> None:
    """Raise UsageError unless ``text`` can name a branch besides main."""
    if not is_version(text) or text == "main":
        raise UsageError(f"{text[:140]!r} cannot name a branch of the history")


def check_person(name: str, email: str) -> None:
    """Raise UsageError unless both can stand in a commit's author line."""
    for text in (name, email):
        if not _PERSON.fullmatch(text) or text != text.strip():
            raise UsageError(f"{text[:100]!r} cannot stand in a commit's author line")


def path_fault(path: str) -> str | None:
    """What is wrong with a path in a release's tree; None if nothing is."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "is not UTF-8"
    components = path.split("/")
    if size > _PATH_BYTES or len(components) > _DEPTH:
        return f"is longer than {_PATH_BYTES} bytes or deeper than {_DEPTH} directories"
    return next((fault for fault in map(component_fault, components) if fault), None)


def component_fault(name: str) -> str | None:
    """What is wrong with one component of such a path; None if nothing is."""
    if name in {"", ".", ".."}:
        return "has an empty, '.' or '..' component"
    if len(name.encode()) > _COMPONENT_BYTES:
        return f"has a component of more than {_COMPONENT_BYTES} bytes"
    if "\\" in name or any(unicodedata.category(letter) in _INVISIBLE for letter in name):
        return "has a backslash or an invisible character"
    if name.partition(":")[0].rstrip(" .").lower() in _RESERVED:
        return "has a component that git keeps for itself"
    return None
