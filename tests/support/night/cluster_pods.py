"""Kubernetes' own controllers on an API server without nodes, and a stand-in for a kubelet that runs nothing.

A pod is bound to a node that is only an object, and gets ready; one that is to end has ended; a test may say
something else. That is enough for Helm to wait for real Deployments, StatefulSets and Jobs.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import Call, Connection, connect, path_of
from airstore.core.errors import TransferError
from tests.support.kubernetes.cluster_server import ApiServer, free_ports, programs

NODE = "paper"
_CONTROLLERS = (
    "deployment-controller,replicaset-controller,statefulset-controller,job-controller,cronjob-controller,"
    "garbage-collector-controller,namespace-controller,serviceaccount-controller,"
    "persistentvolumeclaim-protection-controller"
)


class Fate(Enum):
    """What becomes of a pod; the value is its phase."""

    WAITS = "Pending"
    READY = "Running"
    WORKS = "Running, not ready"
    CRASHES = "Running, in a crash loop"
    NO_IMAGE = "Pending, without an image"
    DONE = "Succeeded"
    FAILED = "Failed"


Fates = Callable[[Objects, dict[str, Any]], Fate]


def runs(objects: Objects, pod: dict[str, Any]) -> Fate:
    """What is to end has ended, anything else is ready."""
    return Fate.READY if pod["spec"]["restartPolicy"] == "Always" else Fate.DONE


@contextmanager
def paper_cluster(api: ApiServer, fates: Fates = runs) -> Iterator[None]:
    """Controllers and the stand-in, for the length of the block; ``fates`` is asked again and again."""
    kubelet = threading.Event()
    for made in (_NODE, _STORAGE):
        api.kubectl("apply", "-f", "-", stdin=made)
    log = api.directory / "controllers.log"
    with log.open("wb") as file:
        controllers = subprocess.Popen(_command(api), stdout=file, stderr=file)
    thread = threading.Thread(target=_run_pods, args=(api, fates, kubelet))
    thread.start()
    try:
        yield
    finally:
        kubelet.set()
        thread.join()
        controllers.kill()
        controllers.wait()


def _command(api: ApiServer) -> list[str]:
    found = programs()
    assert found
    (port,) = free_ports(1)
    return [
        str(Path(found[1]).resolve().with_name("kube-controller-manager")),
        f"--kubeconfig={api.kubeconfig}",
        f"--controllers={_CONTROLLERS}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={api.directory}",
    ]


def _run_pods(api: ApiServer, fates: Fates, ended: threading.Event) -> None:
    with connect(api.kubeconfig, retry_for=60) as connection:
        while not ended.wait(0.4):
            for pod in Objects(connection).list("v1", "Pod"):
                with suppress(TransferError):  # gone meanwhile
                    _advance(connection, pod, fates)


def _advance(connection: Connection, pod: dict[str, Any], fates: Fates) -> None:
    metadata = pod["metadata"]
    place = ("namespaces", metadata["namespace"], "pods", metadata["name"])
    if "deletionTimestamp" in metadata:
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
        connection.send(Call("DELETE", path_of("api", "v1", *place), body=options))
    elif not pod["spec"].get("nodeName"):
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": metadata["name"]}}
        path = path_of("api", "v1", *place, "binding")
        connection.send(Call("POST", path, body={**binding, "target": target}))
    elif pod["status"].get("phase") not in {Fate.DONE.value, Fate.FAILED.value}:
        _report(connection, pod, fates(Objects(connection), pod))


def _report(connection: Connection, pod: dict[str, Any], fate: Fate) -> None:
    """Tell a fate as a kubelet would; nothing if it is told already."""
    metadata, status = pod["metadata"], _status(pod, fate)
    told = [each["state"].keys() for each in pod["status"].get("containerStatuses", ())]
    now = [each["state"].keys() for each in status["containerStatuses"]]
    if fate is Fate.WAITS or (pod["status"].get("phase"), told) == (status["phase"], now):
        return
    path = path_of("api", "v1", "namespaces", metadata["namespace"], "pods", metadata["name"], "status")
    kind = "application/merge-patch+json"
    connection.send(Call("PATCH", path, body={"status": status}, content_type=kind))


def _status(pod: dict[str, Any], fate: Fate) -> dict[str, Any]:
    now, ready = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), fate is Fate.READY
    containers = [
        {"name": each["name"], "image": each["image"], "imageID": "", "ready": ready, "started": ready}
        | _container(fate, now)
        for each in pod["spec"]["containers"]
    ]
    conditions = [
        {"type": kind, "status": "True" if ready or kind in _EARLY else "False", "lastTransitionTime": now}
        for kind in (*_EARLY, "ContainersReady", "Ready")
    ]
    phase = fate.value.partition(",")[0]
    return {"phase": phase, "startTime": now, "conditions": conditions, "containerStatuses": containers}


_EARLY = ("PodScheduled", "Initialized")


def _container(fate: Fate, now: str) -> dict[str, Any]:
    """State and restarts of each container."""
    ended = {"exitCode": 0 if fate is Fate.DONE else 3, "finishedAt": now, "reason": "Error"}
    if fate in {Fate.DONE, Fate.FAILED}:
        return {"restartCount": 0, "state": {"terminated": ended}}
    if fate is Fate.CRASHES:
        waiting = {"reason": "CrashLoopBackOff", "message": "back-off"}
        return {"restartCount": 4, "state": {"waiting": waiting}, "lastState": {"terminated": ended}}
    if fate is Fate.NO_IMAGE:
        return {"restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "none"}}}
    return {"restartCount": 0, "state": {"running": {"startedAt": now}}}


_NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}},
}
_STORAGE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "paper", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "kubernetes.io/no-provisioner",
}
