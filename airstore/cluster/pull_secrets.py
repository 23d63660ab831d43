"""Letting the pods of a namespace pull: an imagePullSecret, and the default ServiceAccount that names it."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field

from airstore.cluster.connection import ApiError
from airstore.cluster.objects import Objects
from airstore.cluster.registry_objects import PULL_SECRET, SELECTOR, Document, encoded, namespace

_ACCOUNT = ("v1", "ServiceAccount", "default")
_PATIENCE = 30.0  # seconds until a controller has made a new namespace's ServiceAccount


@dataclass(frozen=True)
class PullLogin:
    """Who pods are to the site's registry.

    Attributes:
        host: as image references name it, with a port where they have one.
        product: whose pods pull; the Secret is labelled with it.
    """

    host: str
    user: str
    password: str = field(repr=False)
    product: str = ""


def pull_secret(login: PullLogin, where: str) -> Document:
    """An imagePullSecret for pods of a namespace."""
    token = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    known = {"username": login.user, "password": login.password, "auth": token}
    config = json.dumps({"auths": {login.host: known}}, sort_keys=True)
    labels = {**SELECTOR, "app.kubernetes.io/part-of": login.product}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": PULL_SECRET, "namespace": where, "labels": labels},
        "type": "kubernetes.io/dockerconfigjson",
        "data": encoded({".dockerconfigjson": config}),
    }


def let_pull(objects: Objects, login: PullLogin, where: str) -> None:
    """Apply the Secret to a namespace, which is made if need be, and add it to the default ServiceAccount.

    Raises:
        TransferError: the API server refused.
    """
    if objects.get("v1", "Namespace", where) is None:
        objects.apply(namespace(where))
    objects.apply(pull_secret(login, where))
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
