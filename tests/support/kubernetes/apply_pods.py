"""Pods of a Landscape's charts, and namespaces that do not admit them."""

from __future__ import annotations

import json
from typing import Any

from tests.support.kubernetes.apply_parts import Landscape

LEVEL = "pod-security.kubernetes.io/enforce"
SAFE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def night(name: str = "night", **container: Any) -> str:
    """A CronJob: it has pods, and where nothing runs any it counts as ready."""
    main = {"name": "main", "image": "registry.example.com/a:1", **container}
    pod = {"restartPolicy": "Never", "containers": [main]}
    job = {"spec": {"template": {"spec": pod}}}
    document = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}}
    return json.dumps({**document, "spec": {"schedule": "0 0 1 1 *", "jobTemplate": job}})


def restrict(shop: Landscape) -> None:
    shop.api.kubectl("label", "namespace", shop.namespace, f"{LEVEL}=restricted", "--overwrite")
