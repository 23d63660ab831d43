"""What runs against what a release brings, asked of a real API server with pods that say what they run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airstore.cluster.workloads.running import RunningImage, images_of
from airstore.core.image.reference import Reference
from airstore.ops.publish.images.compare_images import compare
from airstore.ops.stores.directory import open_directory
from tests.support.kubernetes.cluster_server import ApiServer
from tests.support.product.road_parts import airstore, done
from tests.support.product.tiny_product import IMAGE, Tiny

pytestmark = pytest.mark.cluster
OTHER = "sha256:" + "5" * 64


def pod(api: ApiServer, namespace: str, name: str, image: str, image_id: str = "") -> None:
    """A pod as a node would have it: nothing runs here, so its status is written by hand."""
    spec = {"containers": [{"name": "c", "image": image}]}
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    api.kubectl("apply", "-n", namespace, "-f", "-", stdin=body)
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    status = {
        "name": "c",
        "image": image,
        "imageID": image_id,
        "state": state,
        "ready": True,
        "restartCount": 0,
    }
    patch = json.dumps({"status": {"phase": "Running", "containerStatuses": [status]}})
    api.kubectl("patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture
def made(tiny: Tiny) -> Tiny:
    assert tiny.create().code == 0
    return tiny


def states(tiny: Tiny, api: ApiServer, *words: str | Path) -> dict[str, str]:
    compare = ("-C", tiny.store, "images", "compare", "--kubeconfig", api.kubeconfig)
    rows = done(*compare, *words, "-o", "json").json()
    return {row["image"]: row["state"] for row in rows}


def test_what_runs_is_held_against_the_release(made: Tiny, api: ApiServer, namespace: str) -> None:
    options = ("-n", namespace)
    assert states(made, api, *options) == {IMAGE: "does not run"}

    pod(api, namespace, "operand", "quay.io/operator/operand:9.2", f"quay.io/operator/operand@{OTHER}")
    found = states(made, api, *options)
    assert found == {"quay.io/operator/operand:9.2": "not in the release", IMAGE: "does not run"}

    # From the site's registry, below a path, and known by what the node pulled.
    root = str(open_directory(made.store).history.release("1.0.0").images[0].root.digest)
    pod(api, namespace, "app", "registry.acme.example/x/other:7", f"registry.acme.example/x/other@{root}")
    assert states(made, api, *options)[IMAGE] == "in both"

    outcome = airstore(
        *("-C", made.store, "images", "compare", "--kubeconfig", api.kubeconfig, "--strict"), *options
    )
    assert outcome.code == 21
    assert 'images.include: ["quay.io/operator/operand:9.2"]' in outcome.err
    assert f"{namespace}/operand" in outcome.out
    assert states(made, api, "-A")["quay.io/operator/operand:9.2"] == "not in the release"


def test_a_name_counts_until_the_node_says_what_it_pulled(made: Tiny, api: ApiServer, namespace: str) -> None:
    mirrored = "registry.acme.example/mirror/tiny/app:1"
    pod(api, namespace, "waiting", mirrored)
    assert states(made, api, "-n", namespace) == {IMAGE: "in both"}
    pod(api, namespace, "waiting", mirrored, f"registry.acme.example/mirror/tiny/app@{OTHER}")
    rows = done(
        *(
            "-C",
            made.store,
            "images",
            "compare",
            "--kubeconfig",
            api.kubeconfig,
            "-n",
            namespace,
            "-o",
            "json",
        )
    ).json()
    assert [(row["image"], row["state"]) for row in rows] == [
        (mirrored, "not in the release"),
        (IMAGE, "does not run"),
    ]
    assert "another image of this name" in rows[0]["note"]


def test_every_container_of_a_pod_counts_with_what_its_node_says() -> None:
    names = ("initContainers", "containers", "ephemeralContainers")
    spec: dict[str, Any] = {key: [{"name": key, "image": f"quay.io/a/{key.lower()}:1"}] for key in names}
    spec["volumes"] = [{"name": "model", "image": {"reference": "quay.io/a/model:1"}}, {"name": "other"}]
    ids = (f"docker-pullable://quay.io/a/x@{OTHER}", f"docker://{OTHER}", "")
    keys = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    status = {
        key: [{"name": name, "imageID": value}] for key, name, value in zip(keys, names, ids, strict=True)
    }
    body = {"metadata": {"namespace": "n", "name": "p"}, "spec": spec, "status": status}
    found = {one.container: (one.pod, one.digest) for one in images_of(body)}
    assert found == {
        "initContainers": ("n/p", OTHER),
        "containers": ("n/p", OTHER),
        "ephemeralContainers": ("n/p", None),
        "volume model": ("n/p", None),
    }
    assert list(images_of({})) == []


@pytest.mark.parametrize("text", ["", "sha256:5", "quay.io/a/x:1", "5" * 64, f"quay.io/a/x@{OTHER}:1"])
def test_what_is_no_digest_is_none(text: str) -> None:
    status = {"containerStatuses": [{"name": "c", "imageID": text}]}
    body = {"spec": {"containers": [{"name": "c", "image": "quay.io/a/x:1"}]}, "status": status}
    assert [one.digest for one in images_of(body)] == [None]


def compared(tiny: Tiny, image: str, digest: str | None = None) -> str:
    """What one container's image is against the release."""
    release = open_directory(tiny.store).history.release("1.0.0")
    return compare(release, [RunningImage("n/p", "c", image, digest)])[0].state


def test_images_are_known_by_any_digest_of_theirs_and_by_pins(made: Tiny) -> None:
    (image,) = open_directory(made.store).history.release("1.0.0").images
    for blob in image.blobs:
        if blob.media_type.endswith(("manifest.v1+json", "config.v1+json")):  # without a registry: the latter
            assert compared(made, "registry.acme.example/x:7", str(blob.digest)) == "in both"
    pin = f"registry.acme.example/x/y@{image.root.digest}"
    assert compared(made, pin) == "in both"
    assert compared(made, pin, OTHER) == "in both", "a node names one of the digests that it knows it by"
    assert compared(made, f"{IMAGE}@{OTHER}") == "not in the release", "a pin is never overruled by its tag"
    assert compared(made, "Not An Image") == "not in the release"


def test_docker_hubs_own_images_are_known_without_their_library(made: Tiny) -> None:
    release = open_directory(made.store).history.release("1.0.0")
    hub = replace(release.images[0], reference=Reference.parse("busybox:1"))
    for text in ("busybox:1", "mirror.acme.example/busybox:1", "mirror.acme.example/hub/library/busybox:1"):
        one = RunningImage("n/p", "c", text, "")
        assert [row.state for row in compare(replace(release, images=(hub,)), [one])] == ["in both"], text
    one = RunningImage("n/p", "c", "mirror.acme.example/otherbusybox:1", "")
    assert compare(replace(release, images=(hub,)), [one])[0].state == "not in the release"
