"""Which product an object of airstore belongs to; objects of older versions say it in a label.

Several products of one site share a cluster. What one of them made is never taken over by another one.
"""

from __future__ import annotations

from collections.abc import Iterator

from airstore.cluster.api.labels import PRODUCT, annotation
from airstore.cluster.api.objects import Objects, describe
from airstore.cluster.registry.objects import (
    HTPASSWD,
    NAME,
    SELECTOR,
    TLS,
)
from airstore.cluster.registry.settings import RegistrySettings
from airstore.core.errors import NotFoundError, UsageError
from airstore.core.kube.documents import Document

_PART_OF = "app.kubernetes.io/part-of"
_INGRESS = ("networking.k8s.io/v1", "Ingress")
_OBJECTS = (
    ("v1", "Secret", HTPASSWD),
    ("v1", "Secret", TLS),
    ("apps/v1", "Deployment", NAME),
    ("v1", "PersistentVolumeClaim", NAME),
    ("v1", "Service", NAME),
    (*_INGRESS, NAME),
)
_WAYS = (
    "share it: `airstore registry bootstrap --share`; or give this product one of its own:"
    " another registry.namespace and registry.host in site.yaml"
)


def owner_of(document: Document) -> str | None:
    """The product that an object belongs to; None where it is nobody's, or not airstore's."""
    metadata = document["metadata"]
    named = annotation(document, PRODUCT)
    labels = metadata.get("labels") or {}
    ours = labels.get("app.kubernetes.io/managed-by") == SELECTOR["app.kubernetes.io/managed-by"]
    owner = named or (labels.get(_PART_OF) if ours else None)
    return str(owner) if owner else None


def registry_owner(objects: Objects, namespace: str) -> str | None:
    """The product that the registry in a namespace belongs to; None where there is none.

    Raises:
        TransferError: the API server refused or cannot be reached.
    """
    return next((owner for document in _parts(objects, namespace) if (owner := owner_of(document))), None)


def find_registry(objects: Objects, host: str, namespace: str = "") -> tuple[str, str]:
    """Namespace and product of the registry that answers for a host, given with or without a port.

    Args:
        objects: the cluster.
        host: of the registry.
        namespace: where to look; empty: everywhere.

    Raises:
        NotFoundError: airstore made none for this host; those that there are are named.
        TransferError: the API server refused or cannot be reached.
    """
    known: dict[str, tuple[str, str]] = {}
    for document in objects.list(*_INGRESS, namespace, labels=f"app.kubernetes.io/name={NAME}"):
        if owner := owner_of(document):
            where = (str(document["metadata"]["namespace"]), owner)
            known |= dict.fromkeys(_hosts(document), where)
    try:
        return known[host.partition(":")[0]]
    except KeyError:
        listed = ", ".join(f"{name} ({owner})" for name, (_, owner) in sorted(known.items()))
        raise NotFoundError(
            f"the cluster has no registry that airstore made for {host}",
            hint=f"registry.host in site.yaml must be one of: {listed or 'none; make one without --share'}",
        ) from None


def refuse_others(objects: Objects, settings: RegistrySettings) -> None:
    """Refuse a registry where another product has its own: in the same namespace, or under the same host.

    Raises:
        UsageError: its owner is named, and what can be done.
        TransferError: the API server refused or cannot be reached.
    """
    space = objects.get("v1", "Namespace", settings.namespace)
    for document in (*_parts(objects, settings.namespace), *([space] if space else [])):
        _check(document, settings, f"namespace {settings.namespace}")
    for document in objects.list(*_INGRESS, labels=f"app.kubernetes.io/name={NAME}"):
        if taken := sorted(set(_hosts(document)) & set(settings.host_names)):
            _check(document, settings, f"namespace {document['metadata']['namespace']} with host {taken[0]}")


def _check(document: Document, settings: RegistrySettings, where: str) -> None:
    owner = owner_of(document)
    if owner and owner != settings.product:
        raise UsageError(
            f"the registry in {where} belongs to product {owner}, not to {settings.product}"
            f" (see {describe(document)}); nothing was changed",
            hint=_WAYS,
        )


def _parts(objects: Objects, namespace: str) -> Iterator[Document]:
    for api_version, kind, name in _OBJECTS:
        found = objects.get(api_version, kind, name, namespace)
        if found is not None:
            yield found


def _hosts(ingress: Document) -> Iterator[str]:
    for rule in (ingress.get("spec") or {}).get("rules") or ():
        yield str(rule.get("host") or "")
