"""Trees of a release commit: directories and plain files, nothing else.

Layout of a git tree object: entries of ``mode SP name NUL oid`` (20 raw bytes), sorted as if directory
names ended in "/". Only the modes ``40000`` and ``100644`` are written or accepted: no links, no
executables, no submodules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pygit2.enums import ObjectType

from airstore.core.errors import DamagedError, UsageError
from airstore.core.limits import LIMITS
from airstore.history.git.names import component_fault, path_fault
from airstore.history.git.objects import ObjectDatabase, ObjectWriter

_DIRECTORY, _FILE = b"40000", b"100644"
_ENTRY = re.compile(rb"(?P<mode>[0-7]{5,6}) (?P<name>[^\0/]+)\0(?P<oid>.{20})", re.DOTALL)
_DEPTH = 64


class TreeEntry(NamedTuple):
    """One line of a tree object."""

    name: str
    is_directory: bool
    oid: str


def write_tree(objects: ObjectWriter, files: Mapping[str, bytes]) -> str:
    """Store a whole tree; returns its id.

    Raises:
        UsageError: a path that cannot stand in a release's tree, or no file at all.
        StorageError: the disk is full or failed.
    """
    if not files:
        raise UsageError("a commit of the history needs at least one file")
    for path in files:
        if fault := path_fault(path):
            raise UsageError(f"the path {path[:200]!r} {fault}")
    return _write_level(objects, {tuple(path.split("/")): data for path, data in files.items()})


def _write_level(objects: ObjectWriter, files: Mapping[tuple[str, ...], bytes]) -> str:
    directories: dict[str, dict[tuple[str, ...], bytes]] = {}
    entries: list[TreeEntry] = []
    for (name, *rest), data in files.items():
        if rest:
            directories.setdefault(name, {})[tuple(rest)] = data
        else:
            entries.append(TreeEntry(name, False, objects.write(ObjectType.BLOB, data)))
    for name, inside in directories.items():
        if (name,) in files:
            raise UsageError(f"{name!r} is both a file and a directory of the release's tree")
        entries.append(TreeEntry(name, True, _write_level(objects, inside)))
    return objects.write(ObjectType.TREE, encode(entries))


def encode(entries: list[TreeEntry]) -> bytes:
    """The tree object of some entries, in any order."""
    return b"".join(
        b"%s %s\0%s" % (_DIRECTORY if e.is_directory else _FILE, e.name.encode(), bytes.fromhex(e.oid))
        for e in sorted(entries, key=_order)
    )


def decode(data: bytes, what: str) -> list[TreeEntry]:
    """Read a tree object strictly.

    Raises:
        DamagedError: malformed, unsorted, a name that is refused, or a link, executable or submodule.
    """
    entries, position = [], 0
    while position < len(data):
        match = _ENTRY.match(data, position)
        if match is None:
            raise DamagedError(f"{what} is malformed")
        entries.append(_entry(match, what))
        position = match.end()
    keys = [_order(entry) for entry in entries]
    names = {entry.name for entry in entries}
    if keys != sorted(keys) or len(names) != len(entries):
        raise DamagedError(f"{what} is unsorted or names a file twice")
    return entries


def _entry(match: re.Match[bytes], what: str) -> TreeEntry:
    name = match["name"].decode("utf-8", "surrogateescape")
    mode = match["mode"]
    if mode not in {_DIRECTORY, _FILE}:
        raise DamagedError(
            f"{what} holds {name!a} of mode {mode.decode()}; only plain files and directories are accepted"
        )
    fault = (
        "is not UTF-8" if any("\ud800" <= letter <= "\udfff" for letter in name) else component_fault(name)
    )
    if fault:
        raise DamagedError(f"{what}: the name {name!a} {fault}")
    return TreeEntry(name, mode == _DIRECTORY, match["oid"].hex())


def _order(entry: TreeEntry) -> bytes:
    return entry.name.encode() + (b"/" if entry.is_directory else b"")


def walk(objects: ObjectDatabase, tree: str) -> Iterator[tuple[str, str]]:
    """Every file of a tree as (path, blob id), sorted by path.

    Raises:
        DamagedError: as `decode`, or more files or directories than `LIMITS` allow.
    """
    return iter(sorted(_TreeWalk(objects).run(tree)))


def lookup(objects: ObjectDatabase, tree: str, path: str) -> str | None:
    """The blob of one file, or None; only the directories on the way are read."""
    *directories, last = path.split("/")
    for name in directories:
        inside = _entry_of(objects, tree, name)
        if inside is None or not inside.is_directory:
            return None
        tree = inside.oid
    found = _entry_of(objects, tree, last)
    return found.oid if found and not found.is_directory else None


def _entry_of(objects: ObjectDatabase, tree: str, name: str) -> TreeEntry | None:
    entries = read_tree(objects, tree)
    return next((entry for entry in entries if entry.name == name), None)


def read_tree(objects: ObjectDatabase, tree: str) -> list[TreeEntry]:
    """One directory, read and checked as `decode` does."""
    return decode(objects.read(tree, ObjectType.TREE, LIMITS.history_tree), f"tree {tree}")


@dataclass
class _TreeWalk:
    """Counts as it goes: a few tiny trees can name each other's children a billion times over."""

    objects: ObjectDatabase
    seen: int = 0
    known: dict[str, list[TreeEntry]] = field(default_factory=dict)

    def run(self, tree: str, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
        if depth > _DEPTH:
            raise DamagedError(f"a tree of the history is deeper than {_DEPTH} directories")
        for entry in self._read(tree):
            self.seen += 1
            if self.seen > LIMITS.history_files:
                raise DamagedError(f"a tree of the history has more than {LIMITS.history_files} entries")
            path = prefix + entry.name
            if entry.is_directory:
                yield from self.run(entry.oid, path + "/", depth + 1)
            else:
                yield path, entry.oid

    def _read(self, tree: str) -> list[TreeEntry]:
        if tree not in self.known:
            self.known[tree] = read_tree(self.objects, tree)
        return self.known[tree]
