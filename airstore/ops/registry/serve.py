"""``airstore registry serve``: the catalog of a store that goes on growing while it is served."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from airstore.core.errors import DamagedError
from airstore.core.image.digest import Digest
from airstore.core.model.release import Release
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.collected import collected, list_state
from airstore.ops.stores.releases.remembered import Summary
from airstore.ops.stores.releases.summaries import Holding, holdings, release_of, summaries
from airstore.registry.server.catalog import ReleaseCatalog, Repository
from airstore.store.blobs import BlobStore


class LiveCatalog:
    """Every verified release that a store holds; an import made meanwhile shows with the next request.

    A release that media skipped is left out: its tags would be offered and could not be pulled. The newest
    one is offered even so, for what of it is there. What `airstore gc` drops is left out from then on.

    Attributes:
        left_out: versions of releases that are not here as a whole.
        dropped: of those, the ones whose content was dropped.
    """

    def __init__(self, store: StoreDirectory) -> None:
        """Verify and gather what there is.

        Raises:
            NotTrustedError, DamagedError: a release is not what was signed.
        """
        self._store = store
        self._lock = threading.Lock()
        self.left_out: tuple[str, ...] = ()
        self.dropped: tuple[str, ...] = ()
        self._seen: object = None
        self._releases: dict[str, Release] = {}
        self._catalog = ReleaseCatalog([])
        self._gone: list[tuple[str, ReleaseCatalog]] = []
        self._refresh()

    def repositories(self) -> Sequence[str]:
        """See `Catalog`."""
        return self._refresh().repositories()

    def repository(self, name: str) -> Repository | None:
        """See `Catalog`."""
        return self._refresh().repository(name)

    def absence(self, name: str, selector: str) -> str | None:
        """See `Catalog`."""
        with self._lock:
            gone = self._gone
        for version, catalog in gone:
            repository = catalog.repository(name)
            if repository and _has(repository, selector):
                return f"`airstore gc` has dropped the content of release {version}"
        return None

    def _refresh(self) -> ReleaseCatalog:
        with self._lock:
            seen = self._store.history.tip, list_state(self._store)
            if seen != self._seen:
                self._gather(summaries(self._store), collected(self._store))
                self._seen = seen
            return self._catalog

    def _gather(self, found: Sequence[Summary], dropped: Collection[Digest]) -> None:
        with self._store.open_blobs() as blobs:
            held = list(holdings(found, blobs, dropped))
        offered = [each.summary for each in held if _is_offered(each) or each is held[-1]]
        gone = [each.summary for each in held if each.dropped and each.summary not in offered]
        self.left_out = tuple(each.link.version for each in found if each not in offered)
        self.dropped = tuple(each.link.version for each in gone)
        history, known = self._store.history, self._releases
        self._releases = {
            each.link.commit: known.get(each.link.commit) or release_of(history, each)
            for each in (*offered, *gone)
        }
        self._catalog = ReleaseCatalog([self._releases[each.link.commit] for each in offered])
        self._gone = [
            (each.link.version, ReleaseCatalog([self._releases[each.link.commit]])) for each in reversed(gone)
        ]


def _has(repository: Repository, selector: str) -> bool:
    """Looked up, not searched for: there may be a thousand such releases, and anybody may ask."""
    if selector in repository.tags:
        return True
    try:
        return Digest(selector) in repository.blobs
    except DamagedError:  # it is no digest
        return False


def _is_offered(holding: Holding) -> bool:
    """What is listed as dropped may be whole as yet: it goes any moment."""
    return holding.whole and not holding.dropped


class LiveBlobs:
    """The blobs of a store whose index may be replaced by another process while they are served.

    A rebuilt index is a new file under the old name. Whoever kept the old one open would never learn of what
    is imported from then on. Pulls that are under way go on with the index they began with, so each stays
    open until the end; rebuilding is rare.
    """

    def __init__(self, store: StoreDirectory) -> None:
        """Open what there is.

        Raises:
            NotFoundError, StorageError: from the store.
        """
        self._store = store
        self._lock = threading.Lock()
        self._opened = ExitStack()
        self._file: tuple[int, int] | None = None
        self._blobs = self._open()

    def size(self, digest: Digest) -> int | None:
        """See `BlobReader`."""
        return self._current().size(digest)

    def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """See `BlobReader`."""
        return self._current().read(digest, start, stop)

    def _current(self) -> BlobStore:
        with self._lock:
            if self._index_file() != self._file:
                self._blobs = self._open()
            return self._blobs

    def _open(self) -> BlobStore:
        # Asked before it is opened: what comes between the two is noticed with the next request.
        self._file = self._index_file()
        return self._opened.enter_context(self._store.open_blobs())

    def _index_file(self) -> tuple[int, int] | None:
        try:
            found = self._store.layout.index.stat()
        except FileNotFoundError:  # opening rebuilds it
            return None
        return found.st_dev, found.st_ino

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()
