"""``airstore registry bootstrap --share``: another product's registry in the cluster, used and not changed.

Nothing of the owner's is written: its passwords, certificate and objects stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import ApiError, Connection
from airstore.cluster.registry import objects as make
from airstore.cluster.registry.owners import find_registry
from airstore.cluster.registry.pull_secrets import PullLogin, let_pull, password_of
from airstore.core.errors import NotFoundError, TransferError, UsageError
from airstore.core.frozen import frozen
from airstore.core.model.release import Release
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import ClusterRegistry
from airstore.ops.registry.incluster.secrets import own_passwords_of, read_authority
from airstore.ops.registry.incluster.shared import RegistryAccess, keep_access, read_access
from airstore.ops.registry.incluster.tunnel import own_passwords, pod_port
from airstore.ops.stores.directory import StoreDirectory
from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.login.credentials import Credentials
from airstore.registry.client.manifests import read_manifest
from airstore.registry.client.registry import RegistryClient

_EXPORT = (
    "let who has the site's store of product {0} run `airstore registry export-access FILE` there,"
    " and give that file here: --access FILE"
)
_STALE = "the passwords are not the registry's: " + _EXPORT
_NOTHING = ("airstore/share", "none")  # asked for only to see who is let in


@frozen
class Share:
    """Everything that joining a registry works with.

    Attributes:
        say: told about every step.
        file: an exported access; None: read from the cluster.
    """

    store: StoreDirectory
    connection: Connection
    site: SiteFile
    release: Release
    say: Callable[[str], None]
    file: Path | None = None


def share(work: Share, *, dry_run: bool = False) -> dict[str, Any]:
    """Take a registry's passwords over, prove that they work, and let the product's pods pull.

    Returns:
        What was done, for people.

    Raises:
        NotFoundError: the cluster has no registry for the site file's host, or its passwords are not there.
        UsageError: it is this product's own, or the file is about another one.
        TransferError: the API server refused, the kubeconfig may not read the passwords, or the registry does
            not take them.
    """
    objects = Objects(work.connection)
    access = _access(work, objects)
    work.say(f"registry: {access.host} of product {access.product}, namespace {access.namespace}")
    _prove(work.connection, access)
    namespaces = list(dict.fromkeys(helm.namespace for helm in work.release.helm_releases))
    if not dry_run:
        with work.store.locked():
            keep_access(work.store, access)
            # Proved just now, so it is right whatever another namespace's Secret says.
            login = PullLogin(access.host, make.PULL_USER, access.pull, work.release.product, decides=True)
            for namespace in namespaces:
                work.say(f"pull secret: {namespace}")
                let_pull(objects, login, namespace)
    return {"registry": access.host, "owner": access.product, "namespaces": namespaces}


def own_access(store: StoreDirectory, release: Release, site: SiteFile, namespace: str) -> RegistryAccess:
    """What other products need to share the registry that this store made.

    Raises:
        NotFoundError: this store has made none.
    """
    pull, push = own_passwords_of(store)
    return RegistryAccess(
        release.product,
        site.registry.host or "",
        namespace,
        (site.registry.push_host if isinstance(site.registry, ClusterRegistry) else None) or "",
        pull,
        push,
        read_authority(store, site) or "",
    )


def _access(work: Share, objects: Objects) -> RegistryAccess:
    wanted = work.site.registry
    if not isinstance(wanted, ClusterRegistry) or (host := wanted.host) is None:
        raise UsageError(
            "the site file does not name the registry to share",
            hint="in site.yaml, say registry.host as the owner's site.yaml does, and no other registry.mode",
        )
    namespace, owner = find_registry(objects, host, wanted.namespace or "")
    if owner == work.release.product:
        raise UsageError(f"{host} is the registry of {owner} itself", hint="leave --share out")
    known = read_access(work.file) if work.file else _in_cluster(objects, host, namespace, owner)
    if (known.host, known.namespace, known.product) != (host, namespace, owner):
        raise UsageError(
            f"the access is for {known.host} of product {known.product} in namespace {known.namespace}, and"
            f" the cluster has {host} of product {owner} in namespace {namespace}",
            hint="registry.host in site.yaml must be the owner's, port included",
        )
    return known


def _in_cluster(objects: Objects, host: str, namespace: str, owner: str) -> RegistryAccess:
    try:
        push = objects.get("v1", "Secret", make.PUSH_SECRET, namespace)
        pull = objects.get("v1", "Secret", make.PULL_SECRET, namespace)
    except ApiError as fault:
        if fault.status != 403:
            raise
        raise TransferError(
            f"you may not read the Secrets of namespace {namespace}: {fault}", hint=_EXPORT.format(owner)
        ) from fault
    if push is None or pull is None:
        raise NotFoundError(
            f"namespace {namespace} has no Secret {make.PUSH_SECRET}: an older airstore made the registry",
            hint=f"run `airstore registry bootstrap` with the store of product {owner} once; or "
            + _EXPORT.format(owner),
        )
    data = make.decoded(push)
    found = RegistryAccess(
        owner, data["host"], namespace, data["push-host"], "", data["password"], data.get("ca.crt", "")
    )
    return replace(found, pull=password_of(pull, host) or "")


def _prove(connection: Connection, access: RegistryAccess) -> None:
    users = {make.PUSH_PORT: (make.PUSH_USER, access.push), make.PULL_PORT: (make.PULL_USER, access.pull)}
    for number, (user, password) in users.items():
        with (
            own_passwords(_STALE.format(access.product)),
            pod_port(connection, access.namespace, number) as port,
            RegistryClient(
                Endpoint(f"127.0.0.1:{port}", plain_http=True), Credentials(user, password)
            ) as client,
        ):
            read_manifest(client.transport, *_NOTHING)
