"""git objects, read and written so that damage is always noticed.

Packed objects are read by libgit2, which checks their SHA-1. Loose objects are not left to it: libgit2 1.9
loops for ever on a truncated loose file, and takes writing an object that is present but damaged for done.
git's SHA-1 finds damage; trust rests on the SHA-256 list in ``release.json``.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import pygit2
from pygit2.enums import ConfigLevel, ObjectType

from airstore.core.durable import LOCAL_DISK, Disk, storage_errors, sync_directory, write_file
from airstore.core.errors import AirstoreError, DamagedError, StorageError
from airstore.core.limits import LIMITS
from airstore.history.git.names import REPAIR_HINT

_KINDS: dict[int, str] = {
    ObjectType.COMMIT: "commit",
    ObjectType.TREE: "tree",
    ObjectType.BLOB: "blob",
    ObjectType.TAG: "tag",
}
_HEADER = 32  # bytes; "commit 18446744073709551615\0" is 28
_ANY_SIZE = LIMITS.git_pack
_REST = 38  # digits of an object's id that name its file
_ALTERNATES_DEPTH = 5  # as git itself

# The configuration of whoever runs airstore is none of the history's business.
for _level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL, ConfigLevel.PROGRAMDATA):
    pygit2.settings.search_path[_level] = ""


class ObjectDatabase:
    """The object database of one bare repository and of those it borrows from."""

    def __init__(self, directory: Path, disk: Disk = LOCAL_DISK) -> None:
        """Open ``objects/`` of a repository."""
        self._directory = directory
        self._disk = disk
        self._directories = list(_with_alternates(directory, _ALTERNATES_DEPTH))
        self._packs = [_packs_of(objects) for objects in self._directories]

    def read(self, oid: str, kind: ObjectType, limit: int) -> bytes:
        """The object's content, verified.

        Args:
            oid: 40 hex digits.
            kind: what it has to be.
            limit: bytes; larger objects are refused unread.

        Raises:
            DamagedError: missing, larger, of another kind, or not what its id says.
        """
        what = f"{_KINDS[kind]} {oid}"
        found = self._find(oid, limit, what)
        if found is None:
            raise DamagedError(f"the history lacks {what}", hint=REPAIR_HINT)
        if found[0] != kind:
            raise DamagedError(f"{what} of the history is a {_KINDS.get(found[0], 'thing unknown')} instead")
        return found[1]

    def write(self, kind: ObjectType, data: bytes) -> str:
        """Store an object durably; one that is present and reads back is left alone.

        Raises:
            StorageError: the disk is full or failed.
        """
        content = b"%s %d\0%s" % (_KINDS[kind].encode(), len(data), data)
        oid = _sha1(content)
        if not self._intact(oid, len(data)):
            write_file(self._loose_path(oid), zlib.compress(content), disk=self._disk)
        return oid

    def get(self, oid: str) -> tuple[int, bytes]:
        """Kind and content of any object, verified.

        Raises:
            DamagedError: missing, or not what its id says.
        """
        found = self._find(oid, _ANY_SIZE, f"object {oid}")
        if found is None:
            raise DamagedError(f"the history lacks object {oid}")
        return found

    def is_loose(self, oid: str) -> bool:
        """Whether a file of its own gives the object back, verified."""
        try:
            return self._loose(oid, _ANY_SIZE, oid) is not None
        except DamagedError:
            return False

    def write_loose(self, oid: str, kind: int, data: bytes) -> None:
        """Store an object in a file of its own, durably, whatever packs say; one that reads back is left.

        Raises:
            DamagedError: the content is not that object's.
            StorageError: the disk is full or failed.
        """
        content = b"%s %d\0%s" % (_KINDS[kind].encode(), len(data), data)
        if _sha1(content) != oid:
            raise DamagedError(f"object {oid} has other content than its id says")
        if not self.is_loose(oid):
            write_file(self._loose_path(oid), zlib.compress(content), disk=self._disk)

    def all_ids(self) -> Iterator[str]:
        """Every object that packs and files of their own name, readable or not."""
        with git_errors("the objects of the history"):
            yield from (str(oid) for packs in self._packs for oid in packs)
        for objects in self._directories:
            for path in objects.glob("[0-9a-f][0-9a-f]/*"):
                if len(path.name) == _REST:
                    yield path.parent.name + path.name

    def is_packed(self, oid: str) -> bool:
        """Whether a pack gives the object back, verified."""
        try:
            return self._packed(oid, _ANY_SIZE, oid) is not None
        except DamagedError:
            return False

    def is_readable(self, oid: str) -> bool:
        """Whether the object can be had, verified."""
        return self._intact(oid, _ANY_SIZE)

    def sync(self) -> None:
        """Make the directories of written objects durable; call it before a ref names them."""
        with storage_errors(self._directory):
            sync_directory(self._directory)

    def _intact(self, oid: str, size: int) -> bool:
        try:
            return self._find(oid, size, oid) is not None
        except DamagedError:
            return False

    def _find(self, oid: str, limit: int, what: str) -> tuple[int, bytes] | None:
        faults: list[AirstoreError] = []
        for source in (self._packed, self._loose, self._packed):  # it may be packed just then
            try:
                found = source(oid, limit, what)
            except DamagedError as fault:
                faults.append(fault)
            else:
                if found is not None:
                    return found
        if faults:
            raise faults[0]
        return None

    def _packed(self, oid: str, limit: int, what: str) -> tuple[int, bytes] | None:
        return _first_good(partial(_read_packed, packs, oid, limit, what) for packs in self._packs)

    def _loose(self, oid: str, limit: int, what: str) -> tuple[int, bytes] | None:
        paths = (objects / oid[:2] / oid[2:] for objects in self._directories)
        return _first_good(partial(_read_loose, path, oid, limit, what) for path in paths)

    def _loose_path(self, oid: str) -> Path:
        return self._directory / oid[:2] / oid[2:]


def _packs_of(objects: Path) -> pygit2.Odb:
    packs = pygit2.Odb()
    packs.add_backend(pygit2.OdbBackendPack(str(objects)), 1)
    return packs


def _first_good(reads: Iterable[Callable[[], tuple[int, bytes] | None]]) -> tuple[int, bytes] | None:
    """From the first directory that gives it back: a damaged copy does not hide a good one."""
    faults: list[DamagedError] = []
    for read in reads:
        try:
            if found := read():
                return found
        except DamagedError as fault:
            faults.append(fault)
    if faults:
        raise faults[0]
    return None


def _read_packed(packs: pygit2.Odb, oid: str, limit: int, what: str) -> tuple[int, bytes] | None:
    with git_errors(what):
        try:
            _, size = packs.read_header(oid)
        except KeyError:  # pygit2's is a GitError as well
            return None
        if size > limit:
            raise DamagedError(f"{what} has {size} bytes; at most {limit} are accepted")
        kind, data = packs.read(oid)
        return int(kind), data


def _read_loose(path: Path, oid: str, limit: int, what: str) -> tuple[int, bytes] | None:
    if not path.is_file():
        return None
    try:
        content = _inflate(path, limit + _HEADER)
    except OSError as fault:
        raise DamagedError(f"cannot read {path}: {fault.strerror}") from fault
    except zlib.error as fault:
        raise DamagedError(f"{what} is damaged: {path} is not a zlib stream") from fault
    if content is None or _sha1(content) != oid:
        raise DamagedError(f"{what} is damaged: {path} is truncated, too large or altered")
    header, _, data = content.partition(b"\0")
    word = header.split(b" ")[0].decode("ascii", "replace")
    return next((kind for kind, name in _KINDS.items() if name == word), 0), data


def _inflate(path: Path, limit: int) -> bytes | None:
    """The whole plain content, or None if the stream is cut short, too long or followed by anything."""
    inflate, parts, size = zlib.decompressobj(), [], 0
    with path.open("rb") as file:
        while not inflate.eof and (chunk := inflate.unconsumed_tail or file.read(1 << 16)):
            part = inflate.decompress(chunk, 1 << 20)
            parts.append(part)
            size += len(part)
            if size > limit:
                return None
        whole = inflate.eof and not inflate.unused_data and not file.read(1)
    return b"".join(parts) if whole else None


class ObjectWriter(Protocol):
    """Takes objects, and says what they are called."""

    def write(self, kind: ObjectType, data: bytes) -> str:
        """Take one; its id."""


class ObjectNames:
    """An `ObjectWriter` that keeps nothing."""

    def write(self, kind: ObjectType, data: bytes) -> str:
        """The id of an object."""
        return _sha1(b"%s %d\0%s" % (_KINDS[kind].encode(), len(data), data))


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _with_alternates(directory: Path, depth: int) -> Iterator[Path]:
    yield directory
    try:
        lines = (directory / "info" / "alternates").read_text().splitlines() if depth else []
    except (OSError, UnicodeDecodeError):  # what is not there is missed by whoever needs it
        return
    for line in lines:
        if line and not line.startswith("#"):
            yield from _with_alternates(directory / line, depth - 1)


@contextmanager
def making(path: Path) -> Iterator[None]:
    """Turn libgit2's errors into airstore's where a new repository is written, so that the disk is to blame.

    Raises:
        StorageError: the disk is full or failed, or does not let us.
    """
    try:
        yield
    except (pygit2.GitError, OSError) as fault:
        hint = "free some space and run the same command again" if "space" in str(fault) else ""
        raise StorageError(f"cannot make {path}: {fault}", hint=hint) from fault


@contextmanager
def git_errors(what: str) -> Iterator[None]:
    """Turn libgit2's errors into airstore's; reading is what can still fail once arguments are checked.

    Raises:
        DamagedError: libgit2 could not make sense of the repository.
        StorageError: the operating system refused.
    """
    try:
        yield
    except AirstoreError:
        raise
    except (pygit2.GitError, ValueError) as fault:  # ValueError: a type of object that no git has
        if "not owned by current user" in str(fault):
            raise StorageError(
                f"{what} belongs to another user", hint="run airstore as the owner of the store"
            ) from fault
        raise DamagedError(f"{what}: {fault}") from fault
    except OSError as fault:
        raise StorageError(f"{what}: {fault}") from fault
