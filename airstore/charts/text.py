"""Images in running text: command lines, flags, scripts, configuration in any format."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airstore.charts.candidate import named, plain, says_image
from airstore.charts.finding import Confidence
from airstore.core.reference import Reference

_QUOTED_KEY = re.compile(r"""["']\s*[:=]\s*""")
_BREAKS = re.compile(r"""[\s"'`|;()<>\[\]{}\\]+""")
_SPACED = re.compile(r"\s+=\s+")
Found = tuple[Reference, Confidence]


def scan(text: str) -> Iterator[Found]:
    """Every image that a text names; lines that are comments are left out."""
    for line in text.splitlines():
        if not line.lstrip().startswith(("#", "//")):
            yield from _scan_line(_SPACED.sub("=", _QUOTED_KEY.sub(": ", line)))


def scan_words(words: list[str]) -> Iterator[tuple[int, Found]]:
    """Every image in a list of arguments, with the argument's index; a flag may stand before its value."""
    for index, word in enumerate(words):
        flag = words[index - 1] if index else ""
        value = named(word) if _is_flag(flag) and says_image(flag) else None
        if value is not None:
            yield index, (value, "likely")
            continue
        for found in scan(word):
            yield index, found


def _scan_line(line: str) -> Iterator[Found]:
    words = [word for word in _BREAKS.split(line) if word]
    first_key = 1 if words[:1] == ["-"] else 0
    for index, word in enumerate(words):
        before = words[index - 1] if index else ""
        if _is_flag(before) and says_image(before) and (value := named(word)):
            yield value, "likely"
        elif (
            index == first_key + 1 and before.endswith(":") and says_image(before) and (value := named(word))
        ):
            pinned = ":" in word.rpartition("/")[2] or "@" in word
            yield value, "likely" if pinned else "possible"
        else:
            yield from _scan_word(word)


def _scan_word(word: str) -> Iterator[Found]:
    """One word: ``--a-image=ref``, ``--cfg=image=ref,foo=1``, ``KEY=ref``, ``ref``."""
    for piece in word.split(","):
        if "://" in piece and "docker://" not in piece:
            continue
        *keys, value = piece.split("=")
        value = value.rstrip(".,:")
        if keys and says_image(keys[-1]):
            reference = named(value)
            found: Found | None = (reference, "likely") if reference else None
        else:
            found = plain(value)
        if found:
            yield found


def _is_flag(word: str) -> bool:
    return word.startswith("-") and len(word) > 1 and "=" not in word
