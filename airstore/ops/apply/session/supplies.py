"""What a run is made of, out of the store: charts, values, hooks, each verified when it is read."""

from __future__ import annotations

from airstore.charts.images.rewrite import Rewriting
from airstore.core.errors import NotFoundError
from airstore.core.limits import LIMITS
from airstore.deploy.helm.kept import Kept
from airstore.deploy.model.target import ReleaseTarget
from airstore.ops.apply.session.installations import Installations
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import read_file, trusted_release
from airstore.store.blobs import BlobStore


class StoreSupplies:
    """Charts, values and hooks out of the store, each verified when it is read."""

    def __init__(self, store: StoreDirectory, blobs: BlobStore, installations: Installations) -> None:
        self._store = store
        self._blobs = blobs
        self._installations = installations

    def chart(self, target: ReleaseTarget) -> bytes:
        """See `airstore.deploy.helm.actions.Supplies`."""
        adopted = self._installations.adopted_chart(target.running)
        if adopted is not None:
            return adopted
        release = trusted_release(self._store, target.version)
        digests = {str(chart.archive.digest): chart.archive.digest for chart in release.charts}
        digest = digests.get(str(target.running.archive))
        if digest is None:  # unchanged since an earlier version that packed the same chart anew
            raise NotFoundError(f"release {target.version} has no chart {target.running.archive}")
        return self._blobs.read_bytes(digest, LIMITS.chart_archive)

    def values(self, target: ReleaseTarget) -> list[bytes]:
        """See `airstore.deploy.helm.actions.Supplies`."""
        return self._installations.values(target.running)

    def kept(self, target: ReleaseTarget) -> Kept | None:
        """See `airstore.deploy.helm.actions.Keeping`."""
        return self._installations.kept(target.running)

    def keep(self, target: ReleaseTarget, kept: Kept) -> None:
        """See `airstore.deploy.helm.actions.Keeping`."""
        self._installations.keep(target.running, kept)

    def rewriting(self, target: ReleaseTarget) -> Rewriting | None:
        """See `airstore.deploy.helm.actions.Supplies`."""
        return self._installations.rewriting(target.running)

    def hook_rewriting(self, target: ReleaseTarget) -> Rewriting | None:
        """See `airstore.deploy.hooks.runner.Scripts`."""
        return self._installations.rewriting(target.running, hooks=True)

    def hook(self, target: ReleaseTarget, name: str) -> bytes:
        """See `airstore.deploy.hooks.runner.Scripts`."""
        return read_file(self._store, target.version, target.helm.hooks[name])
