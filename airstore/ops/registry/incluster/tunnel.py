"""The way to the registry in the cluster for uploads: through the API server to a pod that is ready."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import Connection
from airstore.cluster.api.transport.forward import forward
from airstore.cluster.registry.objects import PUSH_PORT, SELECTOR
from airstore.core.errors import NotFoundError, TransferError
from airstore.registry.faults import RefusedError, TransientError

LABELS = ",".join(f"{key}={value}" for key, value in SELECTOR.items())
"""Selects the registry's pods."""
BRING = "the registry's passwords are not those of this store; bring them there: airstore registry bootstrap"


@contextmanager
def push_port(connection: Connection, namespace: str) -> Iterator[int]:
    """As `pod_port`, to the server that takes uploads."""
    with pod_port(connection, namespace, PUSH_PORT) as port:
        yield port


@contextmanager
def pod_port(connection: Connection, namespace: str, number: int) -> Iterator[int]:
    """A port of 127.0.0.1 that leads to a port of the registry, whatever pod that is in.

    Raises:
        NotFoundError: no pod of the registry is ready.
        TransferError: the API server refused; or, in the block, the registry was lost for good.
    """
    objects = Objects(connection)
    with forward(connection, namespace, lambda: ready_pod(objects, namespace), number) as forwarding:
        try:
            yield forwarding.port
        except TransientError as fault:
            if forwarding.trouble is None:
                raise
            raise TransferError(
                f"the registry was lost: {forwarding.trouble} ({fault})",
                hint=f"see kubectl get pods -n {namespace}; what arrived stays: once a pod is ready, run the"
                " same command again",
            ) from fault


@contextmanager
def own_passwords(hint: str = BRING) -> Iterator[None]:
    """Say what to do where the registry in the cluster does not take the store's password.

    Raises:
        TransferError: that was refused.
    """
    try:
        yield
    except RefusedError as fault:
        if fault.status != 401:
            raise
        raise TransferError(str(fault), hint=hint) from fault


def ready_pod(objects: Objects, namespace: str) -> str:
    """A pod of the registry that takes requests.

    Raises:
        NotFoundError: there is none.
    """
    for pod in objects.list("v1", "Pod", namespace, labels=LABELS):
        conditions = (pod.get("status") or {}).get("conditions") or ()
        ending = pod["metadata"].get("deletionTimestamp")
        if not ending and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
            return str(pod["metadata"]["name"])
    raise NotFoundError(
        f"no pod of the registry is ready in namespace {namespace}", hint="run airstore registry bootstrap"
    )
