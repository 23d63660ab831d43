"""Images in running text: command lines, flags, scripts, configuration in any format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from airstore.charts.images.candidate import is_bare, is_base, named, plain, says_image
from airstore.charts.images.finding import Confidence, is_tagged
from airstore.charts.images.splitref import split_references
from airstore.core.image.reference import Reference

_QUOTED_KEY = re.compile(r"""["']\s*[:=]\s*""")
_BREAKS = re.compile(r"""[\s"'`|;()<>\[\]{}\\]+""")
_SPACED = re.compile(r"\s+=\s+")
_SETTING = re.compile(r"""\s*(?:export\s+)?([A-Za-z][\w.-]*)\s*=\s*["']?([\w./:@-]+)["']?\s*""")


class TextImage(NamedTuple):
    """An image in running text.

    Attributes:
        text: how it is written.
        flag: the flag, key or variable before it; empty where there is none.
    """

    reference: Reference
    confidence: Confidence
    text: str
    flag: str = ""


def scan(text: str) -> Iterator[TextImage]:
    """Every image that a text names; lines that are comments are left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(("#", "//"))]
    for line in lines:
        yield from _scan_line(_SPACED.sub("=", _QUOTED_KEY.sub(": ", line)))
    settings = {found[1]: found[2] for line in lines if (found := _SETTING.fullmatch(line))}
    for split in split_references(settings, "") if len(settings) > 1 else ():
        if len(split.keys) > 1:
            yield TextImage(split.reference, split.confidence, split.text, split.path_key)


def scan_words(words: list[str]) -> Iterator[tuple[int, TextImage]]:
    """Every image in a list of arguments, with the argument's index; a flag may stand before its value."""
    for index, word in enumerate(words):
        flag = words[index - 1] if index else ""
        value = named(word) if _is_flag(flag) and says_image(flag) else None
        if value is not None:
            yield index, TextImage(value, _confidence(word, flag), word, flag)
            continue
        for found in scan(word):
            yield index, found


def _scan_line(line: str) -> Iterator[TextImage]:
    words = [word for word in _BREAKS.split(line) if word]
    first_key = 1 if words[:1] == ["-"] else 0
    for index, word in enumerate(words):
        before = words[index - 1] if index else ""
        by_flag = _is_flag(before) and says_image(before)
        by_key = (index == first_key + 1 and before.endswith(":")) or before.endswith("=")
        by_key = by_key and says_image(before)
        value = named(word) if (by_flag or by_key) and not is_bare(word) else None
        if value:
            sure = (by_flag and not is_base(before)) or is_tagged(word)
            yield TextImage(value, "likely" if sure else "possible", word, before.rstrip(":"))
        else:
            yield from _scan_word(word)


def _scan_word(word: str) -> Iterator[TextImage]:
    """One word: ``--a-image=ref``, ``--cfg=image=ref,foo=1``, ``KEY=ref``, ``ref``."""
    for piece in word.split(","):
        if "://" in piece and "docker://" not in piece:
            continue
        *keys, value = piece.split("=")
        value = value.rstrip(".,:")
        if keys and says_image(keys[-1]):
            # In a program a bare word is a name of its own, and so it is in most scripts.
            reference = None if is_bare(value) else named(value)
            if reference:
                yield TextImage(reference, _confidence(value, keys[-1]), value, keys[-1])
        elif found := plain(value):
            yield TextImage(*found, value, keys[-1] if keys else "")


def _confidence(value: str, key: str) -> Confidence:
    """How sure the value of a flag or key is that says image."""
    doubtful = is_bare(value) or (is_base(key) and not is_tagged(value))
    return "possible" if doubtful else "likely"


def _is_flag(word: str) -> bool:
    return word.startswith("-") and len(word) > 1 and "=" not in word
