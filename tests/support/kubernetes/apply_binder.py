"""What tests ask of any API server, and a stand-in for the controllers that Helm cannot do without."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import Call, Connection, connect, path_of
from airstore.core.errors import TransferError
from tests.support.kubernetes.watching import changing

_CLAIMS = path_of("api", "v1", "persistentvolumeclaims")
_JOBS = path_of("apis", "batch", "v1", "jobs")


class Cluster(Protocol):
    """What tests ask of an API server, alone or with a whole cluster."""

    @property
    def kubeconfig(self) -> Path:
        """Of an administrator."""

    def kubectl(self, *words: str, stdin: object = None) -> str:
        """Run kubectl; ``stdin`` is an object it reads as JSON."""

    def json(self, *words: str) -> Any:
        """What ``kubectl ... -o json`` says."""


@contextmanager
def binder(api: Cluster) -> Iterator[None]:
    """Does what no controller is there to do.

    Marks volume claims as bound to volumes of their size, and lets Jobs go that are deleted with their pods.
    """
    ended = threading.Event()
    rounds = [(_CLAIMS, _bind), (_JOBS, _let_go)]
    threads = [threading.Thread(target=_each, args=(api, path, act, ended)) for path, act in rounds]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _each(
    api: Cluster, path: str, act: Callable[[Connection, dict[str, Any]], None], ended: threading.Event
) -> None:
    with connect(api.kubeconfig, retry_for=300) as connection:  # tests stop the server
        for found in changing(connection, path, ended):
            act(connection, found)


def _bind(connection: Connection, claim: dict[str, Any]) -> None:
    asked = {"storage": claim["spec"]["resources"]["requests"]["storage"]}
    wanted = {"phase": "Bound", "capacity": asked}
    if not wanted.items() <= (claim.get("status") or {}).items():
        _mark_bound(connection, claim, wanted)


def _mark_bound(connection: Connection, claim: dict[str, Any], status: dict[str, Any]) -> None:
    metadata = claim["metadata"]
    parts = ("namespaces", metadata["namespace"], "persistentvolumeclaims", metadata["name"], "status")
    kind = "application/merge-patch+json"
    call = Call("PATCH", path_of("api", "v1", *parts), body={"status": status}, content_type=kind)
    with suppress(TransferError):  # deleted meanwhile
        connection.send(call)


def _let_go(connection: Connection, job: dict[str, Any]) -> None:
    if "deletionTimestamp" not in job["metadata"]:
        return
    metadata = {key: job["metadata"][key] for key in ("name", "namespace")} | {"finalizers": None}
    with suppress(TransferError):  # gone meanwhile
        Objects(connection).merge({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata})
