"""Another password in the cluster, k3s's image directory, and a push host that limits uploads."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.support.kubernetes.cluster_server import free_ports
from tests.support.kubernetes.cluster_site import API
from tests.support.kubernetes.cluster_world import World
from tests.support.product.e2e_road import run
from tests.support.product.e2e_world import wait_for
from tests.support.tools.nginx_proxy import nginx

pytestmark = [pytest.mark.cluster, pytest.mark.root]


def test_another_password_in_the_cluster_and_the_way_back(world: World) -> None:
    world.write_site_file(accessMode="ReadWriteOnce")
    world.configure_node()
    world.bootstrap()
    other = base64.b64encode(run("htpasswd", "-Bbn", "push", "another").encode()).decode()
    secret = ("secret", "registry-htpasswd", "-n", world.namespace)
    patch = f'{{"data": {{"htpasswd-push": "{other}"}}}}'
    world.cluster.kubectl("patch", *secret, "--type=merge", "-p", patch)
    restart(world)
    said = world("push", code=40)
    assert "answered 401 Unauthorized" in said
    assert "hint: the registry's passwords are not those of this store" in said
    assert "airstore registry bootstrap" in said
    assert world.status("/v2/shop/api/manifests/1.0.0", "pull") == 404

    # Whose change it was is said, and it is not overwritten.
    said = world.bootstrap(code=40)
    assert f"Secret {world.namespace}/registry-htpasswd: .data.htpasswd-push belongs to kubectl-patch" in said
    assert "delete the object, if it holds nothing of value" in said
    assert world.cluster.json("get", *secret)["data"]["htpasswd-push"] == other

    world.cluster.kubectl("delete", *secret)
    assert "the pods restart" in world.bootstrap()
    world("push")
    assert world.missing(API) == set()


def restart(world: World) -> None:
    where = ("deployment/registry", "-n", world.namespace)
    world.cluster.kubectl("rollout", "restart", *where)
    world.cluster.kubectl("rollout", "status", *where, "--timeout=120s")


def test_k3s_takes_the_archive_from_its_directory(world: World) -> None:
    images = world.directory / "agent" / "images"
    said = world("bootstrap", "--k3s-images", images, code=10)
    assert f"there is no directory {images} on this machine" in said
    assert "hint: run this on the node" in said
    assert world.untouched()

    world.configure_node()
    images.mkdir(parents=True)
    archive = images / "airstore-registry.tar"
    with world.started("bootstrap", "--k3s-images", images) as process:
        wait_for(lambda: "ErrImageNeverPull" in reasons(world) or process.poll() is not None)
        assert [path for path in images.iterdir() if path.suffix == ".tar"] == [archive]
        run("ctr", "--address", world.cluster.socket, "-n", "k8s.io", "images", "import", archive)
        said, _ = process.communicate()
    assert process.returncode == 0, said
    assert {found for _, found in world.images_running()} == {world.store.images("1.0.0")[world.registry]}
    assert world.deployment()["status"]["availableReplicas"] == 3


def reasons(world: World) -> set[str]:
    """Why containers wait."""
    listed = world.cluster.kubectl("get", "namespaces", "-o", "name").split()
    pods = world.pods() if f"namespace/{world.namespace}" in listed else []
    states = (s["state"] for pod in pods for s in pod["status"].get("containerStatuses", ()))
    return {state["waiting"].get("reason", "") for state in states if "waiting" in state}


def test_a_push_host_behind_a_proxy_that_limits_uploads(large_world: World, tmp_path: Path) -> None:
    world = large_world
    (port,) = free_ports(1)
    world.write_site_file(accessMode="ReadWriteOnce", pushHost=f"localhost:{port}")
    world.configure_node()
    world.bootstrap()
    address = world.cluster.json("get", "service", "registry", "-n", world.namespace)["spec"]["clusterIP"]
    data = world.cluster.json("get", "secret", "registry-tls", "-n", world.namespace)["data"]
    tls = "".join(base64.b64decode(data[key]).decode() for key in ("tls.crt", "tls.key"))
    with nginx(tmp_path / "small", port, f"{address}:5010", "256k", tls):
        said = world("push", code=40)
        assert f"localhost:{port}/shop/" in said
        assert "answered 413" in said
        assert "hint: a proxy before the registry limits uploads" in said
    assert world.status("/v2/shop/api/manifests/1.0.0", "pull") == 404
    with nginx(tmp_path / "default", port, f"{address}:5010", "1m", tls) as log:
        world("push")
        assert "PUT 413" in log.read_text()  # the whole blob, before it went in pieces
    assert world.missing(API) == set()
