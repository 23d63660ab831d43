"""A cluster without a node that can be used, as a real API server tells of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kubernetes.cluster_server import ApiServer
from tests.support.kubernetes.cluster_site import make_site, write_site_file
from tests.support.product.e2e_road import Airstore

pytestmark = [pytest.mark.cluster, pytest.mark.root]
Bootstrap = Callable[..., str]
_CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "fast"},
    "provisioner": "kubernetes.io/no-provisioner",
}


@pytest.fixture
def bootstrap(api: ApiServer, helm4: Path, docker_registry: Path, tmp_path: Path) -> Iterator[Bootstrap]:
    """Run one that must be refused, and check that it left nothing behind."""
    (tmp_path / "home").mkdir()
    registry = "registry.example.com/shop/registry:2"
    store = make_site(Airstore(tmp_path / "home", helm4), tmp_path, docker_registry, registry, "refused")
    write_site_file(store, host="registry.acme.example", storageClass="fast")
    api.kubectl("apply", "-f", "-", stdin=_CLASS)

    def run(*words: str, code: int) -> str:
        result = store(
            "registry", "bootstrap", *words, code=code, variables={"KUBECONFIG": str(api.kubeconfig)}
        )
        assert "namespace/refused" not in api.kubectl("get", "namespaces", "-o", "name").split()
        assert not (store.path / "registry").exists()
        return result.err

    yield run
    api.kubectl("delete", "nodes", "--all")
    api.kubectl("delete", "storageclass", "fast")


def make_node(api: ApiServer, ready: str, runtime: str = "containerd://1.7.22") -> None:
    """A node as a kubelet would register it."""
    node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}}
    api.kubectl("apply", "-f", "-", stdin=node)
    # A new node is tainted as not ready; what takes that away where nodes are real is not there.
    api.kubectl("patch", "node", "node1", "-p", '{"spec": {"taints": null}}')
    information = {"containerRuntimeVersion": runtime}
    status = {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": information}
    api.kubectl("patch", "node", "node1", "--subresource=status", "-p", json.dumps({"status": status}))


def test_no_node_and_none_that_can_be_used(api: ApiServer, bootstrap: Bootstrap) -> None:
    none = "no node of the cluster is ready and takes pods\n  hint: see kubectl get nodes"
    named = "node node1 is not ready or takes no pods\n  hint: see kubectl describe node"
    assert none in bootstrap(code=10)
    assert "the cluster has no node 'node1'\n  hint: its nodes: none" in bootstrap("--node", "node1", code=10)

    make_node(api, ready="False")
    assert none in bootstrap(code=10)
    assert named in bootstrap("--node", "node1", code=10)

    make_node(api, ready="True")
    api.kubectl("cordon", "node1")
    assert none in bootstrap(code=10)
    assert named in bootstrap("--node", "node1", code=10)

    api.kubectl("uncordon", "node1")
    api.kubectl("taint", "nodes", "node1", "only=some:NoSchedule")
    assert none in bootstrap(code=10)


def test_a_node_that_no_way_leads_to(api: ApiServer, bootstrap: Bootstrap) -> None:
    make_node(api, ready="True")
    said = bootstrap(code=2)
    assert "node node1 is another machine than this one" in said
    assert "hint: give --ssh USER@HOST" in said

    make_node(api, ready="True", runtime="cri-o://1.31.0")
    said = bootstrap("--ssh", "root@node1", code=2)
    assert "node node1 runs cri-o://1.31.0, not containerd" in said
    assert "registry.mode external or serve" in said
