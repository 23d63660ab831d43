"""Objects that cannot become what a chart says now: fields that the API server never lets change.

A Job's template, a StatefulSet's ``serviceName`` and claim templates, a Service's ``clusterIP: None``, what
an ``immutable`` ConfigMap says: Helm cannot change them; it can make the object again.
"""

from __future__ import annotations

from airstore.core.kube.documents import Document
from airstore.deploy.model.target import is_hook

# Kinds that hold no data: what a claim or a custom resource holds would be gone with it, and a Secret may be
# the only place of a password.
_REPLACEABLE = frozenset(
    {
        *("Service", "Deployment", "StatefulSet", "DaemonSet", "Job", "RoleBinding", "ClusterRoleBinding"),
        *("ConfigMap", "PriorityClass", "StorageClass", "IngressClass"),
    }
)


def is_replaceable(document: Document) -> bool:
    """Whether an object can be deleted and made again without losing data."""
    return document.get("kind") in _REPLACEABLE and not is_hook(document)
