"""Is there a Kubernetes cluster within reach, and which one?"""

from __future__ import annotations

from pathlib import Path

from airstore.cluster.api.transport.connection import Call, connect
from airstore.core.frozen import frozen


@frozen
class ClusterInfo:
    """The API server's address and version."""

    server: str
    version: str


def probe(kubeconfig: Path | None) -> ClusterInfo:
    """Ask the API server of a kubeconfig's current context for its version.

    Args:
        kubeconfig: None for ``~/.kube/config``, or in a Pod its service account.

    Raises:
        NotFoundError: no usable kubeconfig.
        TransferError: the server does not answer.
    """
    with connect(kubeconfig, retry_for=0) as connection:
        answer = connection.send(Call("GET", "/version"))
        return ClusterInfo(connection.server, str(answer.get("gitVersion", "")))
