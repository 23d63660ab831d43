"""Is there a Kubernetes cluster within reach, and which one?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from airstore.core.errors import NotFoundError, TransferError

_TIMEOUT = 5.0  # seconds


@dataclass(frozen=True)
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
    api = _connect(kubeconfig)
    server = str(api.configuration.host)
    try:
        answer = client.VersionApi(api).get_code(_request_timeout=_TIMEOUT)
    except (client.ApiException, HTTPError) as fault:
        raise TransferError(f"the API server {server} does not answer: {type(fault).__name__}") from fault
    finally:
        api.close()  # type: ignore[no-untyped-call]
    return ClusterInfo(server, str(answer.git_version))


def _connect(kubeconfig: Path | None) -> client.ApiClient:
    path = kubeconfig or Path.home() / ".kube" / "config"
    settings = client.Configuration()
    settings.retries = 0
    try:
        # `load_config` would choose like this too, but prints to the terminal while it does.
        if kubeconfig or path.is_file():
            config.load_kube_config(str(path), client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, KeyError, ValueError) as fault:
        raise NotFoundError(f"no usable kubeconfig: {fault}") from fault
    return client.ApiClient(settings)
