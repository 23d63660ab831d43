"""Which old files a new one is made of, most likely. Pure.

The same path first; then the path without what changes from version to version; then what shares content,
which a file that is gone does more likely than one that is still there. A missed base costs more than a
needless one: a new file is offered a few. How much is looked into is bounded by what is new, for a release
may be a thousand times that.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from airstore.media.delta.making.sketch import READ, Pool, sketch

_BASES = 2  # old files that one new file is compared with
_SHORT = 64  # bytes; for less a base saves nothing
_LOOKED = (
    16  # bytes of old files that are looked into, for each byte of new ones without a base of their path
)
_LEAST_LOOKED = 16 << 20  # bytes, however little is new
# A number with dots and what is glued to it, and what looks like a hash: a version or a content's name.
_CHANGING = re.compile(
    r"(?<![0-9A-Za-z])(?=[0-9A-Fa-f]*[0-9])[0-9A-Fa-f]{6,}(?![0-9A-Za-z])|[0-9]+(?:[.+~_-]?[0-9]+)*"
)
_HASHED = re.compile(r"([.-])[0-9A-Za-z_-]{8,}(\.[a-z0-9]+)$")


@dataclass(frozen=True)
class File:
    """A file of one side.

    Attributes:
        path: within its layer.
        size: bytes.
        place: what tells images or layers apart; files of the same place are preferred.
    """

    path: str
    size: int
    place: str = ""


def general(path: str) -> str:
    """A path without version numbers and content hashes."""
    return _CHANGING.sub("#", _HASHED.sub(r"\1#\2", path))


def pair(
    news: Sequence[File],
    olds: Sequence[File],
    new_bytes: Callable[[int], bytes],
    old_bytes: Callable[[int], bytes],
    gone: Callable[[int], bool],
) -> list[list[int]]:
    """For each new file the positions of old ones that may serve it, the likeliest first.

    Args:
        news: files that have to be carried.
        olds: files that the site has.
        new_bytes: a new file's content, by its position.
        old_bytes: the same of an old one; asked only of those that no new one has the path of.
        gone: whether an old one, by its position, is not in what is new.
    """
    found = _by_name(news, olds)
    open_news = [n for n, new in enumerate(news) if not found[n] or news[n].path != olds[found[n][0]].path]
    rest = _others(olds, {new.path for new in news}, gone) if open_news else []
    pool = _pool(rest, olds, old_bytes, max(_LEAST_LOOKED, _LOOKED * sum(news[n].size for n in open_news)))
    for number in open_news:
        if pool.holders and news[number].size >= _SHORT:
            near = pool.nearest(sketch(new_bytes(number)), _BASES)
            found[number] = list(dict.fromkeys([*near, *found[number]]))[:_BASES]
    return found


def nameless(news: Sequence[File], olds: Sequence[File]) -> list[int]:
    """Positions of the new files that none of the old ones has the name of, versions and hashes aside."""
    return [number for number, bases in enumerate(_by_name(news, olds)) if not bases]


def _by_name(news: Sequence[File], olds: Sequence[File]) -> list[list[int]]:
    """For each new file the old one of its path that is likest it, or else of its path without versions."""
    by_path, by_general = _by(olds, lambda path: path), _by(olds, general)
    found = [list(_named(new, by_path.get(new.path, ()), olds)) for new in news]
    for number, new in enumerate(news):
        if not found[number]:
            found[number] = list(_named(new, by_general.get(general(new.path), ()), olds))
    return found


def _by(olds: Sequence[File], key: Callable[[str], str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for number, old in enumerate(olds):
        if old.size:
            found[key(old.path)].append(number)
    return found


def _named(new: File, candidates: Sequence[int], olds: Sequence[File]) -> Iterator[int]:
    """The candidates that are nearest by place and size."""
    if new.size < _SHORT:
        return
    by_distance = sorted(
        candidates, key=lambda old: (olds[old].place != new.place, abs(olds[old].size - new.size), old)
    )
    yield from by_distance[:1]


def _others(olds: Sequence[File], paths: set[str], gone: Callable[[int], bool]) -> list[int]:
    """Old files whose path no new one has, those that are gone first: a file that moved is among them."""
    found = [n for n, old in enumerate(olds) if old.path not in paths]
    return sorted((n for n in found if olds[n].size >= _SHORT), key=lambda number: not gone(number))


def _pool(numbers: Sequence[int], olds: Sequence[File], old_bytes: Callable[[int], bytes], room: int) -> Pool:
    """Those of some old files that there is room to look into, bytes."""
    pool = Pool()
    for number in numbers:
        cost = min(olds[number].size, READ)
        if cost <= room:
            room -= cost
            pool.add(number, sketch(old_bytes(number)))
    return pool
