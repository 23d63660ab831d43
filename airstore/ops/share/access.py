"""How remotes are reached, and the packs at them that are here only in part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from airstore.core.errors import IncompleteError
from airstore.core.frozen import frozen
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.share.packs import RemotePacks
from airstore.ops.share.remotes import load_remotes
from airstore.ops.stores.directory import StoreDirectory
from airstore.store.blobs import FarPacks


@frozen
class Access:
    """How remotes are reached.

    Attributes:
        registries: options and credentials.
        environment: in which git runs.
        now: fixed once per command, with a time zone; an expired trust root is refused.
    """

    registries: RegistryOptions
    environment: Mapping[str, str]
    now: datetime


def far_packs(store: StoreDirectory, access: RegistryOptions) -> FarPacks:
    """Where the packs are that are here only in part: the remotes, in the order of their names.

    Raises:
        IncompleteError: no remote is known.
    """
    sources = [RemotePacks(remote, access) for _, remote in sorted(load_remotes(store).items())]
    if not sources:
        raise IncompleteError(
            f"packs of {store.path} are only in part here, and no remote is known",
            hint="airstore remote add origin --git URL --objects oci://HOST/REPOSITORY",
        )
    return _Several(sources)


class _Several:
    """The first remote that has a pack gives it."""

    def __init__(self, sources: Sequence[RemotePacks]) -> None:
        self._sources = sources

    def read(self, pack: bytes, start: int, stop: int) -> bytes:
        """See `FarPacks`."""
        for source in self._sources[:-1]:
            try:
                return source.read(pack, start, stop)
            except IncompleteError:
                continue
        return self._sources[-1].read(pack, start, stop)

    def close(self) -> None:
        """See `FarPacks`."""
        for source in self._sources:
            source.close()
