"""Which images a cluster's pods run: as pods ask for them, and as their nodes resolved them; read only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airstore.cluster.api.objects import Objects
from airstore.core.frozen import frozen

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
_SHA256 = re.compile(r"(?:^|@)sha256:[0-9a-f]{64}$")


@frozen
class RunningImage:
    """One container's image.

    Attributes:
        pod: as ``namespace/name``.
        image: as the pod's specification has it.
        digest: what its node says that it is, ``sha256:...``: a manifest's, or the configuration's where the
            image came to the node without a registry; None where the node has not got it.
    """

    pod: str
    container: str
    image: str
    digest: str | None


def running_images(objects: Objects, namespaces: Sequence[str]) -> Iterator[RunningImage]:
    """Every container of every pod; of all namespaces where none is named.

    Raises:
        TransferError: the API server refuses or cannot be reached.
    """
    for namespace in namespaces or ("",):
        for pod in objects.list("v1", "Pod", namespace):
            yield from images_of(pod)


def images_of(pod: Mapping[str, Any]) -> Iterator[RunningImage]:
    """The images of one pod."""
    metadata, spec, status = (pod.get(key) or {} for key in ("metadata", "spec", "status"))
    name = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
    digests = {
        each.get("name"): _digest(str(each.get("imageID") or ""))
        for key in _STATUSES
        for each in status.get(key) or ()
    }
    for key in _CONTAINERS:
        for each in spec.get(key) or ():
            container, image = str(each.get("name")), str(each.get("image") or "")
            if image:
                yield RunningImage(name, container, image, digests.get(container))
    for each in spec.get("volumes") or ():
        reference = (each.get("image") or {}).get("reference")
        if reference:
            yield RunningImage(name, f"volume {each.get('name')}", str(reference), None)


def _digest(image_id: str) -> str | None:
    """``NAME@sha256:...`` and ``sha256:...``, behind what container runtimes write before them."""
    digest = image_id.partition("://")[2] or image_id
    return digest.rpartition("@")[2] if _SHA256.search(digest) else None
