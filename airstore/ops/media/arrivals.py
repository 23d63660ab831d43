"""What an import has copied so far: kept when it is interrupted, or until the other volumes come."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from airstore.core.durable import LOCAL_DISK, Disk, durable_file
from airstore.core.errors import AirstoreError, DamagedError, IncompleteError
from airstore.core.progress import Advance, Afterwards, Progress
from airstore.media.delta import pace
from airstore.media.delta.file import DeltaFile
from airstore.media.index import MediaIndex
from airstore.media.reader import Media, holds, missing_volumes
from airstore.media.volumes.slices import Slice

_CHUNK = 1 << 20


class VolumesMissingError(IncompleteError):
    """What is at hand was copied; the import goes on when the other volumes come."""


class Arrivals:
    """A directory with copies of the files of one media, and of slices whose others are not there yet."""

    def __init__(self, directory: Path, media: Media, index: MediaIndex, disk: Disk = LOCAL_DISK) -> None:
        self.directory = directory
        self._media, self._index, self._disk = media, index, disk
        self._size = sum(file.size for file in index.contents.values())

    def path(self, name: str) -> Path:
        """Where a file of the media is once it was copied."""
        return self.directory / name

    def needed_bytes(self) -> int:
        """Bytes that copying takes on the disk; a file that was cut is there twice while it is joined."""
        copied = (path for path, _ in self._places() if path.is_file())
        cut = [f.size for path, f in self._index.contents.items() if len(list(self._index.slices(path))) > 1]
        return self._size - sum(path.stat().st_size for path in copied) + max(cut, default=0)

    def copy(self, progress: Progress) -> None:
        """Copy what is at hand and not copied yet, and join what was cut.

        Raises:
            VolumesMissingError: not everything is there yet; what is stays.
            DamagedError: content is wrong; of that file nothing is left.
            IncompleteError: a file is missing or short.
            StorageError: the disk is full.
        """
        with progress.task("copying media", self._size, Afterwards(self._afterwards)) as advance:
            open_paths = [path for path in sorted(self._index.contents) if not self._has(path, advance)]
            absent = [piece for path in open_paths for piece in self._copy(path, advance)]
        if absent:
            numbers = [n for n, volume in enumerate(self._index.volumes, 1) if set(absent) & set(volume)]
            fault = missing_volumes(numbers, len(self._index.volumes))
            raise VolumesMissingError(
                f"{fault}; what is at hand was copied",
                hint="import the other volumes, in any order: airstore media import DRIVE",
            )
        for path in open_paths:
            self._join(path)

    def _afterwards(self) -> float | None:
        """Seconds that making blobs takes when everything is there; None where that cannot be told yet.

        The tables of deltas say it. Nobody has compared them with their digests yet, so nothing else is
        taken from them; what is wrong with them shows when they are copied.
        """
        seconds = pace.reading(sum(self._index.contents[path].size for path in self._index.packs))
        for path in self._index.deltas:
            if len(list(self._index.slices(path))) > 1 or not self._media.has(path):
                return None
            try:
                table = DeltaFile(self._media.place(path)).table
            except AirstoreError:
                return None
            seconds += pace.applying(table) + pace.rebuilding(table)
        return seconds

    def discard(self) -> None:
        """Let go of everything that was copied, unless other volumes, which may be far by now, came well."""
        if not self._index.volumes:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _places(self) -> Iterator[tuple[Path, Slice]]:
        for path in self._index.contents:
            for piece in self._index.slices(path):
                yield self.path(self._index.lies_at(piece)), piece

    def _has(self, path: str, advance: Advance) -> bool:
        if not holds(self.path(path), self._index.files[path]):
            return False
        advance(self._index.files[path].size)
        return True

    def _copy(self, path: str, advance: Advance) -> Iterator[Slice]:
        """Copy one file, whole or in slices; gives the slices that are neither here nor at hand."""
        for piece in self._index.slices(path):
            name = self._index.lies_at(piece)
            if not self._index.volumes or self._media.has(name):
                self._media.copy(name, piece, self.path(name), advance, self._disk)
            elif holds(self.path(name), piece):
                advance(piece.size)
            else:
                yield piece

    def _join(self, path: str) -> None:
        whole, expected = self.path(path), self._index.files[path]
        pieces = [self.path(self._index.lies_at(piece)) for piece in self._index.slices(path)]
        if pieces == [whole]:
            return
        running = hashlib.sha256()
        with durable_file(whole, disk=self._disk) as out:
            for piece in pieces:
                with piece.open("rb") as file:
                    while data := file.read(_CHUNK):
                        running.update(data)
                        out.write(data)
            if running.digest() != expected.digest.raw:
                raise DamagedError(
                    f"the slices of {path} do not make up the file that the signed index lists"
                )
        for piece in pieces:
            piece.unlink()
