"""Every object that commits and tags need, followed one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pygit2.enums import ObjectType

from airstore.core.errors import DamagedError
from airstore.history.git.commits import decode_commit, decode_tag
from airstore.history.git.trees import decode

Find = Callable[[str], tuple[int, bytes]]


class Needed(NamedTuple):
    """One object that is needed; ``fault`` where it cannot be read, and then nobody knows what it needs."""

    oid: str
    fault: DamagedError | None


def closure(tips: Iterable[str], find: Find, *, parents: bool = True) -> Iterator[Needed]:
    """The objects that some objects need, themselves included, each once.

    Args:
        tips: object ids.
        find: kind and content of an object; raises DamagedError where it cannot be had.
        parents: whether a commit needs the one before.
    """
    waiting, seen = list(tips), set[str]()
    while waiting:
        oid = waiting.pop()
        if oid in seen:
            continue
        seen.add(oid)
        try:
            waiting.extend(_needs(oid, *find(oid), parents=parents))
        except DamagedError as fault:
            yield Needed(oid, fault)
        else:
            yield Needed(oid, None)


def _needs(oid: str, kind: int, data: bytes, *, parents: bool) -> list[str]:
    if kind == ObjectType.TREE:
        return [entry.oid for entry in decode(data, f"tree {oid}")]
    if kind == ObjectType.TAG:
        return [decode_tag(data, f"tag {oid}").target]
    if kind == ObjectType.COMMIT:
        commit = decode_commit(data, f"commit {oid}")
        return [commit.tree, *([commit.parent] if parents and commit.parent else [])]
    return []
