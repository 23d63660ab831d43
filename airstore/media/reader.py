"""Reading media: nothing on them is believed before the signed index vouches for it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from airstore.core import strictjson
from airstore.core.digest import Digest, hashed_aside
from airstore.core.durable import LOCAL_DISK, Disk, durable_file
from airstore.core.errors import AirstoreError, DamagedError, IncompleteError, NotFoundError
from airstore.core.limits import LIMITS
from airstore.core.progress import Advance, Progress
from airstore.core.work import at_work
from airstore.media.ignored import is_ignored
from airstore.media.index import INDEX_NAME, MediaFile, MediaIndex
from airstore.trust import envelope
from airstore.trust.role import Role
from airstore.trust.statement import DELTA_MEDIA, MEDIA, STATEMENT_TYPE, Statement, verify_statement

_CHUNK = 1 << 20


class Media:
    """One directory of media.

    Raises:
        NotFoundError: there is none, or it has no index.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.envelope = _read_index(directory / INDEX_NAME)

    def trusted_index(self, role: Role) -> MediaIndex:
        """The index, once its signature is verified.

        Raises:
            NotTrustedError: not signed by enough of the role's keys.
            DamagedError: signed, but malformed.
        """
        what = f"media index {self.directory / INDEX_NAME}"
        return MediaIndex.of(verify_statement(self.envelope, MEDIA, role, what, DELTA_MEDIA), what)

    def claimed_index(self) -> MediaIndex:
        """The index as it claims to be, for looking only; never act on it.

        Raises:
            DamagedError: malformed.
        """
        what = f"media index {self.directory / INDEX_NAME}"
        found = envelope.read(self.envelope, STATEMENT_TYPE, what)
        return MediaIndex.of(Statement.parse(found.payload, what), what)

    def check_present(self, index: MediaIndex) -> None:
        """Look at names and sizes before any long reading.

        Raises:
            IncompleteError: files are missing or cut short.
            DamagedError: there are files that the index does not list, or longer ones.
        """
        for path, expected in index.files.items():
            self._check_size(path, expected)
        for path in self._walk():
            if path not in index.files and path != INDEX_NAME and not is_ignored(path):
                raise DamagedError(
                    f"{self.directory / path} is not listed in the media's signed index",
                    hint="if your own system put it there, remove it: media hold only what is listed",
                )

    def verify(self, index: MediaIndex, progress: Progress) -> list[str]:
        """Read every file and list the faults, one a line; an empty list means intact."""
        faults = []
        with progress.task("verifying media", index.size) as advance:
            for path, expected in sorted(index.files.items()):
                try:
                    for chunk in self._read(path, expected):
                        advance(len(chunk))
                except AirstoreError as fault:
                    faults.append(str(fault))
        return faults

    def copy(
        self, path: str, expected: MediaFile, to: Path, advance: Advance, disk: Disk = LOCAL_DISK
    ) -> None:
        """Copy one file, hashing what is copied: media may change between two reads.

        A file already copied by an earlier, interrupted run is kept if it still has the right content.

        Raises:
            DamagedError: the bytes are not those of the index; no file is left.
            IncompleteError: the file is missing or short.
            StorageError: the disk is full; no file is left.
        """
        if to.is_file() and to.stat().st_size == expected.size and Digest.of_file(to) == expected.digest:
            advance(expected.size)
            return
        with at_work("copy %s", self.directory / path), durable_file(to, disk=disk) as out:
            for chunk in self._read(path, expected):
                out.write(chunk)
                advance(len(chunk))

    def _read(self, path: str, expected: MediaFile) -> Iterator[bytes]:
        self._check_size(path, expected)
        name = self.directory / path
        running = hashlib.sha256()
        try:
            with name.open("rb") as file:
                yield from hashed_aside(iter(lambda: file.read(_CHUNK), b""), running)
        except OSError as fault:
            raise IncompleteError(f"media: cannot read {name}: {os.strerror(fault.errno or 0)}") from fault
        if running.digest() != expected.digest.raw:
            raise DamagedError(
                f"media: {name} has other content than the signed index says",
                hint="copy the media again; `airstore media verify` names every damaged file",
            )

    def _check_size(self, path: str, expected: MediaFile) -> None:
        name = self.directory / path
        try:
            if name.is_symlink() or not name.is_file():
                raise IncompleteError(
                    f"media: {name} is missing or not a plain file", hint="copy the media again, all of them"
                )
            size = name.stat().st_size
        except OSError as fault:
            raise IncompleteError(f"media: cannot read {name}: {fault.strerror}") from fault
        if size != expected.size:
            family = IncompleteError if size < expected.size else DamagedError
            raise family(
                f"media: {name} is {size} bytes, the signed index says {expected.size}",
                hint="copy the media again, all of them",
            )

    def _walk(self) -> Iterator[str]:
        for parent, directories, names in os.walk(self.directory):
            links = (name for name in directories if (Path(parent) / name).is_symlink())
            for name in (*names, *links):
                yield str((Path(parent) / name).relative_to(self.directory))


def _read_index(path: Path) -> bytes:
    try:
        if path.is_symlink() or not path.is_file():
            raise NotFoundError(
                f"{path.parent} holds no airstore media: {path.name} is missing",
                hint="name the directory that `airstore media create` wrote",
            )
        if path.stat().st_size > LIMITS.json_document:
            raise DamagedError(f"{path} is larger than {LIMITS.json_document} bytes")
        data = path.read_bytes()
    except OSError as fault:
        raise IncompleteError(f"media: cannot read {path}: {fault.strerror}") from fault
    strictjson.load_object(data, f"media index {path}")
    return data
