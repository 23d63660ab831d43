"""The registry in a real cluster, from media alone; the state afterwards as kubectl and kubelet see it."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster_ingress import ingress_controller
from cluster_server import free_ports
from cluster_site import API, RealCluster, find_cluster, make_site, volume, write_site_file
from e2e_road import Airstore, Store

from airstore.core.strictjson import load_object
from airstore.trust.certificates import create_authority

pytestmark = [pytest.mark.cluster, pytest.mark.root]
_numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> RealCluster:
    found = find_cluster()
    if not found:
        pytest.skip("no cluster runs: scripts/cluster up")
    return found


@dataclass(frozen=True)
class World:
    """A site before its registry, with a volume and something that answers at the registry's host."""

    cluster: RealCluster
    store: Store
    namespace: str
    host: str
    registry: str
    directory: Path

    def __call__(self, *words: str | Path, code: int = 0) -> str:
        """``airstore registry`` on the site's store; returns all it said."""
        variables = {"KUBECONFIG": str(self.cluster.kubeconfig)}
        result = self.store("registry", *words, code=code, variables=variables)
        return result.out + result.err

    def bootstrap(self, *words: str, code: int = 0) -> str:
        return self("bootstrap", "--containerd-socket", self.cluster.socket, *words, code=code)

    def configure_node(self, *words: str) -> None:
        files = self.directory / f"node-{next(_numbers)}"
        self("mirror-config", "--runtime", "containerd", "--out", files, *words)
        self.cluster.configure(files)

    def images_running(self) -> set[tuple[str, str]]:
        """Image and its digest of every container that runs, as the kubelet reports them.

        A pod that a new one has replaced may still be there, without a container that ever ran.
        """
        pods = self.cluster.json("get", "pods", "-n", self.namespace)["items"]
        statuses = [
            status
            for pod in pods
            for status in pod["status"].get("containerStatuses", ())
            if "running" in status["state"]
        ]
        return {(status["image"], status["imageID"].partition("@")[2]) for status in statuses}

    def status(self, path: str, user: str = "", method: str = "GET") -> int:
        """HTTP status of a request to the registry at its public host."""
        credentials = load_object((self.store.path / "registry/credentials.json").read_bytes(), "")
        request = urllib.request.Request(f"https://{self.host}{path}", method=method)
        if user:
            token = b64encode(f"{user}:{credentials[user]}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        trust = ssl.create_default_context(cafile=str(self.store.path / "registry/ca.pem"))
        try:
            with urllib.request.urlopen(request, context=trust) as answer:  # noqa: S310 - https, see above
                return int(answer.status)
        except urllib.error.HTTPError as fault:
            return fault.code


@pytest.fixture
def world(cluster: RealCluster, helm4: Path, docker_registry: Path, tmp_path: Path) -> Iterator[World]:
    (tmp_path / "home").mkdir()
    airstore = Airstore(tmp_path / "home", helm4)
    name = f"registry-{os.getpid()}-{next(_numbers)}"
    (port,) = free_ports(1)
    host = f"localhost:{port}"
    # Each image is a new one to the kubelet, which remembers what it has pulled with which password.
    registry = f"registry.example.com/shop/registry:{name}"
    store = make_site(airstore, tmp_path, docker_registry, registry, name)
    write_site_file(store, mode="cluster", host=host, storageClass=name, accessMode="ReadWriteMany")
    for document in volume(name, tmp_path / "volume"):
        cluster.kubectl("apply", "-f", "-", stdin=document)
    with ingress_controller(cluster.kubectl, name, "registry", port, tmp_path):
        yield World(cluster, store, name, host, registry, tmp_path)
    cluster.forget(host)
    cluster.forget("registry.example.com")
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")
    cluster.kubectl("delete", f"pv/{name}", f"storageclass/{name}", "--wait=false")
    cluster.kubectl("label", "nodes", "--all", "primary-registry-")


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


def test_ssh_that_is_refused(world: World) -> None:
    said = world("bootstrap", "--ssh", "root@127.0.0.1", code=40)
    assert "ssh root@127.0.0.1" in said
    assert "hint" in said


def test_over_ssh_the_far_shell_gets_one_quoted_command(world: World) -> None:
    # Everything but the network: what the far shell is given, and the archive on its standard input.
    programs = world.directory / "bin"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    world.configure_node()
    variables = {
        "KUBECONFIG": str(world.cluster.kubeconfig),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }
    words = ("registry", "bootstrap", "--ssh", "root@node", "--containerd-socket", world.cluster.socket)
    world.store(*words, variables=variables)
    assert {found for _, found in world.images_running()} == {world.store.images("1.0.0")[world.registry]}


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
