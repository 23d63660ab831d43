"""The passwords of another product's registry, as its users have them: ``registry/shared.json``.

The same document is what the owner's store exports to a file (schemas/registry-access.schema.json).
"""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from airstore.core.durable import write_file
from airstore.core.errors import DamagedError, NotFoundError, UsageError
from airstore.core.frozen import frozen
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import ClusterRegistry
from airstore.core.parsing import schema, strictjson
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.noted import noting

_SCHEMA = "registry-access"
_PRIVATE = 0o600


@frozen
class RegistryAccess:
    """What a product needs to use a registry in the cluster.

    Attributes:
        product: whose registry it is.
        host: what nodes call it.
        namespace: where it is.
        push_host: takes uploads from outside; may be empty.
        ca: certificate authority (PEM) to trust; empty where the world trusts it.
    """

    product: str
    host: str
    namespace: str
    push_host: str
    pull: str = field(repr=False)
    push: str = field(repr=False)
    ca: str = ""

    def to_bytes(self) -> bytes:
        """As the files have it."""
        document = {
            "apiVersion": "airstore/v1",
            "kind": "RegistryAccess",
            "product": self.product,
            "registry": {"host": self.host, "namespace": self.namespace, "pushHost": self.push_host},
            "passwords": {"pull": self.pull, "push": self.push},
            "ca": self.ca,
        }
        return strictjson.dumps(document)


def read_access(path: Path) -> RegistryAccess:
    """Read such a file.

    Raises:
        NotFoundError: no such file.
        UsageError: it is no registry access; the field is named.
    """
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise NotFoundError(f"cannot read the registry access {path}: {fault.strerror}") from fault
    try:
        document = strictjson.load_object(data, str(path))
        schema.check_json(document, _SCHEMA, str(path))
    except DamagedError as fault:
        raise UsageError(str(fault), hint="make it with `airstore registry export-access`") from fault
    registry, passwords = document["registry"], document["passwords"]
    return RegistryAccess(
        document["product"],
        registry["host"],
        registry["namespace"],
        registry["pushHost"],
        passwords["pull"],
        passwords["push"],
        document["ca"],
    )


def shared_access(store: StoreDirectory, site: SiteFile) -> RegistryAccess | None:
    """The registry of another product that this store shares; None: it has its own, or none.

    A site file that names another host has left it.

    Raises:
        UsageError: the store's file does not read.
    """
    path = _path(store)
    if not path.is_file() or not isinstance(site.registry, ClusterRegistry):
        return None
    found = read_access(path)
    return found if found.host == site.registry.host else None


def shared_authority(store: StoreDirectory) -> Path:
    """Where the certificate authority of a shared registry is, if it has one of its own."""
    return _path(store).parent / "shared-ca.pem"


def keep_access(store: StoreDirectory, access: RegistryAccess) -> None:
    """Share a registry from now on.

    Raises:
        StorageError: the store cannot be written.
    """
    authority, path = shared_authority(store), _path(store)
    with noting(store, authority, path):
        if access.ca:
            write_file(authority, access.ca.encode(), mode=0o644, disk=store.disk)
        else:
            authority.unlink(missing_ok=True)
        write_file(path, access.to_bytes(), mode=_PRIVATE, disk=store.disk)


def write_access(access: RegistryAccess, path: Path) -> None:
    """Export to a file of mode 0600.

    Raises:
        UsageError: there is something already.
        StorageError: it cannot be written.
    """
    if path.exists():
        raise UsageError(f"{path} is there already", hint="name another file")
    write_file(path, access.to_bytes(), mode=_PRIVATE)


def _path(store: StoreDirectory) -> Path:
    return store.path / "registry" / "shared.json"
