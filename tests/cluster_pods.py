"""Kubernetes' own controllers on an API server without nodes, and a stand-in for a kubelet that runs nothing.

A pod is bound to a node that is only an object, and gets ready; one that is to end has ended. That is enough
for Helm to wait for real Deployments, StatefulSets and Jobs.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cluster_server import ApiServer, free_ports, programs

from airstore.cluster.connection import Call, Connection, connect, path_of
from airstore.cluster.objects import Objects
from airstore.core.errors import TransferError

NODE = "paper"
_CONTROLLERS = (
    "deployment-controller,replicaset-controller,statefulset-controller,job-controller,cronjob-controller,"
    "garbage-collector-controller,namespace-controller,serviceaccount-controller,"
    "horizontal-pod-autoscaler-controller"
)


@contextmanager
def paper_cluster(api: ApiServer) -> Iterator[None]:
    """Controllers and the stand-in, for the length of the block."""
    kubelet = threading.Event()
    for made in (_NODE, _STORAGE):
        api.kubectl("apply", "-f", "-", stdin=made)
    log = api.directory / "controllers.log"
    with log.open("wb") as file:
        controllers = subprocess.Popen(_command(api), stdout=file, stderr=file)
    thread = threading.Thread(target=_run_pods, args=(api, kubelet))
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


def _run_pods(api: ApiServer, ended: threading.Event) -> None:
    with connect(api.kubeconfig, patience=60) as connection:
        while not ended.wait(0.2):
            for pod in Objects(connection).list("v1", "Pod"):
                with suppress(TransferError):  # gone meanwhile
                    _advance(connection, pod)


def _advance(connection: Connection, pod: dict[str, Any]) -> None:
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
    elif pod["status"].get("phase") == "Pending":
        kind = "application/merge-patch+json"
        path = path_of("api", "v1", *place, "status")
        connection.send(Call("PATCH", path, body={"status": _status(pod)}, content_type=kind))


def _status(pod: dict[str, Any]) -> dict[str, Any]:
    """Of one whose containers run, or have done their work."""
    ends = pod["spec"]["restartPolicy"] != "Always"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    state = {"terminated": {"exitCode": 0, "finishedAt": now}} if ends else {"running": {"startedAt": now}}
    containers = [
        {"name": each["name"], "image": each["image"], "imageID": "", "restartCount": 0}
        | {"ready": not ends, "started": not ends, "state": state}
        for each in pod["spec"]["containers"]
    ]
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    conditions = [
        {"type": kind, "status": "False" if ends and kind in kinds[2:] else "True", "lastTransitionTime": now}
        for kind in kinds
    ]
    phase = "Succeeded" if ends else "Running"
    return {"phase": phase, "startTime": now, "conditions": conditions, "containerStatuses": containers}


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
