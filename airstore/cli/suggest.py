"""Names that somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable

_SHOWN = 3


def suggestions(written: str, known: Iterable[str]) -> str:
    """The names most like what was written, for a sentence; empty where none is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - loaded for nothing by all who write no wrong name

    return " or ".join(get_close_matches(written, sorted(set(known)), n=_SHOWN))
