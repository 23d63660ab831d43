"""What the API server would make of an object installed again, and installing it again as Helm does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import ApiError
from airstore.core.kube.documents import Document

HELM = "helm"  # Helm's own name as a field manager, so that what is put back stays Helm's
_STRATEGIC = "application/strategic-merge-patch+json"  # lists by the key of their entries, as kubectl apply
_MERGE = "application/merge-patch+json"  # custom resources know no other one
_NO_SUCH_TYPE = 415
_REFUSED = frozenset({400, 422})


def predict(objects: Objects, document: Document, namespace: str) -> dict[str, Any] | ApiError:
    """What a live object would be after this document; where the server refuses the document, its answer.

    Args:
        objects: the cluster.
        document: what was installed; null takes a field away.
        namespace: where the document says none.

    Raises:
        TransferError: the server cannot be reached, or refused for a reason that is not the document's.
    """
    try:
        return _patch(objects, document, namespace, dry_run=True)
    except ApiError as fault:
        if fault.status in _REFUSED:
            return fault
        raise


def put_back(objects: Objects, document: Document, namespace: str, owner: Mapping[str, str]) -> None:
    """Have an object be what the document says, as the Helm that installed it would.

    Where that Helm applied it on the server, a patch would leave fields that no later apply takes away again.

    Args:
        objects: the cluster.
        document: what was installed.
        namespace: where the document says none.
        owner: annotations that say which Helm release it belongs to.

    Raises:
        TransferError: the server refused or cannot be reached.
    """
    marked = owned(document, owner)
    live = objects.live(marked, namespace)
    if live is None or _applied(live):
        objects.apply(marked, namespace, force=True, manager=HELM)
    else:
        _patch(objects, marked, namespace, dry_run=False)


def _patch(objects: Objects, document: Document, namespace: str, *, dry_run: bool) -> dict[str, Any]:
    try:
        return objects.patch(document, namespace, _STRATEGIC, manager=HELM, dry_run=dry_run)
    except ApiError as fault:
        if fault.status != _NO_SUCH_TYPE:
            raise
        return objects.patch(document, namespace, _MERGE, manager=HELM, dry_run=dry_run)


def _applied(live: Document) -> bool:
    """Whether Helm installed it by server-side apply."""
    fields = (live.get("metadata") or {}).get("managedFields") or ()
    return any((each.get("manager"), each.get("operation")) == (HELM, "Apply") for each in fields)


def owned(document: Document, owner: Mapping[str, str]) -> dict[str, Any]:
    """A document with the marks that Helm gives every object (helm.sh/helm pkg/action/validate.go)."""
    metadata = document.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), "app.kubernetes.io/managed-by": "Helm"}
    annotations = {**(metadata.get("annotations") or {}), **owner}
    return {**document, "metadata": {**metadata, "labels": labels, "annotations": annotations}}
