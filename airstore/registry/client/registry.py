"""A registry as an `ImageSource` (OCI distribution-spec 1.1, "Pull")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from airstore.core.errors import NotFoundError
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.registry.client.download import Download
from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.login.credentials import CredentialSource
from airstore.registry.client.manifests import has_manifest, read_manifest
from airstore.registry.client.referrers import find_referrers
from airstore.registry.client.transport import RegistryRequest, Transport


class RegistryClient:
    """One registry; threads may share it.

    Args:
        endpoint: how it is reached.
        credentials: who to be; None means nobody.
        prefix: path that every repository is below.
    """

    def __init__(
        self, endpoint: Endpoint, credentials: CredentialSource | None = None, prefix: str = ""
    ) -> None:
        self.transport = Transport(endpoint, credentials)
        self.prefix = prefix.strip("/")

    def repository(self, path: str) -> str:
        """Where the registry keeps the repository ``path``."""
        return f"{self.prefix}/{path}" if self.prefix else path

    @property
    def host(self) -> str:
        """The registry's host as it was given."""
        return self.transport.endpoint.host

    def resolve(self, reference: Reference) -> Descriptor:
        """See `ImageSource`; the digest is that of the bytes.

        Raises:
            NotFoundError: the registry does not hold it.
            DamagedError: the bytes are not what was asked for, or no manifest airstore can ship.
            TransferError: the registry refused or broke off.
        """
        found = read_manifest(self.transport, self.repository(reference.path), reference.selector)
        if found is None:
            raise NotFoundError(f"{self.host}/{self.repository(reference.path)} does not hold {reference}")
        return found[0]

    def check(self, reference: Reference) -> None:
        """Ask for an image without getting it, where the registry answers that; raises as `resolve` does."""
        repository = self.repository(reference.path)
        if not has_manifest(self.transport, repository, reference.selector):
            self.resolve(reference)

    def open(self, reference: Reference, blob: Descriptor) -> Iterator[bytes]:
        """See `ImageSource`; a broken connection is taken up again where it broke."""
        document = blob.media_type in oci.DOCUMENTS
        path = f"{'manifests' if document else 'blobs'}/{blob.digest}"
        headers = {"Accept": blob.media_type} if document else {}
        request = RegistryRequest("GET", self.repository(reference.path), path, headers)
        return iter(Download(self.transport, request, blob.size))

    def referrers(self, reference: Reference, subject: Digest) -> list[Descriptor]:
        """See `ImageSource`."""
        return find_referrers(self.transport, self.repository(reference.path), subject)

    def close(self) -> None:
        """Close every connection."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
