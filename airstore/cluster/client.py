"""Is there a Kubernetes cluster within reach, and which one?"""

from __future__ import annotations

import warnings
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
        kubeconfig: None for the client's usual places (``KUBECONFIG``, ``~/.kube/config``, in a Pod its
            service account).

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
    try:
        with warnings.catch_warnings():
            # The client warns of its own deprecated calls; nothing a user could act on.
            warnings.simplefilter("ignore", DeprecationWarning)
            if kubeconfig is None:
                settings = client.Configuration()
                config.load_config(client_configuration=settings)  # type: ignore[no-untyped-call]
                api = client.ApiClient(settings)
            else:
                api = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, KeyError, ValueError) as fault:
        raise NotFoundError(f"no usable kubeconfig: {fault}") from fault
    api.configuration.retries = 0
    return api
