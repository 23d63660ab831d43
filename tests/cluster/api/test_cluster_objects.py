"""Objects, rights and health gates against a real API server; the state afterwards as kubectl sees it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from airstore.cluster.api.facts import gather
from airstore.cluster.api.labels import REMEMBERED
from airstore.cluster.api.objects import ConflictError, NoSuchKindError, Objects
from airstore.cluster.api.permissions import refusals
from airstore.cluster.api.transport.client import probe
from airstore.cluster.api.transport.connection import ApiError, Connection, connect
from airstore.cluster.workloads.workloads import Workloads
from airstore.core.errors import NotFoundError, TransferError
from airstore.core.kube.rights import Right
from airstore.core.model.gates import HttpGate, WorkloadGate
from airstore.ops.apply.session.site_cluster import SiteCluster
from tests.support.kubernetes.cluster_server import ApiServer

OLDER = Path(__file__).parents[3] / "fixtures" / "annotations" / "older.json"
pytestmark = [pytest.mark.cluster, pytest.mark.root]


def config_map(data: dict[str, str], name: str = "settings") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def workload(kind: str, name: str, replicas: int, release: str, namespace: str) -> dict[str, Any]:
    labels = {"app": name}
    annotations = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
    container = {"name": "main", "image": "example.invalid/none:1"}
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def test_apply_creates_changes_and_removes_fields(api: ApiServer, objects: Objects, namespace: str) -> None:
    objects.apply(config_map({"a": "1", "b": "2"}), namespace)
    objects.apply(config_map({"a": "3"}), namespace)
    assert api.json("get", "configmap", "settings", "-n", namespace)["data"] == {"a": "3"}


def test_dry_run_changes_nothing(api: ApiServer, objects: Objects, namespace: str) -> None:
    objects.apply(config_map({"a": "1"}), namespace, dry_run=True)
    assert "settings" not in api.kubectl("get", "configmaps", "-n", namespace)


def test_a_conflict_names_field_and_owner(api: ApiServer, objects: Objects, namespace: str) -> None:
    api.kubectl(
        "apply",
        "--server-side",
        "--field-manager=ann",
        "-n",
        namespace,
        "-f",
        "-",
        stdin=config_map({"a": "1"}),
    )
    with pytest.raises(ConflictError, match=r"\.data\.a belongs to ann"):
        objects.apply(config_map({"a": "2"}), namespace)
    assert api.json("get", "configmap", "settings", "-n", namespace)["data"] == {"a": "1"}
    objects.apply(config_map({"a": "2"}), namespace, force=True)
    assert api.json("get", "configmap", "settings", "-n", namespace)["data"] == {"a": "2"}


def test_unknown_kinds(objects: Objects, namespace: str) -> None:
    document = {"apiVersion": "shop.example/v1", "kind": "Report", "metadata": {"name": "x"}}
    assert objects.live(document, namespace) is None
    assert list(objects.list("shop.example/v1", "Report")) == []
    assert not objects.delete(document, namespace)
    with pytest.raises(NoSuchKindError, match=r"no kind Report in shop\.example/v1"):
        objects.apply(document, namespace)


def test_a_crd_is_established_before_its_resources(
    api: ApiServer, connection: Connection, namespace: str
) -> None:
    group = f"{namespace}.example"
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"reports.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "reports", "kind": "Report"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                    },
                }
            ],
        },
    }
    actions = SiteCluster(connection)
    report = {"apiVersion": f"{group}/v1", "kind": "Report", "metadata": {"name": "one"}, "spec": {"a": 1}}
    assert actions.live(report, namespace) is None
    actions.apply(crd, "")
    actions.apply(report, namespace)
    assert api.json("get", f"reports.{group}", "one", "-n", namespace)["spec"] == {"a": 1}


def test_lists_go_on_over_pages(objects: Objects, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airstore.cluster.api.objects._PAGE", "2")
    for number in range(5):
        objects.apply(config_map({}, f"m{number}"), namespace)
    names = [item["metadata"]["name"] for item in objects.list("v1", "ConfigMap", namespace)]
    assert [name for name in names if name.startswith("m")] == [f"m{number}" for number in range(5)]


def test_without_rights_everything_is_refused(api: ApiServer, namespace: str) -> None:
    wanted = [Right("create", "deployments", "apps", namespace), Right("list", "nodes")]
    with connect(api.guest) as guest:
        assert refusals(guest, wanted) == wanted
        with pytest.raises(ApiError, match="403") as caught:
            Objects(guest).apply(config_map({}), namespace)
    assert "lacks this right" in caught.value.hint
    with connect(api.kubeconfig) as admin:
        assert refusals(admin, wanted) == []


def test_a_wrong_token_is_refused(api: ApiServer, tmp_path: Path) -> None:
    stranger = tmp_path / "kubeconfig"
    stranger.write_text(api.kubeconfig.read_text().replace("admin-token", "other"))
    with connect(stranger) as connection, pytest.raises(ApiError, match="401"):
        list(Objects(connection).list("v1", "Node"))


def test_no_server_and_no_kubeconfig(tmp_path: Path, api: ApiServer) -> None:
    config = tmp_path / "kubeconfig"
    with pytest.raises(NotFoundError, match="no usable kubeconfig"):
        probe(config)
    config.write_text(api.kubeconfig.read_text().replace(f":{api.port}", ":9"))
    with pytest.raises(TransferError, match="cannot be reached"):
        probe(config)
    assert probe(api.kubeconfig).version.startswith("v1.")


def test_a_restarting_server_is_waited_for(api: ApiServer, objects: Objects, namespace: str) -> None:
    objects.apply(config_map({"a": "1"}), namespace)
    api.stop()
    again = threading.Timer(1.0, api.start)
    again.start()
    try:
        objects.apply(config_map({"a": "2"}), namespace)
    finally:
        again.join()
        api.wait()
    assert api.json("get", "configmap", "settings", "-n", namespace)["data"] == {"a": "2"}


def test_facts(api: ApiServer, objects: Objects, namespace: str) -> None:
    mark = {"storageclass.kubernetes.io/is-default-class": "true"}
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": f"fast-{namespace}", "annotations": mark},
        "provisioner": "example.com/none",
    }
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{namespace}"}}
    api.kubectl("create", "-f", "-", stdin=storage)
    api.kubectl("create", "-f", "-", stdin=node)
    try:
        facts = gather(objects)
    finally:  # neither belongs to a namespace, and other tests begin with a cluster that has none
        api.kubectl("delete", "node", f"node-{namespace}")
        api.kubectl("delete", "storageclass", f"fast-{namespace}")
    assert {entry.name: entry.default for entry in facts.storage_classes}[f"fast-{namespace}"]
    found = facts.node(f"node-{namespace}")
    assert found
    assert not found.usable  # no kubelet has said that it is ready
    assert facts.version.startswith("v1.")


def test_writers_are_stopped_and_started(api: ApiServer, objects: Objects, namespace: str) -> None:
    for kind, name, count in (("Deployment", "web", 3), ("StatefulSet", "db", 2)):
        api.kubectl("apply", "-f", "-", stdin=workload(kind, name, count, "shop", namespace))
    api.kubectl("apply", "-f", "-", stdin=workload("Deployment", "other", 4, "blog", namespace))
    workloads = Workloads(objects)

    def replicas() -> dict[str, int]:
        items = api.json("get", "deployments,statefulsets", "-n", namespace)["items"]
        return {item["metadata"]["name"]: item["spec"]["replicas"] for item in items}

    workloads.stop_writers(namespace, "shop", [namespace], keep_stateful=True)
    assert replicas() == {"web": 0, "db": 2, "other": 4}
    workloads.stop_writers(namespace, "shop", [namespace])
    workloads.stop_writers(namespace, "shop", [namespace])
    assert replicas() == {"web": 0, "db": 0, "other": 4}
    assert "a rollback stopped it" in str(workloads.ready(WorkloadGate("deployment", "web"), namespace))
    api.kubectl("scale", "deployment/web", "--replicas=5", "-n", namespace)  # as Helm does
    workloads.start_writers(namespace, "shop", [namespace])
    workloads.start_writers(namespace, "shop", [namespace])
    assert replicas() == {"web": 5, "db": 2, "other": 4}
    assert REMEMBERED not in api.kubectl("get", "deployments,statefulsets", "-n", namespace, "-o", "json")


def test_what_an_older_version_stopped_is_started_again(
    api: ApiServer, objects: Objects, namespace: str
) -> None:
    """It remembered the replicas under another key, which goes with them."""
    api.kubectl("apply", "-f", "-", stdin=workload("Deployment", "web", 0, "shop", namespace))
    older = json.loads(OLDER.read_text())["Deployment"]["metadata"]["annotations"]
    for key in older:
        api.kubectl("annotate", "deployment/web", f"{key}={older[key]}", "--overwrite", "-n", namespace)
    workloads = Workloads(objects)
    workloads.stop_writers(namespace, "shop", [namespace])
    workloads.start_writers(namespace, "shop", [namespace])
    found = api.json("get", "deployment", "web", "-n", namespace)
    assert found["spec"]["replicas"] == 3
    assert not [key for key in found["metadata"]["annotations"] if "remembered" in key]


def test_health_gates_say_why_not(api: ApiServer, objects: Objects, namespace: str) -> None:
    api.kubectl("apply", "-f", "-", stdin=workload("Deployment", "web", 1, "shop", namespace))
    workloads = Workloads(objects)
    assert str(workloads.ready(WorkloadGate("deployment", "web"), namespace)).endswith(
        "the controller has not seen the change yet"
    )
    assert "there is no StatefulSet" in str(workloads.ready(WorkloadGate("statefulset", "db"), namespace))
    assert "answered 404" in str(workloads.ready(HttpGate("http://web.none/healthz"), namespace))


def test_a_lease_excludes_and_is_released(api: ApiServer, connection: Connection, namespace: str) -> None:
    actions = SiteCluster(connection)
    with actions.lease("airstore-shop", namespace) as held:
        held.check()
        holder = api.json("get", "lease", "airstore-shop", "-n", namespace)["spec"]["holderIdentity"]
        assert holder.split("/")[0]
        started = time.monotonic()
        with pytest.raises(Exception, match=holder), actions.lease("airstore-shop", namespace):
            pass
        assert time.monotonic() - started < 20
    assert not api.json("get", "lease", "airstore-shop", "-n", namespace)["spec"].get("holderIdentity")
    with actions.lease("airstore-shop", namespace):
        pass
