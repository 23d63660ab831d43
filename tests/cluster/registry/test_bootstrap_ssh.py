"""The bootstrap reaches its node by real ssh on another address, or is refused with nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubernetes.cluster_world import World
from tests.support.product.e2e_road import run
from tests.support.product.e2e_world import wait_for
from tests.support.tools.ssh_server import SshServer, ssh_server

pytestmark = [pytest.mark.cluster, pytest.mark.root]


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SshServer]:
    with ssh_server(tmp_path / "ssh") as server:
        yield server


def words(world: World, ssh: SshServer) -> tuple[str | Path, ...]:
    return ("bootstrap", "--ssh", f"root@{ssh.host}", "--containerd-socket", world.cluster.socket)


def bootstrap(world: World, ssh: SshServer, code: int = 0) -> str:
    return world(*words(world, ssh), code=code, path=ssh.programs)


def images_in_node(world: World) -> list[str]:
    """References, as containerd's own client lists them."""
    ctr = ("ctr", "--address", world.cluster.socket, "-n", "k8s.io")
    listing = run(*ctr, "images", "ls", "-q", f"name~={world.namespace}")
    return [line for line in listing.splitlines() if "@" not in line]


def test_an_unknown_host_and_a_key_that_is_not_let_in_and_then_the_whole_way(
    world: World, ssh: SshServer
) -> None:
    where = f"ssh root@{ssh.host}"
    said = bootstrap(world, ssh, code=40)
    assert f"{where}: No ED25519 host key is known for {ssh.host}" in said
    assert "Host key verification failed" in said
    assert "hint: check the node's host key and add it to ~/.ssh/known_hosts" in said

    ssh.know("stranger")
    said = bootstrap(world, ssh, code=40)
    assert f"{where}: WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!" in " ".join(said.split())
    assert f"ssh-keygen -R {ssh.host}" in said

    ssh.know()
    ssh.let_in("stranger")
    said = bootstrap(world, ssh, code=40)
    assert f"{where}: root@{ssh.host}: Permission denied (publickey)" in said
    assert f"hint: let your ssh key in at the node: ssh-copy-id root@{ssh.host}" in said
    assert "Accepted publickey" not in ssh.log
    assert world.untouched()
    assert images_in_node(world) == []

    ssh.let_in("client")
    world.configure_node()
    assert f"over ssh to root@{ssh.host}" in bootstrap(world, ssh)
    assert "Accepted publickey for root" in ssh.log
    # No pull gives an image this name: what the pods run is pinned to its digest.
    assert images_in_node(world) == [f"{world.host}/shop/registry:{world.namespace}"]
    assert {found for _, found in world.images_running()} == {world.store.images("1.0.0")[world.registry]}
    assert world.deployment()["status"]["availableReplicas"] == 3


def test_a_node_that_is_lost_in_the_middle_of_the_import(world: World, ssh: SshServer) -> None:
    ssh.know()
    ssh.let_in("client")
    ssh.be_slow()
    with world.started(*words(world, ssh), path=ssh.programs) as process:
        # The first connection asks whether the image is there, the second brings it. Until its command runs,
        # ssh itself may still be connecting, and says something else of a server that does not answer.
        wait_for(lambda: ssh.log.count("Starting session: command") == 2)
        ssh.cut_off()
        said, _ = process.communicate()
    assert process.returncode == 40, said
    assert f"ssh root@{ssh.host}: Timeout, server {ssh.host} not responding" in said
    assert "hint: the connection to the node was lost; once it is back run the same command again" in said
    assert images_in_node(world) == []
    listed = world.cluster.json("get", "deployments,pods", "-n", world.namespace)["items"]
    assert listed == []

    ssh.connect()
    world.configure_node()
    bootstrap(world, ssh)
    assert images_in_node(world) == [f"{world.host}/shop/registry:{world.namespace}"]
    assert world.deployment()["status"]["availableReplicas"] == 3
