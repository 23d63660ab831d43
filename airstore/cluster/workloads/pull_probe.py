"""Can the nodes pull? One pod a node, whose containers' program does not exist: it is pulled, and ends.

Only this tells that a node finds the registry, trusts its certificate and has the right password.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airstore.cluster.api.facts import nodes
from airstore.cluster.api.objects import Objects
from airstore.core.kube.documents import Manifest
from airstore.core.poll import poll

_PAUSE = 1.0  # seconds
_LABEL = {"app.kubernetes.io/name": "pull-probe", "app.kubernetes.io/managed-by": "airstore"}
# What a kubelet calls it when it tries again and again, or never will.
_FAILED = frozenset({"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"})


def unpullable(
    objects: Objects, namespace: str, images: Sequence[str], pull_secret: str | None, timeout: float
) -> list[str]:
    """What nodes that take pods could not pull, and why; empty if every node has pulled everything.

    Args:
        objects: the cluster.
        namespace: of the probes, which are deleted again.
        images: references.
        pull_secret: an imagePullSecret there; None where pods need none.
        timeout: seconds for all of it.

    Raises:
        TransferError: the API server refused or cannot be reached.
    """
    mark = secrets.token_hex(4)
    usable = [node.name for node in nodes(objects) if node.usable] if images else []
    pods = [
        _pod(f"pull-probe-{mark}-{n}", namespace, node, images, pull_secret) for n, node in enumerate(usable)
    ]
    try:
        for pod in pods:
            objects.apply(pod)
        return _await(objects, pods, timeout)
    finally:
        for pod in pods:
            objects.delete(pod)


def troubles(pod: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Image, why it is not pulled, and whether that is final, for each container that has none yet."""
    statuses = {each["name"]: each for each in (pod.get("status") or {}).get("containerStatuses") or ()}
    for container in pod["spec"]["containers"]:
        status = statuses.get(container["name"]) or {}
        state = status.get("state") or {}
        if status.get("imageID") or "terminated" in state or "running" in state:
            continue
        waiting = state.get("waiting") or {}
        reason = str(waiting.get("reason") or "it has not begun")
        message = f": {waiting['message']}" if waiting.get("message") else ""
        yield container["image"], reason + message, reason in _FAILED


def _await(objects: Objects, pods: Sequence[Manifest], timeout: float) -> list[str]:
    for late in poll(timeout, _PAUSE):
        found, waiting = [], False
        for pod in pods:
            live = objects.live(pod) or {**pod, "status": {}}
            for image, why, final in troubles(live):
                waiting |= not final
                if final or late:
                    found.append(f"node {pod['spec']['nodeName']} cannot pull {image}: {why}")
        if not waiting:
            break
    return found


def _pod(name: str, namespace: str, node: str, images: Sequence[str], pull_secret: str | None) -> Manifest:
    containers = [
        {
            "name": f"image-{number}",
            "image": image,
            "imagePullPolicy": "Always",
            "command": ["/pulled-and-not-run"],
            "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "16Mi"}},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        for number, image in enumerate(images)
    ]
    user = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec: Manifest = {
        "nodeName": node,
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": user,
        "containers": containers,
    }
    if pull_secret:
        spec["imagePullSecrets"] = [{"name": pull_secret}]
    metadata = {"name": name, "namespace": namespace, "labels": _LABEL}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
