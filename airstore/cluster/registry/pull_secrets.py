"""Letting the pods of a namespace pull: an imagePullSecret, and the default ServiceAccount that names it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from airstore.cluster.api.labels import PRODUCTS, annotation
from airstore.cluster.api.objects import ConflictError, Objects
from airstore.cluster.api.transport.connection import ApiError
from airstore.cluster.registry.objects import PULL_SECRET, SELECTOR, encoded, namespace
from airstore.core.errors import TransferError, UsageError
from airstore.core.frozen import frozen
from airstore.core.kube.documents import Manifest
from airstore.core.poll import poll

_ACCOUNT = ("v1", "ServiceAccount", "default")
_PART_OF = "app.kubernetes.io/part-of"
_ATTEMPTS = 10
_TIMEOUT = 30.0  # seconds until a controller has made a new namespace's ServiceAccount


@frozen
class PullLogin:
    """Who pods are to the site's registry.

    Attributes:
        host: as image references name it, with a port where they have one.
        product: whose pods pull.
        decides: the registry is this product's own, so that its password is the right one.
    """

    host: str
    user: str
    password: str = field(repr=False)
    product: str = ""
    decides: bool = False


def pull_secret(login: PullLogin, where: str, existing: Mapping[str, Any] | None = None) -> Manifest:
    """An imagePullSecret for pods of a namespace.

    Args:
        login: of one product.
        where: the namespace.
        existing: the Secret as it is; what other products need there stays in it.

    Raises:
        UsageError: another product is somebody else to the same registry in this namespace.
    """
    auths, users = _known(existing)
    _check(login, where, auths, users)
    users = {host: sorted({*names} - {login.product}) for host, names in users.items()}
    auths = {host: entry for host, entry in auths.items() if users.get(host)}
    token = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    auths[login.host] = {"username": login.user, "password": login.password, "auth": token}
    users[login.host] = sorted({*users.get(login.host, ()), login.product})
    kept = {host: names for host, names in users.items() if names}
    metadata = {
        "name": PULL_SECRET,
        "namespace": where,
        "labels": {**SELECTOR, _PART_OF: _first(existing) or login.product},
        "annotations": {PRODUCTS: json.dumps(kept, sort_keys=True)},
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "kubernetes.io/dockerconfigjson",
        "data": encoded({".dockerconfigjson": json.dumps({"auths": auths}, sort_keys=True)}),
    }


def password_of(secret: Mapping[str, Any], host: str) -> str | None:
    """The password that such a Secret has for a host; None where it has none."""
    password = (_known(secret)[0].get(host) or {}).get("password")
    return str(password) if password else None


def let_pull(objects: Objects, login: PullLogin, where: str) -> None:
    """Apply the Secret to a namespace, which is made if need be, and add it to the default ServiceAccount.

    Raises:
        UsageError: another product is somebody else to the same registry in this namespace.
        TransferError: the API server refused.
    """
    if objects.get("v1", "Namespace", where) is None:
        objects.apply(namespace(where, login.product))
    give_secret(objects, login, where)
    # Where no controller makes the ServiceAccount, pods name the Secret themselves.
    any(_added(objects, where) for _ in poll(_TIMEOUT, 0.5))


def give_secret(objects: Objects, login: PullLogin, where: str) -> None:
    """Apply the Secret alone to a namespace that is there.

    Raises:
        UsageError, TransferError: as `let_pull`.
    """
    for _ in range(_ATTEMPTS):
        existing = objects.get("v1", "Secret", PULL_SECRET, where)
        document = pull_secret(login, where, existing)
        if existing is None:
            objects.apply(document)
            return
        # The version that was read is stated, so that no product loses what another one adds meanwhile.
        version = existing["metadata"]["resourceVersion"]
        document["metadata"]["resourceVersion"] = version
        try:
            objects.apply(document)
        except ConflictError:
            now = objects.get("v1", "Secret", PULL_SECRET, where)
            if now and now["metadata"]["resourceVersion"] == version:
                raise  # somebody else manages its fields
        else:
            return
    raise TransferError(f"Secret {where}/{PULL_SECRET} is changed by others all the time")


def _known(existing: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Logins that a Secret of ours holds, and the products that use each; both by host."""
    if existing is None or not _is_ours(existing):
        return {}, {}
    try:
        text = base64.b64decode(existing["data"][".dockerconfigjson"])
        auths = dict(json.loads(text)["auths"])
        noted = annotation(existing, PRODUCTS)
        users = dict(json.loads(noted)) if noted else {host: [_first(existing)] for host in auths}
    except (KeyError, ValueError, TypeError):
        return {}, {}  # somebody has spoilt it: it is written anew, or he manages it and is named
    return auths, {host: [str(name) for name in users.get(host, ())] for host in auths}


def _check(
    login: PullLogin, where: str, auths: Mapping[str, Any], users: Mapping[str, Sequence[str]]
) -> None:
    entry = auths.get(login.host) or {}
    others = [name for name in users.get(login.host, ()) if name and name != login.product]
    same = (entry.get("username"), entry.get("password")) == (login.user, login.password)
    if others and not same and not login.decides:
        raise UsageError(
            f"Secret {where}/{PULL_SECRET}: product {', '.join(others)} pulls from {login.host} with another"
            f" login than {login.product}, and one namespace has one",
            hint="if the registry is shared, take its passwords over again: `airstore registry bootstrap"
            " --share`; otherwise let both products be the same registry.pullUser, with the same password",
        )


def _is_ours(document: Mapping[str, Any]) -> bool:
    labels = document["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in SELECTOR.items())


def _first(document: Mapping[str, Any] | None) -> str | None:
    labels = (document["metadata"].get("labels") or {}) if document and _is_ours(document) else {}
    return str(labels[_PART_OF]) if labels.get(_PART_OF) else None


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
