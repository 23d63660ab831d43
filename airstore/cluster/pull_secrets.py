"""Letting the pods of a namespace pull: an imagePullSecret, and the default ServiceAccount that names it."""

from __future__ import annotations

import time

from airstore.cluster.connection import ApiError
from airstore.cluster.objects import Objects
from airstore.cluster.registry_objects import PULL_SECRET, namespace, pull_secret
from airstore.cluster.registry_settings import RegistrySettings

_ACCOUNT = ("v1", "ServiceAccount", "default")
_PATIENCE = 30.0  # seconds until a controller has made a new namespace's ServiceAccount


def let_pull(objects: Objects, settings: RegistrySettings, password: str, where: str) -> None:
    """Apply the Secret to a namespace, which is made if need be, and add it to the default ServiceAccount.

    Raises:
        TransferError: the API server refused.
    """
    if objects.get("v1", "Namespace", where) is None:
        objects.apply(namespace(where))
    objects.apply(pull_secret(settings, password, where))
    deadline = time.monotonic() + _PATIENCE
    while not _added(objects, where):
        if time.monotonic() > deadline:
            return  # no controller makes it; pods then name the Secret themselves
        time.sleep(0.5)


def _added(objects: Objects, where: str) -> bool:
    account = objects.get(*_ACCOUNT, where)
    if account is None:
        return False
    entries = account.get("imagePullSecrets") or []
    if any(entry.get("name") == PULL_SECRET for entry in entries):
        return True
    # The list belongs to all who add to it, so the version read is stated and others' entries stay.
    metadata = {"name": _ACCOUNT[2], "resourceVersion": account["metadata"]["resourceVersion"]}
    change = {"apiVersion": _ACCOUNT[0], "kind": _ACCOUNT[1], "metadata": metadata}
    try:
        objects.merge({**change, "imagePullSecrets": [*entries, {"name": PULL_SECRET}]}, where)
    except ApiError as fault:
        if fault.status == 409:
            return False
        raise
    return True
