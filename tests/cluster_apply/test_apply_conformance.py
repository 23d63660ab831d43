"""The real cluster and the real Helm do what the engine relies on; those in memory are held to the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airstore.charts.helm.command import Helm
from airstore.deploy.helm.actions import HelmActions
from airstore.deploy.helm.calls import HelmCalls
from airstore.deploy.model.target import ReleaseTarget
from airstore.ops.apply.session.site_cluster import open_cluster
from tests.support.kubernetes.cluster_server import ApiServer
from tests.support.kubernetes.conformance import ALL, Parties
from tests.support.kubernetes.deploy_world import MemorySupplies

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]


@pytest.mark.bothhelms
@pytest.mark.parametrize("expectation", ALL)
def test_the_real_ones_behave(
    api: ApiServer, tmp_path: Path, helm: Path, namespace: str, expectation: Callable[[Parties], None]
) -> None:
    supplies = MemorySupplies()

    def keep(target: ReleaseTarget, chart: bytes) -> None:
        supplies.charts[target.running.key, target.version] = chart

    with open_cluster(api.kubeconfig) as cluster:
        calls = HelmCalls(Helm(helm), api.kubeconfig, tmp_path / "guard.lock")
        actions = HelmActions(calls, cluster, supplies, supplies)
        expectation(Parties(cluster, actions, keep, namespace))
