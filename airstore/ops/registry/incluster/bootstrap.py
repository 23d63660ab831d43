"""``airstore registry bootstrap``: the registry in the cluster, from nothing but what the store holds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from airstore.cluster.api.facts import gather
from airstore.cluster.api.labels import PASSWORDS, annotation, changed
from airstore.cluster.api.lease import hold
from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import Connection
from airstore.cluster.registry import objects as make
from airstore.cluster.registry.bootstrap import BootstrapPlan, plan
from airstore.cluster.registry.node_load import Loader
from airstore.cluster.registry.objects import RegistrySecrets
from airstore.cluster.registry.owners import refuse_others
from airstore.cluster.registry.pull_secrets import PullLogin, give_secret, let_pull
from airstore.cluster.registry.settings import settings_of
from airstore.cluster.workloads.workloads import Workloads
from airstore.core.errors import NotFoundError, TransferError
from airstore.core.frozen import frozen
from airstore.core.model.gates import WorkloadGate
from airstore.core.model.release import Release
from airstore.core.model.site import SiteFile
from airstore.core.progress import Progress
from airstore.ops.registry.incluster.readiness import ReadinessWait
from airstore.ops.registry.incluster.secrets import read_authority, registry_secrets
from airstore.ops.registry.incluster.tunnel import LABELS, own_passwords, push_port
from airstore.ops.stores.directory import StoreDirectory
from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.login.credentials import Credentials
from airstore.registry.client.registry import RegistryClient
from airstore.registry.push.archive_out import write_oci_archive
from airstore.registry.push.plan import plan_push
from airstore.registry.push.push import push
from airstore.store.blobs import BlobStore

_LEASE = "airstore-registry"
_MIRRORS = (
    "can the nodes reach the registry and do they trust it? see `airstore registry mirror-config`;"
    " once they can, run the same command again"
)


@frozen
class Bootstrap:
    """Everything a bootstrap works with.

    Attributes:
        loader: the way to the node where the registry starts; None where it runs already.
        say: told about every step.
        timeout: seconds for the pods to become ready, each time.
    """

    store: StoreDirectory
    blobs: BlobStore
    connection: Connection
    site: SiteFile
    plan: BootstrapPlan
    loader: Loader | None
    progress: Progress
    say: Callable[[str], None]
    now: dt.datetime
    timeout: float = 300.0


def plan_bootstrap(connection: Connection, release: Release, site: SiteFile, node: str = "") -> BootstrapPlan:
    """What a bootstrap would do; nothing is changed.

    Raises:
        UsageError: the site file, the release or the cluster do not fit, or the registry is somebody else's.
        NotFoundError: no such node, or none that can be used.
        TransferError: the API server refused or cannot be reached.
    """
    settings = settings_of(release, site)
    objects = Objects(connection)
    refuse_others(objects, settings)
    deployment = objects.get("apps/v1", "Deployment", make.NAME, settings.namespace)
    namespaces = dict.fromkeys(helm.namespace for helm in release.helm_releases)
    if settings.tls_secret and objects.get("v1", "Secret", settings.tls_secret, settings.namespace) is None:
        raise NotFoundError(
            f"there is no Secret {settings.namespace}/{settings.tls_secret}",
            hint="site.yaml names it under registry.tlsSecret; make it, or leave that out",
        )
    return plan(settings, gather(objects), deployment, node, tuple(namespaces))


def bootstrap(work: Bootstrap) -> dict[str, Any]:
    """Carry the plan out; run again after a failure it resumes, run twice it changes nothing.

    Returns:
        What was done, for people.

    Raises:
        TransferError: the cluster, the node or the registry refused or did not become ready.
        ConflictError: somebody else manages one of the objects.
        LockedError: another bootstrap is at work in the namespace.
        UsageError: another product has made its registry there meanwhile.
    """
    settings, objects = work.plan.settings, Objects(work.connection)
    loaded = _is_loaded(work)  # before anything is changed: the node may refuse to be asked
    with work.store.locked(), _alone(work, objects):
        secrets = registry_secrets(work.store, settings, work.site, work.now)
        secrets = replace(secrets, secret_uid=_prepare(work, objects, secrets))
        if work.plan.node:
            _seed(work, objects, secrets, loaded=loaded)
        else:
            _renew(work, objects, secrets)
        uploaded = _push_itself(work, secrets)
        _repoint(work, objects, secrets)
        for namespace in work.plan.pull_namespaces:
            work.say(f"pull secret: {namespace}")
            let_pull(objects, _login(work, secrets), namespace)
    digests = Workloads(objects).image_digests(settings.namespace, LABELS)
    running = sorted(set().union(*digests.values())) if digests else []
    return {"registry": settings.host, "uploaded": uploaded, "pods": settings.running, "running": running}


@contextmanager
def _alone(work: Bootstrap, objects: Objects) -> Iterator[None]:
    """The namespace, and no other bootstrap in it."""
    settings = work.plan.settings
    work.say(f"namespace: {settings.namespace}")
    if objects.get("v1", "Namespace", settings.namespace) is None:
        objects.apply(make.namespace(settings.namespace, settings.product))
    with hold(work.connection, settings.namespace, _LEASE, settings.product):
        refuse_others(objects, settings)  # since the plan was made
        yield


def _prepare(work: Bootstrap, objects: Objects, secrets: RegistrySecrets) -> str:
    """Everything but the Deployment; returns the uid of the Secret with the passwords."""
    settings = work.plan.settings
    documents = {
        "passwords": [
            make.htpasswd_secret(settings, secrets),
            make.push_secret(settings, secrets, read_authority(work.store, work.site)),
        ],
        "certificate": [make.tls_secret(settings, secrets.tls)] if secrets.tls else [],
        "volume": [make.claim(settings)],
        "service": [make.service(settings)],
        "ingress": [make.ingress(settings)],
    }
    uids: dict[str, str] = {}
    for step, wanted in documents.items():
        work.say(f"{step}: {', '.join(document['metadata']['name'] for document in wanted) or 'given'}")
        uids |= {each["metadata"]["name"]: objects.apply(each)["metadata"]["uid"] for each in wanted}
    give_secret(objects, _login(work, secrets), settings.namespace)
    return uids[make.HTPASSWD]


def _login(work: Bootstrap, secrets: RegistrySecrets) -> PullLogin:
    settings = work.plan.settings
    return PullLogin(settings.host, make.PULL_USER, secrets.pull_password, settings.product, decides=True)


def _is_loaded(work: Bootstrap) -> bool:
    """Whether the node where the registry starts has its image."""
    settings, node = work.plan.settings, work.plan.node
    if node is None:
        return True
    if work.loader is None:
        raise NotFoundError(f"there is no way to the images of node {node.name}")
    return work.loader.has(settings.seed_reference, settings.image.root.digest)


def _seed(work: Bootstrap, objects: Objects, secrets: RegistrySecrets, *, loaded: bool) -> None:
    settings, node = work.plan.settings, work.plan.node
    assert node is not None  # noqa: S101 - only called where there is one
    assert work.loader is not None  # noqa: S101 - see _is_loaded
    name = settings.seed_reference
    if loaded:
        work.say(f"load: {name} is in node {node.name}")
    else:
        work.say(f"load: {name} into node {node.name}: {work.loader.describe()}")
        work.loader.load(lambda sink: write_oci_archive(sink, settings.image, name, work.blobs))
    work.say(f"label: node {node.name}")
    labels = {"name": node.name, "labels": dict(make.NODE_LABEL)}
    objects.merge({"apiVersion": "v1", "kind": "Node", "metadata": labels})
    work.say(f"start: Deployment {settings.namespace}/{make.NAME}")
    objects.apply(make.seed(settings, secrets))
    _await(work, objects, "")


def _renew(work: Bootstrap, objects: Objects, secrets: RegistrySecrets) -> None:
    """Restart running pods that know other passwords than the store, from the image they have."""
    where = work.plan.settings.namespace
    current = objects.get("apps/v1", "Deployment", make.NAME, where) or {}
    template = (current.get("spec") or {}).get("template") or {}
    if annotation(template, PASSWORDS) == make.password_mark(secrets):
        return
    work.say("passwords: the pods restart with the new ones")
    marks = changed(PASSWORDS, make.password_mark(secrets))
    change = {"template": {"metadata": {"annotations": marks}}}
    metadata = {"name": make.NAME, "namespace": where}
    objects.merge({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": change})
    _await(work, objects, _MIRRORS)


def _push_itself(work: Bootstrap, secrets: RegistrySecrets) -> int:
    settings = work.plan.settings
    work.say(f"push: {settings.image.reference} into the registry itself")
    user = Credentials(make.PUSH_USER, secrets.push_password)
    with own_passwords(), push_port(work.connection, settings.namespace) as port:
        endpoint = Endpoint(f"127.0.0.1:{port}", plain_http=True)
        with RegistryClient(endpoint, user) as client:
            planned = plan_push(client, [settings.image], work.blobs)
            with work.progress.task("pushing the registry", planned.upload_bytes) as advance:
                result = push(client, planned, work.blobs, advance)
    if result.substituted or result.refused:
        raise TransferError(
            "the registry refuses the index of its own image, because the release has not all its platforms",
            hint="the product file should name a registry image, or a registry, that takes sparse indexes",
        )
    return len(result.uploaded)


def _repoint(work: Bootstrap, objects: Objects, secrets: RegistrySecrets) -> None:
    settings = work.plan.settings
    work.say(f"re-point: {settings.private_reference}")
    objects.apply(make.proper(settings, secrets, 1 if work.plan.node else settings.running))
    _await(work, objects, _MIRRORS)
    work.say(f"scale: {settings.running}")
    objects.apply(make.proper(settings, secrets, settings.running))
    _await(work, objects, _MIRRORS)


def _await(work: Bootstrap, objects: Objects, hint: str) -> None:
    workloads, namespace = Workloads(objects), work.plan.settings.namespace
    waiting = ReadinessWait(work.say, work.timeout, "the registry", hint)
    while why := workloads.ready(WorkloadGate("deployment", make.NAME), namespace):
        waiting.wait(why)
