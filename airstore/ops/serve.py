"""``airstore registry serve``: the catalog of a store that goes on growing while it is served."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from airstore.ops.directory import StoreDirectory
from airstore.ops.trusted import all_releases
from airstore.registry.catalog import ReleaseCatalog, Repository


class LiveCatalog:
    """Every verified release of a store; an import made meanwhile shows with the next request."""

    def __init__(self, store: StoreDirectory) -> None:
        """Verify and gather what there is.

        Raises:
            NotTrustedError, DamagedError: a release is not what was signed.
        """
        self._store = store
        self._lock = threading.Lock()
        self._tip: str | None = None
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
                self._catalog = ReleaseCatalog([link.release for link in all_releases(self._store)])
                self._tip = tip
            return self._catalog
