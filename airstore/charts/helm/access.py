"""How chart repositories and registries are reached."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import field
from pathlib import Path

from airstore.core.frozen import frozen


@frozen
class RepositoryLogin:
    """How to reach one chart repository or registry.

    Attributes:
        url: ``https://...`` or ``http://...`` of a chart repository, or ``oci://host``.
        username: empty for anonymous access.
        password: handed to Helm through its standard input only.
        ca_file: additional certificate authority.
        plain_http: speak HTTP to an ``oci://`` registry.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    plain_http: bool = False

    @property
    def name(self) -> str:
        """What Helm calls the repository; derived, so that it is the same each time."""
        return "r" + hashlib.sha256(self.url.encode()).hexdigest()[:16]

    @property
    def authority(self) -> list[str]:
        """Flag that names the certificate authority."""
        return [f"--ca-file={self.ca_file.resolve()}"] if self.ca_file else []


@frozen
class ClusterAccess:
    """How Helm reaches a cluster.

    Attributes:
        kubeconfig: None in a pod of it.
    """

    kubeconfig: Path | None

    @property
    def flags(self) -> list[str]:
        """Flags that have Helm use it."""
        return [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []


Reach = Callable[[str], RepositoryLogin]
"""From the URL of a chart repository, or ``oci://host``, to how it is reached."""
