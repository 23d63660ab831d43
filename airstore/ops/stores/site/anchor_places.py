"""Where an anchor may be: a file outside of the store, or a ConfigMap of the site's cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from airstore.core.durable import storage_errors, write_file
from airstore.core.errors import StorageError, UsageError
from airstore.core.limits import LIMITS
from airstore.ops.stores.directory import StoreDirectory

if TYPE_CHECKING:
    from airstore.cluster.api.objects import Objects

_FILE, _MAP = "file://", "configmap:"
_KEY = "mark.json"


class AnchorPlace(Protocol):
    """Where an anchor is."""

    def read(self) -> bytes | None:
        """What is there; None where nothing is."""

    def write(self, data: bytes) -> None:
        """Put this there, durably."""


class FileAnchor:
    """A file outside of the store, such as on another disk or a mounted share."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """See `AnchorPlace`."""
        with storage_errors(self._path):
            try:
                with self._path.open("rb") as file:
                    return file.read(LIMITS.key_file + 1)
            except FileNotFoundError:
                return None

    def write(self, data: bytes) -> None:
        """See `AnchorPlace`."""
        with storage_errors(self._path):
            if not self._path.parent.is_dir():  # a share that is not mounted must not become a directory here
                raise StorageError(f"cannot write the anchor {self._path}: there is no {self._path.parent}")
        write_file(self._path, data, mode=0o644)


class ConfigMapAnchor:
    """A ConfigMap of the site's cluster."""

    def __init__(self, namespace: str, name: str, kubeconfig: Path | None) -> None:
        self._namespace, self._name, self._kubeconfig = namespace, name, kubeconfig

    def read(self) -> bytes | None:
        """See `AnchorPlace`."""
        with self._objects() as objects:
            found = objects.get("v1", "ConfigMap", self._name, self._namespace)
        text = (found.get("data") or {}).get(_KEY) if found else None
        return str(text).encode() if text is not None else None

    def write(self, data: bytes) -> None:
        """See `AnchorPlace`."""
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": self._name, "namespace": self._namespace},
            "data": {_KEY: data.decode()},
        }
        with self._objects() as objects:
            objects.apply(document)

    @contextmanager
    def _objects(self) -> Iterator[Objects]:
        from airstore.cluster.api.objects import Objects  # noqa: PLC0415
        from airstore.cluster.api.transport.connection import connect  # noqa: PLC0415 - loads kubernetes, which few need

        with connect(self._kubeconfig, retry_for=0) as connection:
            yield Objects(connection)


def config_map_of(named: str) -> tuple[str, str] | None:
    """Namespace and name of the ConfigMap that such a name is of; None of another place."""
    namespace, slash, name = named.removeprefix(_MAP).partition("/")
    return (namespace, name) if named.startswith(_MAP) and namespace and slash and name else None


def place_of(store: StoreDirectory, named: str) -> AnchorPlace:
    """The place that a name is of: ``file:///PATH`` or ``configmap:NAMESPACE/NAME``.

    Raises:
        UsageError: it is no such name, or within the store.
    """
    if named.startswith(f"{_FILE}/"):
        path = Path(named.removeprefix(_FILE))
        if path.resolve().is_relative_to(store.path.resolve()):
            raise UsageError(
                f"the anchor {path} is within the store, and would be restored with it",
                hint="name a file on another disk, or a ConfigMap",
            )
        return FileAnchor(path)
    if found := config_map_of(named):
        return ConfigMapAnchor(*found, store.kubeconfig)
    raise UsageError(
        f"{named[:100]!r} is no place for an anchor", hint="file:///PATH or configmap:NAMESPACE/NAME"
    )
