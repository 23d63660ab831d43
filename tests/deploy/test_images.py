"""Which images a release does not carry, and which ones tell whether a node can pull. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from airstore.cluster.workloads.pull_probe import troubles
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.image.reference import Reference
from airstore.core.model.release import HelmRelease, Image, Release
from airstore.deploy.checks.images import samples, strangers
from airstore.deploy.model.target import ReleaseTarget
from tests.support.kubernetes.deploy_world import make_target

PLACE = "reg.site.example:5000/shop"


def image(reference: str, size: int) -> Image:
    root = Descriptor("application/vnd.oci.image.manifest.v1+json", Digest.of(reference.encode()), size)
    return Image(Reference.parse(reference), root, (root,))


API, REDIS = image("registry.example.com/shop/api:1.0", 10), image("redis:7", 20)
JOB = image(f"registry.example.com/shop/job@{Digest.of(b'job')}", 5)
RELEASE = Release("shop", "1.0.0", 1, None, (), (API, REDIS, JOB), (), (), {})


def target(*references: str) -> ReleaseTarget:
    containers = [{"name": f"c{number}", "image": text} for number, text in enumerate(references)]
    pod: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    return make_target(HelmRelease("web", "shop", "web"), "1", [{**pod, "spec": {"containers": containers}}])[
        0
    ]


@pytest.mark.parametrize(
    "text",
    [
        "registry.example.com/shop/api:1.0",
        f"registry.example.com/shop/api:9@{API.root.digest}",
        "redis:7",
        "docker.io/library/redis:7",
        f"{PLACE}/shop/api:1.0",
        f"{PLACE}/library/redis:7@{REDIS.root.digest}",
        f"{PLACE}/shop/job@{JOB.root.digest}",
        "tools.site.example/own:1",  # the site's own business
    ],
)
def test_known(text: str) -> None:
    assert list(strangers([target(text)], RELEASE, PLACE)) == []


@pytest.mark.parametrize(
    "text",
    [
        "registry.example.com/shop/api:1.1",
        "registry.example.com/shop/other:1.0",
        f"registry.example.com/shop/api:1.0@{Digest.of(b'other')}",
        "redis",
        f"{PLACE}/shop/api:1.1",
        f"{PLACE}/redis:7",
    ],
)
def test_strangers(text: str) -> None:
    (said,) = strangers([target("redis:7", text)], RELEASE, PLACE)
    assert said.startswith("shop/web: Pod a: spec.containers[1].image: the release does not carry ")


def test_the_smallest_of_each_host_tells() -> None:
    both = target(f"{PLACE}/library/redis:7", f"{PLACE}/shop/api:1.0", "redis:7", "own.site.example/x:1")
    assert samples([both], RELEASE, PLACE) == ["docker.io/library/redis:7", f"{PLACE}/shop/api:1.0"]
    assert len(samples([both], RELEASE, PLACE, every=True)) == 3


def _probe(*states: dict[str, Any]) -> dict[str, Any]:
    names = [f"image-{number}" for number in range(len(states))]
    statuses = [{"name": name, **state} for name, state in zip(names, states, strict=True)]
    containers = [{"name": name, "image": f"x/{name}"} for name in names]
    return {"spec": {"containers": containers}, "status": {"containerStatuses": statuses}}


def test_what_a_probe_says() -> None:
    waiting = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    refused = {"state": {"waiting": {"reason": "ErrImagePull", "message": "x509"}}}
    failed_to_start = {"state": {"terminated": {"reason": "StartError"}}, "imageID": "x@sha256:0"}
    assert list(troubles(_probe(waiting, refused, failed_to_start))) == [
        ("x/image-0", "ContainerCreating", False),
        ("x/image-1", "ErrImagePull: x509", True),
    ]
    silent = _probe(waiting) | {"status": {}}
    assert list(troubles(silent)) == [("x/image-0", "it has not begun", False)]
