"""What a cluster consists of, as plain values for decisions made before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import Call
from airstore.core.frozen import frozen

_CONTROL = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_CLASSES = {"StorageClass": "storage.k8s.io/v1", "IngressClass": "networking.k8s.io/v1"}
_REPELS = frozenset({"NoSchedule", "NoExecute"})


@frozen
class Node:
    """One node.

    Attributes:
        usable: it is ready, and pods without tolerations can be scheduled to it.
        addresses: host names and IP addresses.
        runtime: such as ``containerd://1.7.22``.
    """

    name: str
    usable: bool
    control_plane: bool
    architecture: str
    runtime: str
    kubelet: str
    addresses: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


@frozen
class ClassOf:
    """A storage or ingress class."""

    name: str
    default: bool


@frozen
class VolumeClaim:
    """A PersistentVolumeClaim as it exists.

    Attributes:
        storage_class: None: not set yet.
        size: as Kubernetes writes quantities.
    """

    namespace: str
    name: str
    storage_class: str | None
    size: str
    access_modes: tuple[str, ...]


@frozen
class Facts:
    """A cluster at one moment.

    Attributes:
        volume_classes: class names that existing volumes carry; they need no StorageClass object.
    """

    version: str
    nodes: tuple[Node, ...]
    storage_classes: tuple[ClassOf, ...]
    ingress_classes: tuple[ClassOf, ...]
    volume_classes: frozenset[str]
    claims: tuple[VolumeClaim, ...]

    def node(self, name: str) -> Node | None:
        """The node of that name."""
        return next((node for node in self.nodes if node.name == name), None)

    def claim(self, namespace: str, name: str) -> VolumeClaim | None:
        """The PersistentVolumeClaim of that name."""
        return next((c for c in self.claims if (c.namespace, c.name) == (namespace, name)), None)


def gather(objects: Objects) -> Facts:
    """Ask the API server.

    Raises:
        ApiError: we may not list one of these.
        TransferError: it cannot be reached.
    """
    volumes = objects.list("v1", "PersistentVolume")
    return Facts(
        version=str(objects.connection.send(Call("GET", "/version")).get("gitVersion", "")),
        nodes=nodes(objects),
        storage_classes=gather_classes(objects, "StorageClass"),
        ingress_classes=gather_classes(objects, "IngressClass"),
        volume_classes=frozenset(str(item["spec"].get("storageClassName") or "") for item in volumes),
        claims=tuple(_claim(item) for item in objects.list("v1", "PersistentVolumeClaim")),
    )


def nodes(objects: Objects) -> tuple[Node, ...]:
    """Every node.

    Raises:
        TransferError: the API server refused or cannot be reached.
    """
    return tuple(_node(item) for item in objects.list("v1", "Node"))


def _node(item: Mapping[str, Any]) -> Node:
    spec, status, metadata = item.get("spec") or {}, item.get("status") or {}, item["metadata"]
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())
    tainted = any(taint.get("effect") in _REPELS for taint in spec.get("taints") or ())
    info, labels = status.get("nodeInfo") or {}, metadata.get("labels") or {}
    return Node(
        name=metadata["name"],
        usable=ready and not tainted and not spec.get("unschedulable"),
        control_plane=any(label in labels for label in _CONTROL),
        architecture=str(info.get("architecture", "")),
        runtime=str(info.get("containerRuntimeVersion", "")),
        kubelet=str(info.get("kubeletVersion", "")),
        addresses=tuple(entry["address"] for entry in status.get("addresses") or ()),
        labels=labels,
    )


def gather_classes(objects: Objects, kind: str) -> tuple[ClassOf, ...]:
    """Every ``StorageClass`` or ``IngressClass``.

    Raises:
        TransferError: the API server refused or cannot be reached.
    """
    mark = f"{kind.lower()}.kubernetes.io/is-default-class"
    return tuple(
        ClassOf(item["metadata"]["name"], (item["metadata"].get("annotations") or {}).get(mark) == "true")
        for item in objects.list(_CLASSES[kind], kind)
    )


def _claim(item: Mapping[str, Any]) -> VolumeClaim:
    spec, metadata = item.get("spec") or {}, item["metadata"]
    requests = (spec.get("resources") or {}).get("requests") or {}
    return VolumeClaim(
        namespace=metadata["namespace"],
        name=metadata["name"],
        storage_class=spec.get("storageClassName"),
        size=str(requests.get("storage", "")),
        access_modes=tuple(spec.get("accessModes") or ()),
    )
