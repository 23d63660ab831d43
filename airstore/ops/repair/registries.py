"""A registry that a release was pushed to, as a place to restore blobs from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from airstore.core.errors import NotFoundError, TransferError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.history.exchange.lending import Lender
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.registry.push import parse_target
from airstore.ops.repair.sources import Read
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.trusted import all_releases
from airstore.registry.client.manifests import has_manifest
from airstore.registry.client.registry import RegistryClient
from airstore.registry.faults import RefusedError
from airstore.store.blobs import BlobStore

_PATIENCE = 3  # blobs in a row that failed for no reason of their own


class RegistrySource:
    """``[http://|https://]HOST[/PREFIX]``, laid out as `registry push` lays it out.

    Raises:
        UsageError: not of that form.
    """

    def __init__(self, target: str, access: RegistryOptions) -> None:
        parse_target(target, access)[0].close()
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
        client, _ = parse_target(self._target, self._access)
        with client:
            reader = _RegistryReader(client, _places(store))
            reader.require_reachable()
            yield reader.read


class _RegistryReader:
    """Reads blobs, and waits for a registry that went away a few times and not for each of thousands."""

    def __init__(self, client: RegistryClient, places: Mapping[Digest, tuple[str, Descriptor]]) -> None:
        self._client, self._places = client, places
        self._failures = 0

    def require_reachable(self) -> None:
        """Ask for anything; raises TransferError where nobody answers."""
        for digest, (repository, _) in list(self._places.items())[:1]:
            has_manifest(self._client.transport, self._client.repository(repository), str(digest))

    def read(self, digest: Digest) -> Iterator[bytes]:
        """A blob's bytes, from the repository of an artifact that has it."""
        if digest not in self._places:
            raise NotFoundError("no release says in which repository it is")
        if self._failures >= _PATIENCE:
            raise TransferError("the registry went away")
        repository, blob = self._places[digest]
        try:
            yield from self._client.open(Reference(self._client.host, repository, "", digest), blob)
        except RefusedError:
            raise
        except TransferError:
            self._failures += 1
            raise
        self._failures = 0


def _places(store: StoreDirectory) -> dict[Digest, tuple[str, Descriptor]]:
    return {
        blob.digest: (artifact.repository, blob)
        for link in all_releases(store)
        for artifact in link.release.artifacts
        for blob in artifact.blobs
    }
