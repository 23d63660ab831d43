"""The objects of the applier in the cluster, as documents; pure.

One volume holds the store. A Deployment looks after what was applied (``airstore status --watch``), and Jobs
run single commands on the same store. An init container waits for a store: the volume is empty at first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airstore.cluster.applier.rights import Rights
from airstore.cluster.applier.settings import ApplierSettings
from airstore.core.kube.documents import Manifest

STORE, ARRIVALS = "/data/store", "/data"
CONTAINER, WAITING = "applier", "await-store"
USER = 65532
_RBAC = "rbac.authorization.k8s.io"
_PROGRAM = "airstore"
_GRACE = 10  # seconds: every step is journaled, so that a killed run is taken up again


def labels(settings: ApplierSettings) -> dict[str, str]:
    """What all its objects carry."""
    return {
        "app.kubernetes.io/name": "applier",
        "app.kubernetes.io/instance": settings.product,
        "app.kubernetes.io/managed-by": "airstore",
    }


def pod_labels(settings: ApplierSettings) -> dict[str, str]:
    """What the Deployment's pods carry, and no Job's."""
    return {**labels(settings), "app.kubernetes.io/component": "watch"}


def namespaces(settings: ApplierSettings, rights: Rights, lease: str) -> list[Manifest]:
    """Namespaces: its own, that of its Lease, and those of the product, which it may not make itself."""
    names = dict.fromkeys((settings.namespace, lease, *rights.namespaces))
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]


def permissions(settings: ApplierSettings, rights: Rights) -> list[Manifest]:
    """The ServiceAccount, a Role in each namespace, one small ClusterRole, and their bindings."""
    account = _object("v1", "ServiceAccount", settings, settings.namespace)
    places = sorted({right.namespace for right in rights.granted} - {""})
    roles = [pair for place in places for pair in _bound(settings, rights, "Role", place)]
    return [account, *_bound(settings, rights, "ClusterRole", ""), *roles]


def claim(settings: ApplierSettings) -> Manifest:
    """The volume; its class cannot be changed later, its size can only grow."""
    spec: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": settings.storage}},
    }
    if settings.storage_class:
        spec["storageClassName"] = settings.storage_class
    return _object("v1", "PersistentVolumeClaim", settings, settings.namespace, spec=spec)


def deployment(settings: ApplierSettings) -> Manifest:
    """What drifted is put back, again and again."""
    pod = _pod(settings, ("status", "--watch"))
    pod["initContainers"] = [_container(settings, WAITING, ("applier", "await"))]
    metadata = {"labels": pod_labels(settings)}
    spec = {
        "replicas": 1,
        "revisionHistoryLimit": 3,
        "strategy": {"type": "Recreate"},  # one volume, and one applier
        "selector": {"matchLabels": pod_labels(settings)},
        "template": {"metadata": metadata, "spec": pod},
    }
    return _object("apps/v1", "Deployment", settings, settings.namespace, spec=spec)


def job(settings: ApplierSettings, name: str, words: Sequence[str], timeout: int) -> Manifest:
    """One airstore command on the store.

    Args:
        settings: of the applier.
        name: of the Job.
        words: the command's, after ``airstore -C STORE``.
        timeout: seconds until Kubernetes ends it; 0 for none.
    """
    pod = {**_pod(settings, words), "restartPolicy": "Never", "affinity": _beside(settings)}
    metadata = {"labels": {**labels(settings), "app.kubernetes.io/component": "run"}}
    spec: Manifest = {
        "backoffLimit": 0,
        "ttlSecondsAfterFinished": 86400,  # of one whose airstore process was killed
        "template": {"metadata": metadata, "spec": pod},
    }
    if timeout:
        spec["activeDeadlineSeconds"] = timeout
    return _object("batch/v1", "Job", settings, settings.namespace, name=name, spec=spec)


def _pod(settings: ApplierSettings, words: Sequence[str]) -> Manifest:
    return {
        "serviceAccountName": settings.name,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE,
        "imagePullSecrets": [{"name": settings.pull_secret}] if settings.pull_secret else [],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(settings, CONTAINER, words)],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": settings.name}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }


def _container(settings: ApplierSettings, name: str, words: Sequence[str]) -> Manifest:
    return {
        "name": name,
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [_PROGRAM, "-C", STORE, *words],
        "terminationMessagePolicy": "FallbackToLogsOnError",  # `kubectl describe` says why it ended
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108 - the pod's own, see its volumes
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": ARRIVALS},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
    }


def _beside(settings: ApplierSettings) -> Manifest:
    # A volume of one node is there where the Deployment's pod is.
    term = {"labelSelector": {"matchLabels": pod_labels(settings)}, "topologyKey": "kubernetes.io/hostname"}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _bound(settings: ApplierSettings, rights: Rights, kind: str, namespace: str) -> list[Manifest]:
    name = settings.name if namespace else f"airstore-{settings.name}"
    role = _object(f"{_RBAC}/v1", kind, settings, namespace, name=name, rules=rights.rules(namespace))
    reference = {"apiGroup": _RBAC, "kind": kind, "name": name}
    subject = {"kind": "ServiceAccount", "name": settings.name, "namespace": settings.namespace}
    binding = _object(
        f"{_RBAC}/v1", f"{kind}Binding", settings, namespace, name=name, roleRef=reference, subjects=[subject]
    )
    return [role, binding]


def _object(
    api_version: str, kind: str, settings: ApplierSettings, namespace: str, *, name: str = "", **fields: Any
) -> Manifest:
    metadata: Manifest = {"name": name or settings.name, "labels": labels(settings)}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
