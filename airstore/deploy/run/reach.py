"""What needs what, directly or not. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping


def needed(needs: Mapping[str, Iterable[str]], start: Iterable[str]) -> set[str]:
    """These keys and everything that they need; ``needs`` may have cycles."""
    found, left = set[str](), list(start)
    while left:
        key = left.pop()
        if key not in found:
            found.add(key)
            left.extend(needs.get(key, ()))
    return found


def needing(needs: Mapping[str, Iterable[str]], start: Iterable[str]) -> set[str]:
    """These keys and everything that needs one of them; ``needs`` may have cycles."""
    backwards = defaultdict[str, list[str]](list)
    for key, others in needs.items():
        for other in others:
            backwards[other].append(key)
    return needed(backwards, start)
