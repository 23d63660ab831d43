"""Files in a directory of a web server, or in an artifact of a registry: read by name, from any byte on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from airstore.core.errors import NotFoundError
from airstore.core.limits import LIMITS
from airstore.registry.client.artifact import Artifact, ArtifactRepository
from airstore.registry.client.download import Download
from airstore.registry.client.registry import RegistryClient
from airstore.registry.client.transport import RegistryRequest
from airstore.registry.faults import RefusedError

_ABSENT = frozenset({404, 410})


class RemoteFiles(Protocol):
    """Files elsewhere; nothing that they hold is verified here."""

    def small(self, name: str, limit: int) -> bytes | None:
        """A small file as a whole; None where there is none.

        Raises:
            TransferError: it cannot be had, or is larger than ``limit`` bytes.
        """

    def read(self, name: str, size: int, start: int) -> Iterator[bytes]:
        """A file of ``size`` bytes from ``start`` on, taken up again where a connection breaks.

        Raises:
            NotFoundError: there is none.
            TransferError: it cannot be had.
        """

    def close(self) -> None:
        """Close every connection."""


class ArtifactFiles:
    """The files of an artifact."""

    def __init__(self, repository: ArtifactRepository, artifact: Artifact) -> None:
        self._repository = repository
        self._blobs = {file.name: file.blob for file in artifact.files}

    def small(self, name: str, limit: int) -> bytes | None:
        """See `RemoteFiles`."""
        blob = self._blobs.get(name)
        if blob is None:
            return None
        return self._repository.read(blob.digest, 0, min(blob.size, limit + 1))

    def read(self, name: str, size: int, start: int) -> Iterator[bytes]:
        """See `RemoteFiles`."""
        blob = self._blobs.get(name)
        if blob is None or blob.size != size:
            raise NotFoundError(f"{self._repository.name} has no file {name} of {size} bytes")
        return self._repository.download(blob, start)

    def close(self) -> None:
        """See `RemoteFiles`."""
        self._repository.close()


class WebFiles:
    """The files below a URL.

    Args:
        client: of its host; it answers the server's challenge, where there is one.
        url: of the directory.
    """

    def __init__(self, client: RegistryClient, url: str) -> None:
        self._client, self._url = client, url.rstrip("/")

    def small(self, name: str, limit: int) -> bytes | None:
        """See `RemoteFiles`."""
        try:
            return self._client.transport.fetch(self._request(name), min(limit, LIMITS.media_index))[1]
        except RefusedError as fault:
            if fault.status in _ABSENT:
                return None
            raise

    def read(self, name: str, size: int, start: int) -> Iterator[bytes]:
        """See `RemoteFiles`."""
        return iter(Download(self._client.transport, self._request(name), size, start))

    def close(self) -> None:
        """See `RemoteFiles`."""
        self._client.close()

    def _request(self, name: str) -> RegistryRequest:
        return RegistryRequest("GET", "", f"{self._url}/{name}", about=name)
