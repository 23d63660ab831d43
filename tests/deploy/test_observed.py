"""What is said at the end is what Helm and the workloads say, and what cannot be asked is not known."""

from __future__ import annotations

import pytest

from airstore.core.errors import TransferError
from airstore.core.model.gates import WorkloadGate
from airstore.core.model.release import HelmRelease
from airstore.deploy.helm.records import HelmStatus
from airstore.deploy.model.target import ReleaseTarget
from airstore.deploy.run.observed import observe
from tests.support.kubernetes.conformance import config, workload
from tests.support.kubernetes.deploy_world import MemoryCluster, MemoryHelm, make_target


def target(version: str, name: str = "web") -> ReleaseTarget:
    helm = HelmRelease(name, "shop", name, timeout="20s", health=(WorkloadGate("deployment", name),))
    return make_target(helm, version, [config(f"{name}-config"), workload("Deployment", name)])[0]


@pytest.fixture
def helm() -> MemoryHelm:
    return MemoryHelm(MemoryCluster())


def test_what_runs_is_named_with_its_chart_and_health(helm: MemoryHelm) -> None:
    old, new = target("1.0.0"), target("1.1.0")
    helm.install(old, wait=True)
    seen = observe(helm, helm.cluster, {"shop/web": old}, {"shop/web": new})["shop/web"]
    assert str(seen) == "web-1.0.0 deployed, healthy"
    assert seen.is_as(old)
    assert not seen.is_as(new)
    assert not seen.is_as(None)


def test_what_was_stopped_is_not_said_to_run(helm: MemoryHelm) -> None:
    old = target("1.0.0")
    helm.install(old, wait=True)
    helm.cluster.stop_writers("shop", "web", ["shop"])
    seen = observe(helm, helm.cluster, {"shop/web": old}, {})["shop/web"]
    assert str(seen) == "web-1.0.0 deployed, not healthy: deployment web: it has no replicas"
    assert not seen.is_as(old)


def test_what_is_gone_is_absent(helm: MemoryHelm) -> None:
    seen = observe(helm, helm.cluster, {}, {"shop/web": target("1.0.0")})["shop/web"]
    assert str(seen) == "absent"
    assert seen.is_as(None)
    assert not seen.is_as(target("1.0.0"))


def test_a_release_that_failed_does_not_run_though_its_pods_do(helm: MemoryHelm) -> None:
    class Failed:
        def status(self, _target: ReleaseTarget) -> HelmStatus:
            return HelmStatus(2, "failed", "web-1.0.0")

    old = target("1.0.0")
    helm.install(old, wait=True)
    seen = observe(Failed(), helm.cluster, {"shop/web": old}, {})["shop/web"]
    assert str(seen) == "web-1.0.0 failed, healthy"
    assert not seen.is_as(old)


def test_what_cannot_be_asked_is_neither_there_nor_absent(helm: MemoryHelm) -> None:
    class Away:
        def status(self, target: ReleaseTarget) -> HelmStatus | None:
            if target.name == "web":
                raise TransferError("the API server does not answer")
            return helm.status(target)

    other = target("1.0.0", "api")
    helm.install(other, wait=True)
    targets = {"shop/web": target("1.0.0"), "shop/api": other}
    seen = observe(Away(), helm.cluster, targets, {})
    assert str(seen["shop/web"]) == "not known: the API server does not answer"
    assert not seen["shop/web"].is_as(targets["shop/web"])
    assert not seen["shop/web"].is_as(None)
    assert seen["shop/api"].is_as(other)
