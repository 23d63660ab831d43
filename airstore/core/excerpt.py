"""Long texts, cut in their middle: the beginning says what failed, the end says why."""

from __future__ import annotations

from collections.abc import Sequence


def excerpt(text: str, limit: int) -> str:
    """At most ``limit`` characters of a text, from its beginning and its end, and how many are left out."""
    if len(text) <= limit:
        return text
    mark = f" [... {len(text) - limit} characters left out ...] "
    room = max(limit - len(mark), 0)
    end = room // 2
    return f"{text[: room - end]}{mark}{text[len(text) - end :]}"[:limit]


def excerpt_lines(lines: Sequence[str], limit: int) -> list[str]:
    """At most ``limit`` lines, from the beginning and the end, and one more that says what is left out."""
    if len(lines) <= limit:
        return list(lines)
    end = limit // 2
    mark = f"[... {len(lines) - limit} lines left out ...]"
    return [*lines[: limit - end], mark, *lines[len(lines) - end :]]
