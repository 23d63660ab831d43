"""The registry in the cluster is lost in the middle of a push, the user's or the bootstrap's own.

The middle is made certain: the server is stopped (SIGSTOP) once it has written the first part of a blob.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.support.kubernetes.cluster_site import API
from tests.support.kubernetes.cluster_world import World
from tests.support.product.e2e_road import run
from tests.support.product.e2e_world import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.root]
_BEGUN = 1 << 20  # bytes of an upload


def pod(world: World) -> str:
    (name,) = (entry["metadata"]["name"] for entry in world.pods())
    return str(name)


def server(world: World) -> int:
    """Process id of the server that takes uploads, on the node."""
    ctr = ("ctr", "--address", world.cluster.socket, "-n", "k8s.io")
    statuses = [status for each in world.pods() for status in each["status"].get("containerStatuses", ())]
    (container,) = (s["containerID"].partition("://")[2] for s in statuses if s["name"] == "push")
    lines = (line.split() for line in run(*ctr, "tasks", "ls").splitlines())
    return next(int(words[1]) for words in lines if words[0] == container)


def begun(world: World) -> bool:
    """Whether the registry has written a part of a blob."""
    with suppress(FileNotFoundError):  # an upload that ends is moved away
        parts = world.volume.glob("docker/registry/v2/repositories/**/_uploads/*/data")
        return any(part.stat().st_size >= _BEGUN for part in parts)
    return False


@contextmanager
def stopped_in_the_middle(world: World, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A command that pushes, and the server it pushes to, which moves no more."""
    with world.started(*words) as process:
        wait_for(lambda: begun(world) or process.poll() is not None)
        number = server(world)
        os.kill(number, signal.SIGSTOP)
        assert process.poll() is None
        yield process, number


def check_whole(world: World) -> None:
    assert world.missing(API) == set()
    assert world.missing(world.registry) == set()
    assert world.status("/v2/shop/api/manifests/1.0.0", "pull") == 200


def test_a_pod_that_is_deleted_is_replaced_and_the_push_goes_on(large_world: World) -> None:
    world = large_world
    world.configure_node()
    world.bootstrap()
    lost = pod(world)
    with stopped_in_the_middle(world, "push") as (process, _):
        assert world.status("/v2/shop/api/manifests/1.0.0", "pull") == 404
        delete = ("delete", "pod", lost, "-n", world.namespace, "--grace-period=0", "--force")
        world.cluster.kubectl(*delete)
        said, _ = process.communicate()
    assert process.returncode == 0, said
    assert "read back" in said
    assert pod(world) != lost
    check_whole(world)


def test_a_server_that_dies_in_its_pod_is_started_anew_and_the_push_goes_on(large_world: World) -> None:
    world = large_world
    world.configure_node()
    world.bootstrap()
    with stopped_in_the_middle(world, "push") as (process, number):
        os.kill(number, signal.SIGKILL)
        said, _ = process.communicate()
    assert process.returncode == 0, said
    (status,) = (s for s in world.pods()[0]["status"]["containerStatuses"] if s["name"] == "push")
    assert status["restartCount"] == 1
    check_whole(world)


def test_a_registry_that_does_not_come_back_is_said_and_the_next_push_goes_on(large_world: World) -> None:
    world = large_world
    world.configure_node()
    world.bootstrap()
    scale = ("scale", "deployment/registry", "-n", world.namespace)
    with stopped_in_the_middle(world, "push") as (process, number):
        world.cluster.kubectl(*scale, "--replicas=0")
        os.kill(number, signal.SIGKILL)
        said, _ = process.communicate()
    assert process.returncode == 40, said
    assert f"the registry was lost: no pod of the registry is ready in namespace {world.namespace}" in said
    assert f"see kubectl get pods -n {world.namespace}" in said
    assert "run the same command again" in said
    assert "succeeded" not in world.store("history").out

    world.cluster.kubectl(*scale, "--replicas=1")
    world.cluster.kubectl("rollout", "status", *scale[1:], "--timeout=120s")
    world("push")
    check_whole(world)


def test_the_bootstraps_own_push_goes_on_in_another_pod(large_world: World) -> None:
    world = large_world
    world.configure_node()
    words = ("bootstrap", "--containerd-socket", str(world.cluster.socket))
    with stopped_in_the_middle(world, *words) as (process, _):
        lost = pod(world)
        delete = ("delete", "pod", lost, "-n", world.namespace, "--grace-period=0", "--force")
        world.cluster.kubectl(*delete)
        said, _ = process.communicate()
    assert process.returncode == 0, said
    assert world.missing(world.registry) == set()
    digest = world.store.images("1.0.0")[world.registry]
    assert {found for _, found in world.images_running()} == {digest}
    assert world.deployment()["status"]["availableReplicas"] == 1
