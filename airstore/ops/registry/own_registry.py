"""The registry that the site file names, as a target of pushes: in the cluster or from before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from airstore.cluster.api.transport.connection import connect
from airstore.cluster.registry.objects import PUSH_PORT, PUSH_USER
from airstore.cluster.registry.settings import service_names, settings_of
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.model.release import Release
from airstore.core.model.site import SiteFile
from airstore.core.model.site_registry import ClusterRegistry, ServedRegistry
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.registry.incluster.secrets import authority_file, push_password
from airstore.ops.registry.incluster.shared import shared_access
from airstore.ops.registry.incluster.tunnel import BRING, own_passwords, push_port
from airstore.ops.stores.directory import StoreDirectory
from airstore.registry.client.login.credentials import Credentials

_AGAIN = (
    "product {} has changed its registry's passwords; take them over: airstore registry bootstrap --share"
)


@frozen
class PushTarget:
    """Where a push goes.

    Attributes:
        url: what to connect to.
        name: what plans and the ledger call it.
        ours: airstore made it, for one product or several.
    """

    url: str
    name: str
    access: RegistryOptions
    ours: bool = False


@frozen
class _InCluster:
    """A registry in the cluster.

    Attributes:
        stale: what to do where it does not take the store's password.
    """

    host: str
    push_host: str | None
    namespace: str
    stale: str


@contextmanager
def own_registry(
    store: StoreDirectory, release: Release, site: SiteFile, access: RegistryOptions, kubeconfig: Path | None
) -> Iterator[PushTarget]:
    """The site's registry for the length of the block.

    One in the cluster is reached at its push host where it has one, else through the API server; from a pod
    of the cluster by its Service.

    Raises:
        UsageError: the site file names no registry that can be pushed to.
        NotFoundError: none was bootstrapped, or none of its pods is ready.
        TransferError: the API server refused or cannot be reached.
    """
    if not isinstance(site.registry, ClusterRegistry):
        if isinstance(site.registry, ServedRegistry) or site.registry.address is None:
            raise UsageError(
                "the site file names no registry to push to", hint="name one: airstore registry push HOST"
            )
        yield _named(store, site, access)
        return
    place = _place(store, release, site)
    access = replace(access, credentials=Credentials(PUSH_USER, push_password(store, site)))
    with own_passwords(place.stale):
        if place.push_host:
            access = replace(access, ca=access.ca or authority_file(store, site))
            yield PushTarget(place.push_host, place.host, access, ours=True)
            return
        with connect(kubeconfig) as connection:
            if connection.inside:  # its Service is near, and needs no right to forward ports
                host = f"{service_names(place.namespace)[0]}:{PUSH_PORT}"
                yield PushTarget(f"http://{host}", place.host, access, ours=True)
                return
            with push_port(connection, place.namespace) as port:
                yield PushTarget(f"http://127.0.0.1:{port}", place.host, access, ours=True)


@contextmanager
def readable_registry(
    store: StoreDirectory, release: Release, site: SiteFile, access: RegistryOptions, kubeconfig: Path | None
) -> Iterator[PushTarget]:
    """The registry that nodes pull from, of whatever mode, for the length of the block.

    Raises:
        UsageError: the release brings no image of a registry, and the site file names no other one.
        NotFoundError: none was bootstrapped, or none of its pods is ready.
        TransferError: the API server refused or cannot be reached.
    """
    if not isinstance(site.registry, ClusterRegistry):
        yield _named(store, site, access)
        return
    with own_registry(store, release, site, access, kubeconfig) as target:
        yield target


def _place(store: StoreDirectory, release: Release, site: SiteFile) -> _InCluster:
    if shared := shared_access(store, site):
        return _InCluster(shared.host, shared.push_host, shared.namespace, _AGAIN.format(shared.product))
    settings = settings_of(release, site)
    return _InCluster(settings.host, settings.push_host, settings.namespace, BRING)


def _named(store: StoreDirectory, site: SiteFile, access: RegistryOptions) -> PushTarget:
    place = site.registry.address or ""
    return PushTarget(place, place, replace(access, ca=access.ca or authority_file(store, site)))
