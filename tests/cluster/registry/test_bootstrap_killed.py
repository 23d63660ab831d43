"""A bootstrap that is killed at any of its steps: one more ends well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.kubernetes.cluster_world import World

pytestmark = [pytest.mark.cluster, pytest.mark.root]
_KILLED = Path(__file__).parents[2] / "support" / "faults" / "killed_bootstrap.py"


def kill(world: World, step: str) -> None:
    words = ["-C", str(world.store.path), "registry", "bootstrap", "--containerd-socket"]
    argv = [sys.executable, str(_KILLED), f"{step}: ", *words, str(world.cluster.socket)]
    environment = os.environ | world.store.airstore.environment | world.variables()
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"{step}: ")


def check(world: World) -> int:
    """The registry runs from itself, on any node; returns the Deployment's generation."""
    deployment = world.deployment()
    digest = world.store.images("1.0.0")[world.registry]
    private = f"{world.host}/shop/registry:{world.namespace}@{digest}"
    pod = deployment["spec"]["template"]["spec"]
    assert [container["image"] for container in pod["containers"]] == [private, private]
    assert "nodeSelector" not in pod
    assert deployment["status"]["availableReplicas"] == 3
    assert {found for _, found in world.images_running()} == {digest}
    assert world.missing(world.registry) == set()
    return int(deployment["metadata"]["generation"])


def found(world: World) -> str:
    """What a kill left: how the containers of the Deployment get their image, and what the registry has."""
    where = ("deployment", "registry", "-n", world.namespace)
    path = "jsonpath={.spec.template.spec.containers[*].imagePullPolicy}"
    policies = world.cluster.kubectl("get", *where, "--ignore-not-found", "-o", path)
    if not policies:
        return "nothing"
    return f"{policies}, {'not all' if world.missing(world.registry) else 'all'} there"


# The step that was said last: after the label, the start, the push and the re-pointing.
@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("start", "nothing"),
        ("push", "Never Never, not all there"),
        ("re-point", "Never Never, all there"),
        ("scale", "IfNotPresent IfNotPresent, all there"),
    ],
)
def test_one_more_bootstrap_ends_well(world: World, step: str, left: str) -> None:
    world.configure_node()
    kill(world, step)
    assert found(world) == left
    world.bootstrap()
    generation = check(world)
    world.bootstrap()
    assert check(world) == generation
