"""The blobs of a release, made from what media brought and what the site holds; verified, each one."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from airstore.core.errors import DamagedError, IncompleteError, StorageError
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.core.progress import NOTHING, Afterwards, Progress
from airstore.media.delta import pace
from airstore.media.delta.file import DeltaFile
from airstore.media.delta.reader import Delta
from airstore.media.index import MediaIndex
from airstore.ops.media.arrivals import Arrivals
from airstore.store.blobs import BlobStore, Staging, openable


class MediaContent:
    """What media bring besides history.

    Args:
        blobs: the site's.
        index: of the media.
        arrivals: what was copied of them.
        progress: shows what is rebuilt.

    Attributes:
        damaged: blobs that the site holds and that do not read back.
    """

    def __init__(self, blobs: BlobStore, index: MediaIndex, arrivals: Arrivals, progress: Progress) -> None:
        self._blobs, self._index, self._arrivals = blobs, index, arrivals
        self._progress = progress
        self.damaged: set[Digest] = set()

    def staging(self, *, dry_run: bool) -> Staging:
        """The site's store as it would be with the media's packs."""
        packs = [self._arrivals.path(path) for path in self._index.packs]
        return Staging(self._blobs, packs, hashed=True, rehearse=dry_run)

    def require(self, staging: Staging, release: Release) -> None:
        """Have every blob of a release in a staging area.

        Raises:
            IncompleteError: neither the media nor the site hold one, or a delta's base is missing.
            DamagedError: one is not what its digest and size say.
            StorageError: the disk is full.
        """
        self._apply_deltas(staging)
        self._require_blobs(staging, release)

    def require_space(self, needed: int) -> None:
        """Refuse what there is no room for.

        Raises:
            StorageError: there is not.
        """
        free = shutil.disk_usage(self._blobs.directory).free
        if free < needed:
            raise StorageError(
                f"{self._blobs.directory} has {free} bytes free; importing these media needs {needed}",
                hint="free some space and run the same command again",
            )

    def _apply_deltas(self, staging: Staging) -> None:
        """Make the blobs that the deltas are about; they are verified with all others."""
        for path in self._index.deltas:
            try:
                self._apply(self._arrivals.path(path), staging)
            except IncompleteError as fault:
                text = f"release {self._index.release.version} cannot be made: {fault}"
                raise IncompleteError(text, hint=self._way_out()) from fault

    def _apply(self, path: Path, staging: Staging) -> None:
        applied = Afterwards(lambda: _seconds(path), pace.OPENING)
        delta = Delta(path, staging.reader, lambda bases: self._open_held(staging, bases, applied))
        wanted = {*staging.missing(delta.blobs), *self.damaged}
        if wanted.isdisjoint(delta.blobs):
            return  # an earlier run got as far as that
        plain = delta.resolve(wanted).plain_bytes
        self.require_space(2 * plain)
        after = Afterwards(lambda: pace.rebuilding(delta.table, wanted), pace.UNIT)
        with (
            self._progress.work("applying a delta", pace.work(delta.table, plain, wanted), after) as advance,
            staging.writer() as writer,
        ):
            delta.restore(writer, wanted, self._blobs.layout.temporary, advance)

    def _require_blobs(self, staging: Staging, release: Release) -> None:
        blobs = release.blobs()
        missing = staging.missing(blobs)
        if missing and self._open_held(staging):
            missing = staging.missing(missing)
        if missing:
            raise self._incomplete(release, missing)
        # What the store had before was verified when it came in and is verified whenever it is read.
        new = [d for d in blobs if d in self.damaged or self._blobs.size(d) is None]
        self.require_space(staging.written_bytes(new))
        total = sum(blobs[digest].size for digest in new)
        with self._progress.task("rebuilding blobs", total) as advance:
            staging.verify(new, advance)
        for digest in new:
            if staging.size(digest) != blobs[digest].size:
                raise DamagedError(f"blob {digest} is not of the size that release {release.version} says")

    def _open_held(
        self, staging: Staging, only: Collection[Digest] | None = None, after: Afterwards = NOTHING
    ) -> bool:
        """Open what media brought whole, or only some of it: a delta may rest on the files in it."""
        held = openable(self._blobs, only)
        size = sum(blob.size for blob in held)
        with (
            suppress(DamagedError),  # then it is missing here, which is said next
            self._progress.task("opening layers held whole", size, after) as advance,
        ):
            return bool(held) and staging.open_held(held, advance)
        return False

    def _incomplete(self, release: Release, missing: list[Digest]) -> IncompleteError:
        users = sorted({user for digest in missing for user in release.users_of(digest)})
        return IncompleteError(
            f"neither these media nor this site hold {len(missing)} blobs of release {release.version}; "
            f"needed by {', '.join(users[:5])}",
            hint=self._way_out(),
        )

    def _way_out(self) -> str:
        base, version = self._index.base, self._index.release.version
        asked = f"import media for release {base.version} first, or ask" if base else "ask"
        return (
            f"{asked} the publisher for `media create --to {version} --receipt FILE`, with what "
            "`airstore receipt` writes here"
        )


def _seconds(path: Path) -> float:
    """What applying a delta and rebuilding its blobs takes."""
    table = DeltaFile(path).table
    return pace.applying(table) + pace.rebuilding(table)
