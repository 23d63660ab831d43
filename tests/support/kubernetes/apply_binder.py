"""What tests ask of any API server, and a stand-in for the controllers that Helm cannot do without."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import Call, Connection, connect, path_of
from airstore.core.errors import TransferError


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

    def bind() -> None:
        with connect(api.kubeconfig, retry_for=300) as connection:  # tests stop the server
            while not ended.wait(0.5):
                # A request copies the environment, which tests change meanwhile: the next round does it then.
                with suppress(KeyError, RuntimeError):
                    _round(connection)

    thread = threading.Thread(target=bind)
    thread.start()
    yield
    ended.set()
    thread.join()


def _round(connection: Connection) -> None:
    for claim in Objects(connection).list("v1", "PersistentVolumeClaim"):
        asked = {"storage": claim["spec"]["resources"]["requests"]["storage"]}
        wanted = {"phase": "Bound", "capacity": asked}
        if not wanted.items() <= (claim.get("status") or {}).items():
            _mark_bound(connection, claim, wanted)
    for job in Objects(connection).list("batch/v1", "Job"):
        if "deletionTimestamp" in job["metadata"]:
            _let_go(connection, job)


def _mark_bound(connection: Connection, claim: dict[str, Any], status: dict[str, Any]) -> None:
    metadata = claim["metadata"]
    parts = ("namespaces", metadata["namespace"], "persistentvolumeclaims", metadata["name"], "status")
    kind = "application/merge-patch+json"
    call = Call("PATCH", path_of("api", "v1", *parts), body={"status": status}, content_type=kind)
    with suppress(TransferError):  # deleted meanwhile
        connection.send(call)


def _let_go(connection: Connection, job: dict[str, Any]) -> None:
    metadata = {key: job["metadata"][key] for key in ("name", "namespace")} | {"finalizers": None}
    with suppress(TransferError):  # gone meanwhile
        Objects(connection).merge({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata})
