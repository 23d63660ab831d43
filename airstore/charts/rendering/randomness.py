"""Values that a chart generates anew at each rendering: found by rendering again, replaced by a placeholder.

A password of ``randAlphaNum`` is another one at every site and at every rendering. What one rendering made of
it is nobody's: it must neither travel nor make the same release differ from itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

PLACEHOLDER = "<random>"
_FUNCTION = re.compile(
    rb"\b(?:rand[A-Z]\w*|gen(?:CA|SelfSigned|Signed|Private)\w*|uuidv4|shuffle|htpasswd|bcrypt|encryptAES|now)\b"
)
_DOCUMENT = re.compile(r"^(?=---$)", re.MULTILINE)
_KEYED = re.compile(r"""(\s*(?:- +)*(?:[\w./-]+|"[^"]*"|'[^']*')\s*:)\s+\S""")
_INDENT = re.compile(r"\s*(?:- +)*")


def may_be_random(files: Iterable[bytes]) -> bool:
    """Whether any file of a chart, or any values given to it, names a function that is."""
    return any(_FUNCTION.search(content) for content in files)


def settled(texts: Sequence[str]) -> tuple[str, list[str]]:
    """One rendering with a placeholder for all that differs in another, and the keys that differ.

    Args:
        texts: the same chart rendered with the same values, twice or more.
    """
    if all(text == texts[0] for text in texts):
        return texts[0], []
    split = [_DOCUMENT.split(text) for text in texts]
    if len({len(documents) for documents in split}) != 1:
        split = [[text] for text in texts]
    settled_documents, found = [], list[str]()
    for documents in zip(*split, strict=True):
        text, keys = _document(documents)
        settled_documents.append(text)
        found += keys
    return "".join(settled_documents), found


def _document(texts: Sequence[str]) -> tuple[str, list[str]]:
    if all(text == texts[0] for text in texts):
        return texts[0], []
    lines = texts[0].splitlines()
    differing: set[int] = set()
    for other in texts[1:]:
        differing |= _differing(lines, other.splitlines())
    kept: list[str] = []
    keys = []
    for number, line in enumerate(lines):
        if number not in differing:
            kept.append(line)
            continue
        masked, key = _masked(line)
        if key or not kept or kept[-1] != masked:  # lines of one block, such as a key's, become one
            kept.append(masked)
            keys.append(f"line {number + 1}: {key or 'text'}")
    end = "\n" if texts[0].endswith("\n") else ""
    source = next((line for line in lines if line.startswith("# Source: ")), "").removeprefix("# Source: ")
    return "\n".join(kept) + end, [f"{source} {key}" for key in keys]


def _differing(lines: Sequence[str], other: Sequence[str]) -> set[int]:
    if len(lines) == len(other):
        return {number for number, pair in enumerate(zip(lines, other, strict=True)) if pair[0] != pair[1]}
    found: set[int] = set()
    for operation, start, end, _, _ in SequenceMatcher(None, lines, other, autojunk=False).get_opcodes():
        if operation in {"replace", "delete"}:
            found |= set(range(start, end))
    return found


def _masked(line: str) -> tuple[str, str]:
    """A line with the placeholder for its value, and its key; for all of it where it has none."""
    keyed = _KEYED.match(line)
    if keyed:
        return f"{keyed[1]} {PLACEHOLDER}", keyed[1].strip().lstrip("- ").rstrip(":")
    indent = _INDENT.match(line)
    return f"{indent[0] if indent else ''}{PLACEHOLDER}", ""
