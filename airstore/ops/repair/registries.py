"""A registry that a release was pushed to, as a place to restore blobs from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from airstore.core.errors import NotFoundError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.history.lending import Lender
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.registry.push import parse_target
from airstore.ops.repair.sources import Read
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.trusted import all_releases
from airstore.store.blobs import BlobStore


class RegistrySource:
    """``[http://|https://]HOST[/PREFIX]``, laid out as `registry push` lays it out."""

    def __init__(self, target: str, access: RegistryOptions) -> None:
        self._target, self._access = target, access

    def __str__(self) -> str:
        return self._target

    def roots(self) -> Mapping[int, bytes]:
        """See `RepairSource`: it has none."""
        return {}

    @contextmanager
    def history(self, store: StoreDirectory) -> Iterator[Lender | None]:  # noqa: ARG002
        """See `RepairSource`: it has none."""
        yield None

    @contextmanager
    def blobs(self, store: StoreDirectory, held: BlobStore, wanted: Collection[Digest]) -> Iterator[Read]:  # noqa: ARG002
        """See `RepairSource`."""
        places = _places(store)
        client, _ = parse_target(self._target, self._access)
        with client:

            def read(digest: Digest) -> Iterator[bytes]:
                if digest not in places:
                    raise NotFoundError(f"no release says in which repository blob {digest} is")
                repository, blob = places[digest]
                return client.open(Reference(client.host, repository, "", digest), blob)

            yield read


def _places(store: StoreDirectory) -> dict[Digest, tuple[str, Descriptor]]:
    return {
        blob.digest: (artifact.repository, blob)
        for link in all_releases(store)
        for artifact in link.release.artifacts
        for blob in artifact.blobs
    }
