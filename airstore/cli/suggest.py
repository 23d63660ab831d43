"""Names that somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 3


def suggestions(written: str, known: Iterable[str]) -> str:
    """The names most like what was written, for a sentence; empty where none is like it."""
    return " or ".join(get_close_matches(written, sorted(set(known)), n=_SHOWN))
