"""Rolling back past fields that cannot be changed.

A release may have deleted an object and made it anew in another shape: a StatefulSet with another
``serviceName``, a Service without ``clusterIP: None``. Helm cannot change it back; it can make it again.
"""

from __future__ import annotations

from airstore.deploy.protocols import Document, Objects
from airstore.deploy.target import Target, is_hook

# Kinds that hold no data: what a claim or a custom resource holds would be gone with it.
_REPLACEABLE = frozenset(
    {"Service", "Deployment", "StatefulSet", "DaemonSet", "Job", "RoleBinding", "ClusterRoleBinding"}
)


def is_replaceable(document: Document) -> bool:
    """Whether an object can be deleted and made again without losing data."""
    return document.get("kind") in _REPLACEABLE and not is_hook(document)


def make_room(cluster: Objects, old: Target) -> None:
    """Delete live objects that cannot become what an older chart says; Helm makes them again.

    Raises:
        TransferError: the cluster did not answer.
    """
    for document in old.documents():
        if is_replaceable(document) and cluster.is_fixed(document, old.namespace):
            cluster.remove(document, old.namespace)
