"""``airstore registry serve``: the catalog of a store that goes on growing while it is served."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from airstore.core.model.release import Release
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.remembered import Summary
from airstore.ops.stores.summaries import holdings, release_of, summaries
from airstore.registry.server.catalog import ReleaseCatalog, Repository


class LiveCatalog:
    """Every verified release that a store holds; an import made meanwhile shows with the next request.

    A release that media skipped is left out: its tags would be offered and could not be pulled. The newest
    one is offered even so, for what of it is there.

    Attributes:
        left_out: versions of those releases.
    """

    def __init__(self, store: StoreDirectory) -> None:
        """Verify and gather what there is.

        Raises:
            NotTrustedError, DamagedError: a release is not what was signed.
        """
        self._store = store
        self._lock = threading.Lock()
        self.left_out: tuple[str, ...] = ()
        self._tip: str | None = None
        self._releases: dict[str, Release] = {}
        self._catalog = ReleaseCatalog([])
        self._refresh()

    def repositories(self) -> Sequence[str]:
        """See `Catalog`."""
        return self._refresh().repositories()

    def repository(self, name: str) -> Repository | None:
        """See `Catalog`."""
        return self._refresh().repository(name)

    def _refresh(self) -> ReleaseCatalog:
        with self._lock:
            tip = self._store.history.tip
            if tip != self._tip:
                self._gather(summaries(self._store))
                self._tip = tip
            return self._catalog

    def _gather(self, found: Sequence[Summary]) -> None:
        with self._store.open_blobs() as blobs:
            held = {each.summary.link.commit for each in holdings(found, blobs) if each.whole}
        offered = [each for each in found if each.link.commit in held or each is found[-1]]
        self.left_out = tuple(each.link.version for each in found if each not in offered)
        history, known = self._store.history, self._releases
        self._releases = {
            each.link.commit: known.get(each.link.commit) or release_of(history, each) for each in offered
        }
        self._catalog = ReleaseCatalog(list(self._releases.values()))
