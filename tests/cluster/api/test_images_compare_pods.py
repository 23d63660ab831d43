"""What real pods of a real node run, held against a release."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airstore.cluster.workloads.running import images_of
from tests.support.kubernetes.cluster_site import RealCluster
from tests.support.product.road_parts import done
from tests.support.product.tiny_product import IMAGE, Tiny
from tests.support.tools.processes import wait_for

NODES_IMAGE = "airstore.invalid/busybox:1"  # what the node has without pulling
SLEEP = ["/bin/busybox", "sleep", "600"]


def container(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": NODES_IMAGE, "command": SLEEP, **more}


def bodies() -> list[dict[str, Any]]:
    """A Job that ends; a pod of four containers, one of which ends; a pod without its image."""
    job = {"containers": [container("c", command=["/bin/busybox", "true"])], "restartPolicy": "Never"}
    first = container("first", command=["/bin/busybox", "true"])
    main = {
        "initContainers": [first, container("side", restartPolicy="Always")],
        "containers": [container("main")],
        "terminationGracePeriodSeconds": 0,
    }
    lost = {"containers": [{"name": "c", "image": IMAGE}]}
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        for name, spec in (("main", main), ("lost", lost))
    ]
    ended = {"metadata": {"name": "ended"}, "spec": {"template": {"spec": job}}}
    return [{"apiVersion": "batch/v1", "kind": "Job", **ended}, *pods]


def states_of(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for status in pod["status"].get(key, ()):
            yield status["state"]


def settled(cluster: RealCluster, space: str) -> bool:
    pods = cluster.json("get", "pods", "-n", space)["items"]
    states = [state for pod in pods for state in states_of(pod)]
    pulls = [state["waiting"].get("reason") for state in states if "waiting" in state]
    ended, running = (sum(key in state for state in states) for key in ("terminated", "running"))
    return (ended, running) == (2, 3) and set(pulls) <= {"ErrImagePull", "ImagePullBackOff"} and bool(pulls)


def test_real_pods_say_what_they_run(tiny: Tiny, cluster: RealCluster, space: str) -> None:
    assert tiny.create().code == 0
    for body in bodies():
        cluster.kubectl("apply", "-n", space, "-f", "-", stdin=body)
    cluster.kubectl("wait", "-n", space, "pod/main", "--for=condition=Ready", "--timeout=90s")
    debug = ("--image", NODES_IMAGE, "--container", "debug", "--", *SLEEP)
    cluster.kubectl("debug", "-n", space, "main", "--profile=general", *debug)
    wait_for(lambda: settled(cluster, space), 90)

    words = ("-C", tiny.store, "images", "compare", "--kubeconfig", cluster.kubeconfig, "-n", space)
    foreign, own = done(*words, "-o", "json").json()
    assert (foreign["image"], foreign["state"]) == (NODES_IMAGE, "not in the release")
    assert (own["image"], own["state"]) == (IMAGE, "in both"), "it is asked for, and never ran"
    assert len(foreign["pods"]) == 2, "the Job that ended, and the pod with its sidecar once"

    found = {one.container: one.digest for one in images_of(cluster.json("get", "pod", "main", "-n", space))}
    assert set(found) == {"first", "side", "main", "debug"}
    assert all(str(digest).startswith("sha256:") for digest in found.values()), (
        "a node's own words are understood"
    )
