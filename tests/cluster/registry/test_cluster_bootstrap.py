"""The registry in a real cluster, from media alone; the state afterwards as kubectl and kubelet see it."""

from __future__ import annotations

import datetime as dt

import pytest

from airstore.core.parsing.strictjson import load_object
from airstore.tls.certificates import create_authority
from tests.support.kubernetes.cluster_site import API, write_site_file
from tests.support.kubernetes.cluster_world import World

pytestmark = [pytest.mark.cluster, pytest.mark.root]


def test_a_dry_run_changes_nothing(world: World) -> None:
    said = world.bootstrap("--dry-run")
    assert "re-point" in said
    assert world.namespace not in world.cluster.kubectl("get", "namespaces", "-o", "name")
    assert not (world.store.path / "registry").exists()


def test_from_media_alone_to_three_pods(world: World) -> None:
    world.configure_node()
    world.bootstrap()
    digest = world.store.images("1.0.0")[world.registry]
    deployment = world.cluster.json("get", "deployment", "registry", "-n", world.namespace)
    pod = deployment["spec"]["template"]["spec"]
    private = f"{world.host}/shop/registry:{world.namespace}@{digest}"
    assert [container["image"] for container in pod["containers"]] == [private, private]
    assert "nodeSelector" not in pod
    assert deployment["status"]["availableReplicas"] == 3
    assert {found for _, found in world.images_running()} == {digest}
    ingress = world.cluster.json("get", "ingress", "registry", "-n", world.namespace)
    assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"] == "0"

    # Again: nothing changes, nothing restarts.
    generation = deployment["metadata"]["generation"]
    world.bootstrap()
    again = world.cluster.json("get", "deployment", "registry", "-n", world.namespace)
    assert again["metadata"]["generation"] == generation

    # Users: nobody gets in without a password, who pulls cannot push.
    assert world.status("/v2/") == 401
    assert world.status("/v2/", "pull") == 200
    assert world.status("/v2/shop/registry/blobs/uploads/", "pull", "POST") == 405

    # The rest of the release, and a pod that pulls it under its upstream name through the mirror.
    world("push")
    world.configure_node("--credentials")
    container = {"name": "api", "image": API, "imagePullPolicy": "Always"}
    api = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "api"},
        "spec": {"containers": [container]},
    }
    world.cluster.kubectl("apply", "-n", world.namespace, "-f", "-", stdin=api)
    world.cluster.kubectl("wait", "pod/api", "-n", world.namespace, "--for=condition=Ready", "--timeout=120s")
    # Of several names of one image the kubelet reports any; its digest is what counts.
    running = world.cluster.json("get", "pod/api", "-n", world.namespace)["status"]["containerStatuses"]
    assert [c["imageID"].partition("@")[2] for c in running] == [world.store.images("1.0.0")[API]]
    _check_secrecy(world)


def _check_secrecy(world: World) -> None:
    directory = world.store.path / "registry"
    secrets = load_object((directory / "credentials.json").read_bytes(), "")
    world.store.airstore.never_said(secrets["pull"], secrets["push"], secrets["httpSecret"])
    for name in ("credentials.json", "ca.key", "tls.key"):
        assert (directory / name).stat().st_mode & 0o777 == 0o600


def test_a_node_that_trusts_another_authority_and_then_the_right_one(world: World) -> None:
    world.configure_node()
    wrong = next(world.cluster.hosts.glob(f"{world.host}/ca.pem"))
    right = wrong.read_bytes()
    wrong.write_bytes(_other_authority())
    said = world.bootstrap("--timeout", "30", code=40)
    assert "x509" in said
    assert "mirror-config" in said
    # What was there goes on running meanwhile, and the same command goes on from there.
    assert world.cluster.json("get", "deployment", "registry", "-n", world.namespace)["status"][
        "availableReplicas"
    ]
    wrong.write_bytes(right)
    world.bootstrap()
    assert {found for _, found in world.images_running()} == {world.store.images("1.0.0")[world.registry]}


def _other_authority() -> bytes:

    return create_authority("somebody else", dt.datetime.now(dt.UTC)).certificate


def test_what_the_cluster_lacks_is_said_before_anything_changes(world: World) -> None:
    known = {"mode": "cluster", "host": world.host}
    write_site_file(world.store, **known, storageClass="nowhere")
    assert "there are: " in (said := world.bootstrap(code=2))
    assert world.namespace in said
    write_site_file(world.store, **known, storageClass=world.namespace, ingressClass="nowhere")
    assert "no ingress class 'nowhere'" in world.bootstrap(code=2)
    write_site_file(world.store, **known, storageClass=world.namespace)
    assert "no node 'nowhere'" in world.bootstrap("--node", "nowhere", code=10)
    write_site_file(world.store, mode="external", host=world.host)
    assert "registry.mode: external" in world.bootstrap(code=2)
    assert world.namespace not in world.cluster.kubectl("get", "namespaces", "-o", "name")


def test_new_passwords_lock_out_until_the_bootstrap_ran_again(world: World) -> None:
    world.configure_node()
    world.bootstrap()
    (world.store.path / "registry" / "credentials.json").unlink()
    world.configure_node()
    assert "401" in world("push", code=40)
    assert "the pods restart with the new ones" in world.bootstrap()
    world("push")
    assert world.status("/v2/", "pull") == 200


def test_another_containerd_socket(world: World) -> None:
    said = world("bootstrap", "--containerd-socket", world.directory / "none.sock", code=40)
    assert "--containerd-socket" in said
