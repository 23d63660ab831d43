"""How registries and other places are reached: credentials, certificates, plain HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airstore.core.frozen import frozen
from airstore.registry.client.login.credentials import CredentialSource

if TYPE_CHECKING:
    from airstore.charts.helm.access import RepositoryLogin
    from airstore.charts.packages.resolve import FetchedChart
    from airstore.core.image.reference import Reference
    from airstore.core.model.product import Product
    from airstore.registry.client.documents import DocumentSource
    from airstore.registry.client.registry import RegistryClient
    from airstore.registry.sources.places import Places

_PATIENCE = 15.0  # seconds without a byte of a document, as Helm has it

# Requests, under `RegistryClient`, takes a part of a short command's time to load, and so do readers of
# archives. What needs none of them does without: their imports are in the methods that use them.


@frozen
class RegistryOptions:
    """What the command line says about reaching registries.

    Attributes:
        credentials: None means to ask as nobody.
        plain_http: hosts spoken to without TLS.
        ca: certificates (PEM) to trust besides the system's.
        insecure: accept any certificate.
        proxies: URL scheme to proxy URL.
        sources: reference pattern to place, over those of the product file; paths are absolute.
    """

    credentials: CredentialSource | None = None
    plain_http: frozenset[str] = frozenset()
    ca: Path | None = None
    insecure: bool = False
    proxies: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def client(self, host: str, prefix: str = "") -> RegistryClient:
        """A client for one registry, or for the part of it below a path."""
        from airstore.registry.client.endpoint import Endpoint  # noqa: PLC0415
        from airstore.registry.client.registry import RegistryClient  # noqa: PLC0415

        endpoint = Endpoint(host, host in self.plain_http, self.ca, self.insecure, proxies=self.proxies)
        return RegistryClient(endpoint, self.credentials, prefix)

    def images(self, product: Product) -> Places:
        """All places that hold the product's images, as one source."""
        from airstore.registry.sources.places import Places  # noqa: PLC0415

        return Places({**product.sources, **self.sources}, product.directory, self.client)

    def places(self, product: Product, references: Iterable[Reference]) -> dict[Reference, str]:
        """Where each image would be taken from; nothing is opened."""
        from airstore.registry.sources.places import match_place  # noqa: PLC0415

        mapping = {**product.sources, **self.sources}
        return {image: match_place(image, mapping) or f"docker://{image.host}" for image in references}

    def chart_repository(self, url: str) -> RepositoryLogin:
        """How Helm reaches a chart repository, or a registry (``oci://host``) that dependencies come from."""
        from airstore.charts.helm.access import RepositoryLogin  # noqa: PLC0415

        host = urlsplit(url).netloc
        known = self.credentials.find(host, "") if self.credentials else None
        user, password = (known.username, known.password) if known else ("", "")
        return RepositoryLogin(url, user, password, self.ca, host in self.plain_http)

    def documents(self) -> DocumentSource:
        """Where documents are fetched that charts refer to by URL; nobody's credentials go there."""
        from airstore.registry.client.documents import DocumentSource  # noqa: PLC0415
        from airstore.registry.client.endpoint import Endpoint  # noqa: PLC0415

        return DocumentSource(Endpoint("", False, self.ca, self.insecure, _PATIENCE, proxies=self.proxies))

    def chart(self, source: str, version: str) -> FetchedChart:
        """A chart from ``oci://host/path/name``.

        Raises:
            NotFoundError: no such chart or version.
            TransferError: the registry refused or broke off.
        """
        from airstore.registry.client.chart_pull import fetch_chart  # noqa: PLC0415

        host, _, path = source.removeprefix("oci://").partition("/")
        with self.client(host) as client:
            return fetch_chart(client, path, version)
