"""Which old files a new one is made of, most likely. Pure.

The same path first; then the path without what changes from version to version; then what shares content,
which a file that is gone does more likely than one that is still there. A missed base costs more than a
needless one: a new file is offered a few. How much is looked into is bounded by what is new, for a release
may be a thousand times that; among files that are still there only what has no name like any is looked for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from airstore.codec import sketch
from airstore.core.frozen import frozen
from airstore.core.limits import MIB
from airstore.media.delta.making.pool import Pool

_READ = 4 * MIB  # bytes of a file that are looked at, from its beginning
_BASES = 2  # old files that one new file is compared with
_SHORT = 64  # bytes; for less a base saves nothing
_LOOKED = 16  # bytes of old files that are looked into, for each byte of new ones that want a base
_LEAST_GONE, _LEAST_KEPT = 16 * MIB, MIB  # bytes, however little is new
_PATHS = 30_000  # whose general form is kept: narrowing a base asks for most of those that pairing asks for
# A number with dots and what is glued to it, and what looks like a hash: a version or a content's name.
_CHANGING = re.compile(
    r"(?<![0-9A-Za-z])(?=[0-9A-Fa-f]*[0-9])[0-9A-Fa-f]{6,}(?![0-9A-Za-z])|[0-9]+(?:[.+~_-]?[0-9]+)*"
)
_HASHED = re.compile(r"([.-])[0-9A-Za-z_-]{8,}(\.[a-z0-9]+)$")


Contents = Callable[[Sequence[int]], Iterable[bytes]]
"""Contents of files by their positions, in that order, each when it is its turn."""


@frozen
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


@lru_cache(_PATHS)
def general(path: str) -> str:
    """A path without version numbers and content hashes."""
    return _CHANGING.sub("#", _HASHED.sub(r"\1#\2", path))


def pair(
    news: Sequence[File],
    olds: Sequence[File],
    new_bytes: Contents,
    old_bytes: Contents,
    gone: Callable[[int], bool],
) -> list[list[int]]:
    """For each new file the positions of old ones that may serve it, the likeliest first.

    Args:
        news: files that have to be carried.
        olds: files that the site has.
        new_bytes: of new files.
        old_bytes: the same of old ones; asked only of those that no new one has the path of.
        gone: whether an old one, by its position, is not in what is new.
    """
    found = _by_name(news, olds)
    open_news = [n for n, new in enumerate(news) if not found[n] or news[n].path != olds[found[n][0]].path]
    wanting = sum(news[n].size for n in open_news), sum(news[n].size for n in open_news if not found[n])
    pool = _pool(_others(olds, news) if open_news else [], olds, old_bytes, gone, wanting)
    compared = [number for number in open_news if pool.holders and news[number].size >= _SHORT]
    for number, content in zip(compared, new_bytes(compared), strict=True):
        near = pool.nearest(sketch(content[:_READ]), _BASES)
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


def _others(olds: Sequence[File], news: Sequence[File]) -> list[int]:
    """Old files whose path no new one has: a file that moved is among them."""
    paths = {new.path for new in news}
    return [n for n, old in enumerate(olds) if old.size >= _SHORT and old.path not in paths]


def _pool(
    numbers: Sequence[int],
    olds: Sequence[File],
    old_bytes: Contents,
    gone: Callable[[int], bool],
    wanting: tuple[int, int],
) -> Pool:
    """Those of some old files that new ones are compared with.

    Args:
        numbers: of the files.
        olds: all of them.
        old_bytes: contents of some.
        gone: whether it is not in what is new.
        wanting: bytes of all new files that want a base, and of those that have none by their name.
    """
    every, nowhere = wanting
    lost, kept = (n for n in numbers if gone(n)), (n for n in numbers if not gone(n))
    pool = Pool()
    spent = _look(pool, lost, olds, old_bytes, max(_LEAST_GONE, _LOOKED * every))
    if nowhere:
        _look(pool, kept, olds, old_bytes, max(_LEAST_KEPT, _LOOKED * nowhere) - spent)
    return pool


def _look(
    pool: Pool,
    numbers: Iterable[int],
    olds: Sequence[File],
    old_bytes: Contents,
    room: int,
) -> int:
    """Look into those files that there is room for; returns the bytes that were taken of it."""
    left, looked = room, list[int]()
    for number in numbers:
        cost = min(olds[number].size, _READ)
        if cost <= left:
            left -= cost
            looked.append(number)
    for number, content in zip(looked, old_bytes(looked), strict=True):
        pool.add(number, sketch(content[:_READ]))
    return room - left
