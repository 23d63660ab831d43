"""Reading media: nothing on them is believed before the signed index vouches for it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from airstore.core.durable import LOCAL_DISK, Disk, SyncBehind, durable_file
from airstore.core.errors import AirstoreError, DamagedError, IncompleteError, NotFoundError, UsageError
from airstore.core.image.digest import Digest, hashed_aside
from airstore.core.limits import LIMITS
from airstore.core.parsing import strictjson
from airstore.core.progress import Advance, Progress
from airstore.core.work import at_work
from airstore.media.ignored import is_ignored
from airstore.media.index import INDEX_COPY, INDEX_NAME, MediaIndex, root_version
from airstore.media.volumes.slices import numbers
from airstore.trust import envelope
from airstore.trust.role import Role
from airstore.trust.statement import (
    EVERY_MEDIA,
    MEDIA,
    STATEMENT_TYPE,
    Statement,
    verify_statement,
)

_CHUNK = 1 << 20


class Content(Protocol):
    """How many bytes a file holds, and their digest: a whole file of the media, or a slice of one."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def digest(self) -> Digest:
        """Of these bytes."""


class Media:
    """One directory of media, or the volumes of one media that are at hand, a directory each.

    Raises:
        NotFoundError: there is none, or it has no index.
        UsageError: the directories are of different media.
    """

    def __init__(self, directory: Path, *others: Path) -> None:
        self.directory = directory
        self.directories = (directory, *others)
        self.envelope = _read_index(directory)
        for other in others:
            if _read_index(other) != self.envelope:
                raise UsageError(f"{directory} and {other} are not volumes of the same media")

    def roots(self) -> dict[int, bytes]:
        """The trust roots that the media carry, by version; each says for itself who signed it.

        Raises:
            DamagedError: there are too many, or one is too large.
            IncompleteError: one cannot be read.
        """
        places: dict[int, Path] = {}
        for directory, name in self._walk("roots"):
            if (version := root_version(name)) is not None:
                places.setdefault(version, directory / name)
        if len(places) > LIMITS.trust_roots:
            raise DamagedError(f"{self.directory} carries more than {LIMITS.trust_roots} trust roots")
        return {version: _read_root(path) for version, path in places.items()}

    def trusted_index(self, role: Role) -> MediaIndex:
        """The index, once its signature is verified.

        Raises:
            NotTrustedError: not signed by enough of the role's keys.
            DamagedError: signed, but malformed.
        """
        what = f"media index {self.directory / INDEX_NAME}"

        def verified(data: bytes) -> MediaIndex:
            return MediaIndex.of(verify_statement(data, MEDIA, role, what, *EVERY_MEDIA), what)

        return self._index(verified)

    def claimed_index(self) -> MediaIndex:
        """The index as it claims to be, for looking only; never act on it.

        Raises:
            DamagedError: malformed.
        """
        what = f"media index {self.directory / INDEX_NAME}"

        def claimed(data: bytes) -> MediaIndex:
            statement = Statement.parse(envelope.read(data, STATEMENT_TYPE, what).payload, what)
            return MediaIndex.of(statement, what)

        return self._index(claimed)

    def _index(self, read: Callable[[bytes], MediaIndex]) -> MediaIndex:
        """Read the index; where it is damaged and there is a copy, that one."""
        try:
            return read(self.envelope)
        except AirstoreError:
            copy = _read_copy(self.directory)
            if copy is None or copy == self.envelope:
                raise
            index = read(copy)
            self.envelope = copy
            return index

    def check_present(self, index: MediaIndex) -> None:
        """Look at names and sizes before any long reading.

        Raises:
            IncompleteError: files are missing or cut short, or volumes are not at hand.
            DamagedError: there are files that the index does not list, or longer ones.
        """
        self.check_listed(index)
        absent = self.absent_volumes(index)
        if absent:
            raise missing_volumes(absent, len(index.volumes))

    def check_listed(self, index: MediaIndex, paths: Iterable[str] = ()) -> None:
        """`check_present` for what is at hand of several volumes, and for some of the files only."""
        names = {index.lies_at(piece): piece for path in index.files for piece in index.slices(path)}
        looked_at = set(paths or index.files)
        for name, piece in names.items():
            if piece.path in looked_at and (not index.volumes or self.has(name)):
                self._check_size(name, piece.size)
        own = {*names, INDEX_NAME, *([INDEX_COPY] if index.parity else [])}
        for directory, name in self._walk():
            if name not in own and not is_ignored(name) and root_version(name) is None:
                raise DamagedError(
                    f"{directory / name} is not listed in the media's signed index",
                    hint="if your own system put it there, remove it: media hold only what is listed",
                )

    def absent_volumes(self, index: MediaIndex) -> list[int]:
        """The numbers, from 1 on, of volumes of which something is not at hand."""
        return [
            number
            for number, volume in enumerate(index.volumes, 1)
            if not all(self.has(index.lies_at(piece)) for piece in volume)
        ]

    def has(self, name: str) -> bool:
        """Whether one of the directories has a file of this relative path."""
        return any(os.path.lexists(directory / name) for directory in self.directories)

    def verify(self, index: MediaIndex, progress: Progress) -> list[str]:
        """Read every file, of volumes those at hand, and list the faults, one a line; none means intact."""
        faults = []
        pieces = [
            (index.lies_at(piece), piece) for path in sorted(index.files) for piece in index.slices(path)
        ]
        there = [(name, piece) for name, piece in pieces if not index.volumes or self.has(name)]
        with progress.task("verifying media", sum(piece.size for _, piece in there)) as advance:
            for name, piece in there:
                try:
                    for chunk in self._read(name, piece):
                        advance(len(chunk))
                except AirstoreError as fault:
                    faults.append(str(fault))
        return faults

    def copy(self, name: str, expected: Content, to: Path, advance: Advance, disk: Disk = LOCAL_DISK) -> None:
        """Copy one file, hashing what is copied: media may change between two reads.

        A file already copied by an earlier, interrupted run is kept if it still has the right content.

        Raises:
            DamagedError: the bytes are not those of the index; no file is left.
            IncompleteError: the file is missing or short.
            StorageError: the disk is full; no file is left.
        """
        if holds(to, expected):
            advance(expected.size)
            return
        copying = at_work("copy %s", self.place(name))
        with copying, durable_file(to, disk=disk) as out, SyncBehind(out) as behind:
            for chunk in self._read(name, expected):
                behind.write(chunk)
                advance(len(chunk))

    def place(self, name: str) -> Path:
        """Where a file is; where it would be in the first directory, if none has it."""
        places = [directory / name for directory in self.directories]
        return next((place for place in places if os.path.lexists(place)), places[0])

    def _read(self, path: str, expected: Content) -> Iterator[bytes]:
        self._check_size(path, expected.size)
        name = self.place(path)
        running = hashlib.sha256()
        try:
            with name.open("rb") as file:
                yield from hashed_aside(iter(lambda: file.read(_CHUNK), b""), running)
        except OSError as fault:
            raise IncompleteError(f"media: cannot read {name}: {os.strerror(fault.errno or 0)}") from fault
        if running.digest() != expected.digest.raw:
            raise DamagedError(
                f"media: {name} has other content than the signed index says",
                hint="copy the media again; `airstore media verify` names every damaged file, and rebuilds "
                "them with --repair where the media carry parity",
            )

    def _check_size(self, path: str, expected: int) -> None:
        name = self.place(path)
        try:
            if name.is_symlink() or not name.is_file():
                raise IncompleteError(
                    f"media: {name} is missing or not a plain file", hint="copy the media again, all of them"
                )
            size = name.stat().st_size
        except OSError as fault:
            raise IncompleteError(f"media: cannot read {name}: {fault.strerror}") from fault
        if size != expected:
            family = IncompleteError if size < expected else DamagedError
            raise family(
                f"media: {name} is {size} bytes, the signed index says {expected}",
                hint="copy the media again, all of them",
            )

    def _walk(self, below: str = "") -> Iterator[tuple[Path, str]]:
        for directory in self.directories:
            for parent, directories, names in os.walk(directory / below):
                links = (name for name in directories if (Path(parent) / name).is_symlink())
                for name in (*names, *links):
                    yield directory, str((Path(parent) / name).relative_to(directory))


def holds(file: Path, expected: Content) -> bool:
    """Whether a file is there with the right content."""
    return file.is_file() and file.stat().st_size == expected.size and Digest.of_file(file) == expected.digest


def missing_volumes(absent: Sequence[int], count: int) -> IncompleteError:
    """What to say of volumes that are not at hand."""
    which, are = ("volumes", "are") if len(absent) > 1 else ("volume", "is")
    return IncompleteError(
        f"{which} {numbers(absent)} of {count} {are} not at hand",
        hint="name every volume's directory at once, or the one above them",
    )


def has_index(directory: Path) -> bool:
    """Whether a directory is media, or was before its index was lost."""
    return any((directory / name).is_file() for name in (INDEX_NAME, INDEX_COPY))


def _read_index(directory: Path) -> bytes:
    """The envelope; media with parity have a copy of it, for when the first one cannot be read."""
    try:
        return _read_envelope(directory / INDEX_NAME)
    except AirstoreError:
        if copy := _read_copy(directory):
            return copy
        raise


def _read_copy(directory: Path) -> bytes | None:
    try:
        return _read_envelope(directory / INDEX_COPY)
    except AirstoreError:
        return None


def _read_root(path: Path) -> bytes:
    absent = IncompleteError(f"media: {path} is not a plain file", hint="copy the media again")
    return _read_bounded(path, LIMITS.trust_root, absent)


def _read_envelope(path: Path) -> bytes:
    absent = NotFoundError(
        f"{path.parent} holds no airstore media: {path.name} is missing",
        hint="name the directory that `airstore media create` wrote",
    )
    data = _read_bounded(path, LIMITS.media_index, absent)
    strictjson.load_object(data, f"media index {path}")
    return data


def _read_bounded(path: Path, limit: int, absent: AirstoreError) -> bytes:
    """What nobody has signed yet, read no further than it can be meant."""
    try:
        if path.is_symlink() or not path.is_file():
            raise absent
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as fault:
        raise IncompleteError(f"media: cannot read {path}: {fault.strerror}") from fault
    if len(data) > limit:
        raise DamagedError(f"media: {path} is larger than {limit} bytes")
    return data
