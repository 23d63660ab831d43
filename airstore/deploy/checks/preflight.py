"""Prerequisites, checked before anything is changed; all problems are named at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from airstore.core.kube.documents import Document
from airstore.core.kube.rights import Right
from airstore.core.limits import MIB
from airstore.core.model.gates import ResourceGate
from airstore.deploy.model.protocols import ClusterActions
from airstore.deploy.model.target import CLAIM, ReleaseTarget, object_name

_SPACE = 64 * MIB  # free bytes that journals, backups of small databases and charts need
_VERBS = ("get", "create", "patch", "delete")
_SECRETS = ("get", "list", "create", "update", "patch", "delete")
_DEFINITIONS = "customresourcedefinitions"  # never deleted: objects of them would go, too
_PLURALS = {"Ingress": "ingresses", "IngressClass": "ingressclasses", "StorageClass": "storageclasses"}
_CLUSTER_WIDE = frozenset(
    {
        "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "IngressClass", "Namespace",
        "PersistentVolume", "PriorityClass", "StorageClass", "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration", "APIService", "RuntimeClass",
    }
)  # fmt: skip


def problems(cluster: ClusterActions, targets: Sequence[ReleaseTarget], store: Path) -> list[str]:
    """What stands in the way of installing or upgrading these Helm releases; empty if nothing does.

    Raises:
        TransferError: the cluster does not answer.
    """
    return [
        *_space(store),
        *_storage(cluster, targets),
        *_ingress(cluster.ingress_classes(), targets),
    ]


def permissions(targets: Iterable[ReleaseTarget], *, pulling: bool = False) -> list[Right]:
    """What applying needs to be allowed; ``pulling``: its pods get an imagePullSecret."""
    wanted: dict[Right, None] = {}
    listed = list(targets)
    custom = dict(_custom(each for target in listed for each in target.documents()))
    for target in listed:
        for verb in _SECRETS:
            wanted[Right(verb, "secrets", "", target.namespace)] = None
        for verb in ("get", "patch") if pulling else ():
            wanted[Right(verb, "serviceaccounts", "", target.namespace, "default")] = None
        for document in _gated(target):
            wanted[_permission("get", document, target.namespace, custom)] = None
        for document in target.documents():
            for verb in _VERBS:
                wanted[_permission(verb, document, target.namespace, custom)] = None
    return [each for each in wanted if (each.verb, each.resource) != ("delete", _DEFINITIONS)]


def _gated(target: ReleaseTarget) -> Iterator[Document]:
    """Objects that health gates look at; not all of them are the chart's."""
    for gate in target.helm.health:
        if isinstance(gate, ResourceGate):
            where = {} if gate.namespace is None else {"namespace": gate.namespace}
            yield {
                "apiVersion": gate.api_version,
                "kind": gate.kind,
                "metadata": {"name": gate.name, **where},
            }


def _permission(
    verb: str, document: Document, namespace: str, custom: Mapping[tuple[str, str], tuple[str, bool]]
) -> Right:
    kind, version = str(document.get("kind") or ""), str(document.get("apiVersion") or "")
    group = version.partition("/")[0] if "/" in version else ""
    plural, namespaced = custom.get((group, kind), (_plural(kind), kind not in _CLUSTER_WIDE))
    if namespaced:
        own = (document.get("metadata") or {}).get("namespace")
        return Right(verb, plural, group, str(own or namespace))
    # A new object of others' making could have any name; definitions are applied by name, even new ones.
    named = verb != "create" or plural == _DEFINITIONS
    return Right(verb, plural, group, "", object_name(document) if named else "")


def _custom(documents: Iterable[Document]) -> Iterator[tuple[tuple[str, str], tuple[str, bool]]]:
    """Group and kind to plural and whether in namespaces, as definitions among the manifests say."""
    for document in documents:
        spec = document.get("spec") or {}
        if document.get("kind") == "CustomResourceDefinition" and spec.get("names"):
            names = spec["names"]
            key = str(spec.get("group")), str(names.get("kind"))
            yield key, (str(names.get("plural")), spec.get("scope") != "Cluster")


def _plural(kind: str) -> str:
    name = kind.lower()
    if kind in _PLURALS:
        return _PLURALS[kind]
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch")) else f"{name}s"


def _space(store: Path) -> Iterator[str]:
    found = os.statvfs(store)
    free = found.f_bavail * found.f_frsize
    if free < _SPACE:
        yield f"{store} has {free} bytes free; journals and backups need at least {_SPACE}"


def refused(
    cluster: ClusterActions, targets: Iterable[ReleaseTarget], *, pulling: bool = False
) -> Iterator[str]:
    """What the API server would not let us do; asked first, because everything else needs it.

    Raises:
        TransferError: the cluster does not answer.
    """
    for each in cluster.refusals(permissions(targets, pulling=pulling)):
        where = f" in namespace {each.namespace}" if each.namespace else ""
        what = (
            f"{each.resource}{f'.{each.group}' if each.group else ''}{f' {each.name}' if each.name else ''}"
        )
        yield f"you may not {each.verb} {what}{where}"


def _storage(cluster: ClusterActions, targets: Sequence[ReleaseTarget]) -> Iterator[str]:
    classes = cluster.storage_classes()
    for target, document, spec in _claims(targets):
        name = spec.get("storageClassName")
        known = name == "" or (any(classes.values()) if name is None else name in classes)
        if known or _exists(cluster, document, target):
            continue
        what = f"{target.running.key}: the volume claim {object_name(document)}"
        if name is None:
            yield f"{what} names no storage class, and the cluster has no default one"
        else:
            yield f"{what} asks for storage class {name!r}; the cluster has {_list(classes)}"


def _exists(cluster: ClusterActions, document: Document, target: ReleaseTarget) -> bool:
    return document.get("kind") == CLAIM and cluster.live(document, target.namespace) is not None


def _claims(
    targets: Iterable[ReleaseTarget],
) -> Iterator[tuple[ReleaseTarget, Mapping[str, Any], Mapping[str, Any]]]:
    """Volume claims of manifests and of StatefulSets' templates, with their specs."""
    for target in targets:
        for document in target.documents():
            if document.get("kind") == CLAIM:
                yield target, document, document.get("spec") or {}
            for template in (document.get("spec") or {}).get("volumeClaimTemplates") or ():
                yield target, template, template.get("spec") or {}


def _ingress(classes: set[str], targets: Iterable[ReleaseTarget]) -> Iterator[str]:
    for target in targets:
        for document in target.documents():
            name = (document.get("spec") or {}).get("ingressClassName")
            if document.get("kind") == "Ingress" and name and name not in classes:
                what = f"{target.running.key}: the Ingress {object_name(document)}"
                yield f"{what} asks for ingress class {name!r}; the cluster has {_list(classes)}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
