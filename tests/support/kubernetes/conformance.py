"""What the engine relies on, asked of any cluster and any Helm: those in memory and the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airstore.core.model.gates import WorkloadGate
from airstore.core.model.release import HelmRelease
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.run.parts import Cluster, HelmReleases
from tests.support.kubernetes.deploy_world import make_target


@dataclass
class Parties:
    """A cluster and a Helm that works on it.

    Attributes:
        keep: makes a chart available to Helm.
    """

    cluster: Cluster
    helm: HelmReleases
    keep: Callable[[ReleaseTarget, bytes], None]
    namespace: str

    def target(self, version: str, *documents: dict[str, Any]) -> ReleaseTarget:
        """A Helm release ``shop`` whose chart renders these documents."""
        made, chart = make_target(
            HelmRelease("shop", self.namespace, "shop", timeout="20s"), version, documents
        )
        self.keep(made, chart)
        return made


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def claim(name: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def workload(kind: str, name: str, replicas: int | None = None) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"containers": [{"name": "a", "image": "registry.example.com/a:1"}]}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def cron(name: str) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "registry.example.com/a:1"}]}
    job = {"spec": {"template": {"spec": pod}}}
    spec = {"schedule": "0 0 * * *", "jobTemplate": job}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def objects_are_applied_and_found(on: Parties) -> None:
    on.cluster.ensure_namespace(on.namespace)
    on.cluster.ensure_namespace(on.namespace)
    assert on.cluster.live(config("a"), on.namespace) is None
    on.cluster.apply(config("a", x="1", y="1"), on.namespace)
    on.cluster.apply(config("b"), on.namespace)
    found = on.cluster.live(config("a"), on.namespace)
    assert found
    assert found["data"] == {"x": "1", "y": "1"}
    unknown = {"apiVersion": "nobody.example.com/v1", "kind": "Nothing", "metadata": {"name": "a"}}
    assert on.cluster.live(unknown, on.namespace) is None


def helm_installs_upgrades_and_uninstalls(on: Parties) -> None:
    on.cluster.ensure_namespace(on.namespace)
    old = on.target("1.0.0", config("a", v="1"), config("gone"), claim("data"))
    new = on.target("1.1.0", config("a", v="2"), claim("data"))
    assert on.helm.status(old) is None
    on.helm.uninstall(old)
    for revision, target in enumerate((old, new, old, old), start=1):
        on.helm.install(target, wait=False)
        status = on.helm.status(target)
        assert status
        assert (status.revision, status.status) == (revision, "deployed")
        assert status.chart == f"shop-{target.version}"
        live = on.cluster.live(config("a"), on.namespace)
        assert live
        assert live["data"]["v"] == ("1" if target is old else "2")
        assert (on.cluster.live(config("gone"), on.namespace) is None) == (target is new)
    on.helm.uninstall(old)
    assert on.helm.status(old) is None
    assert on.cluster.live(config("a"), on.namespace) is None
    assert on.cluster.live(claim("data"), on.namespace) is not None
    on.helm.uninstall(old)
    on.helm.install(new, wait=False)
    assert on.cluster.live(config("a"), on.namespace) is not None


WORKLOADS = (
    workload("Deployment", "api", 3),
    workload("Deployment", "cache"),
    workload("StatefulSet", "db", 2),
    cron("night"),
)


def writers_are_stopped_and_started(on: Parties) -> None:
    on.cluster.ensure_namespace(on.namespace)
    here = [on.namespace]
    shop = on.target("1.0.0", *WORKLOADS)
    on.helm.install(shop, wait=False)
    for _ in range(2):
        on.cluster.stop_writers(on.namespace, "shop", here, keep_stateful=True)
        assert _running(on) == {"api": 0, "cache": 0, "db": 2, "night": True}
    on.cluster.stop_writers(on.namespace, "shop", here)
    assert _running(on) == {"api": 0, "cache": 0, "db": 0, "night": True}
    on.helm.install(shop, wait=False)
    for there_are in (True, False):
        assert on.cluster.start_writers(on.namespace, "shop", here) is there_are
        assert _running(on) == {"api": 3, "cache": 1, "db": 2, "night": False}
    on.cluster.stop_writers(on.namespace, "shop", here)
    on.cluster.start_writers(on.namespace, "shop", here)
    assert _running(on) == {"api": 3, "cache": 1, "db": 2, "night": False}
    on.cluster.stop_writers(on.namespace, "somebody-else", here)
    assert _running(on) == {"api": 3, "cache": 1, "db": 2, "night": False}


def writers_are_found_where_the_manifests_put_them(on: Parties) -> None:
    other = f"{on.namespace}-other"
    for name in (on.namespace, other):
        on.cluster.ensure_namespace(name)
    far = workload("Deployment", "far", 3)
    far["metadata"]["namespace"] = other
    shop = on.target("1.0.0", far)
    assert shop.namespaces == {on.namespace, other}
    on.helm.install(shop, wait=False)
    for places, replicas in (([on.namespace], 3), (shop.namespaces, 0)):
        on.cluster.stop_writers(on.namespace, "shop", places)
        assert _replicas(on, far) == replicas
    on.cluster.stop_writers(other, "shop", shop.namespaces)  # a Helm release of the same name elsewhere
    on.cluster.start_writers(other, "shop", shop.namespaces)
    assert _replicas(on, far) == 0
    on.cluster.start_writers(on.namespace, "shop", shop.namespaces)
    assert _replicas(on, far) == 3
    on.helm.uninstall(shop)


def _replicas(on: Parties, document: dict[str, Any]) -> int:
    live = on.cluster.live(document, on.namespace)
    assert live
    count: int = live["spec"]["replicas"]
    return count


def what_is_not_there_is_not_ready(on: Parties) -> None:
    on.cluster.ensure_namespace(on.namespace)
    assert on.cluster.ready(WorkloadGate("deployment", "nobody"), on.namespace)


def _running(on: Parties) -> dict[str, object]:
    found: dict[str, object] = {}
    for document in WORKLOADS:
        live = on.cluster.live(document, on.namespace)
        assert live
        name = "suspend" if document["kind"] == "CronJob" else "replicas"
        default: object = False if name == "suspend" else 1
        found[document["metadata"]["name"]] = live["spec"].get(name, default)
    return found


ALL = [
    objects_are_applied_and_found,
    helm_installs_upgrades_and_uninstalls,
    writers_are_stopped_and_started,
    writers_are_found_where_the_manifests_put_them,
    what_is_not_there_is_not_ready,
]
