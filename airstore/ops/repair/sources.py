"""Where what is damaged is restored from. Nothing that a source gives is believed before it is verified."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from airstore.core.durable import storage_errors
from airstore.core.errors import DamagedError, IncompleteError, NotFoundError, NotTrustedError
from airstore.core.image.digest import Digest
from airstore.core.progress import Progress
from airstore.history.exchange.lending import Lender, bundle_lender, store_lender
from airstore.media.delta.reader import Delta
from airstore.media.index import BUNDLE_NAME, MediaIndex
from airstore.media.reader import Media
from airstore.ops.media.arrivals import Arrivals
from airstore.ops.stores.directory import SITE, StoreDirectory
from airstore.store.blobs import BlobStore, Staging, openable

Read = Callable[[Digest], Iterator[bytes]]


class RepairSource(Protocol):
    """One place that ``--from`` names."""

    def roots(self) -> Mapping[int, bytes]:
        """Trust roots by version, as they were signed."""

    def history(self, store: StoreDirectory) -> AbstractContextManager[Lender | None]:
        """Its history; None where it has none."""

    def blobs(
        self, store: StoreDirectory, held: BlobStore, wanted: Collection[Digest]
    ) -> AbstractContextManager[Read]:
        """Reads its blobs, each verified by its digest; raises NotFoundError for one that it lacks."""


def require_plain(place: Path) -> None:
    """Refuse what somebody hands in as a store and has pipes or devices in it: reading those never ends.

    Raises:
        DamagedError: there is such a thing.
        StorageError: it cannot be read.
    """
    seen = set[tuple[int, int]]()
    with storage_errors(place):
        for parent, directories, names in os.walk(place, followlinks=True):
            found = Path(parent).stat()
            if (found.st_dev, found.st_ino) in seen:  # a link that leads back
                directories.clear()
                continue
            seen.add((found.st_dev, found.st_ino))
            for path in (Path(parent) / name for name in names):
                if path.exists() and not path.is_file():
                    raise DamagedError(
                        f"{path} is neither a file nor a directory",
                        hint="no store has that: who made it?",
                    )


class StoreSource:
    """Another store: of the publisher, of any site of the same product, or a copy of this one."""

    def __init__(self, other: StoreDirectory) -> None:
        self._other = other

    def __str__(self) -> str:
        return str(self._other.path)

    def roots(self) -> Mapping[int, bytes]:
        """See `RepairSource`; what cannot be read there is left out."""
        layout = self._other.layout
        found = layout.earlier_roots()
        with suppress(DamagedError, NotTrustedError, NotFoundError):
            found[self._other.trust_root().version] = layout.root_file
        return {version: path.read_bytes() for version, path in found.items()}

    @contextmanager
    def history(self, store: StoreDirectory) -> Iterator[Lender | None]:
        """See `RepairSource`; the ledger is nobody's but this site's."""
        same = (store.side, store.name) == (SITE, self._other.name) and self._other.side == SITE
        yield store_lender(self._other.layout.history, ledger=same)

    @contextmanager
    def blobs(self, store: StoreDirectory, held: BlobStore, wanted: Collection[Digest]) -> Iterator[Read]:  # noqa: ARG002
        """See `RepairSource`."""
        with self._other.open_blobs() as blobs:
            yield blobs.read


class MediaSource:
    """Media whose index this store's trust root vouches for."""

    def __init__(self, media: Media, progress: Progress) -> None:
        self._media, self._progress = media, progress

    def __str__(self) -> str:
        return ", ".join(map(str, self._media.directories))

    def roots(self) -> Mapping[int, bytes]:
        """See `RepairSource`."""
        return self._media.roots()

    @contextmanager
    def history(self, store: StoreDirectory) -> Iterator[Lender | None]:
        """See `RepairSource`."""
        with (
            self._copied(store) as (arrivals, _index),
            bundle_lender(arrivals.path(BUNDLE_NAME), store.layout.history) as lender,
        ):
            yield lender

    @contextmanager
    def blobs(self, store: StoreDirectory, held: BlobStore, wanted: Collection[Digest]) -> Iterator[Read]:
        """See `RepairSource`; a delta makes what is wanted, in ``tmp/``."""
        with self._copied(store) as (arrivals, index):
            packs = [arrivals.path(path) for path in index.packs]
            with Staging(held, packs, hashed=True, rehearse=True) as staging:
                lacking = [self._apply(arrivals.path(path), staging, held, wanted) for path in index.deltas]
                why = next(filter(None, lacking), "these media do not have it")

                def read(digest: Digest) -> Iterator[bytes]:
                    if staging.missing([digest]):
                        raise NotFoundError(why)
                    return staging.read(digest)

                yield read

    def _apply(self, path: Path, staging: Staging, held: BlobStore, wanted: Collection[Digest]) -> str | None:
        """Make what a delta has; what it lacks here where it cannot."""
        try:
            delta = Delta(path, staging.reader, lambda bases: self._open_bases(bases, staging, held))
            self._make(delta, staging, held, wanted)
        except IncompleteError as fault:
            return str(fault)
        return None

    def _open_bases(self, bases: Collection[Digest], staging: Staging, held: BlobStore) -> bool:
        """Open what the store has whole of that which a delta rests on: it refers to the files in it."""
        found = openable(held, bases)
        opened = False
        with self._progress.task("opening layers held whole", sum(blob.size for blob in found)) as advance:
            for blob in found:
                with suppress(DamagedError):  # then it is missing here, which is said next
                    opened |= staging.open_held([blob], advance)
        return opened

    def _make(self, delta: Delta, staging: Staging, held: BlobStore, wanted: Collection[Digest]) -> None:
        with (
            self._progress.work("applying a delta", delta.work(wanted)) as advance,
            staging.writer() as writer,
        ):
            delta.restore(writer, wanted, held.layout.temporary, advance)

    def _trusted_index(self, store: StoreDirectory) -> MediaIndex:
        """By the trust root in force, else by one before it: media outlive the key that signed them.

        All that they give is verified besides by what names it: whoever stole that key gains nothing.
        """
        *earlier, current = store.trust().roots
        for root in earlier:
            with suppress(NotTrustedError):
                return self._media.trusted_index(root.media_role)
        return self._media.trusted_index(current.media_role)

    @contextmanager
    def _copied(self, store: StoreDirectory) -> Iterator[tuple[Arrivals, MediaIndex]]:
        """The media's files in ``tmp/``, verified; what an interrupted run copied is not copied again."""
        index = self._trusted_index(store)
        copies = store.layout.arrivals(Digest.of(self._media.envelope).hex[:16])
        arrivals = Arrivals(copies, self._media, index, store.disk)
        try:
            arrivals.copy(self._progress)
        except DamagedError:
            arrivals.discard()
            raise
        yield arrivals, index
