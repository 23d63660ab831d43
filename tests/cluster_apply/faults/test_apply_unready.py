"""Charts whose pods never get ready: the message says which pod and why, and what ran before runs again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubernetes.apply_jobs import CHARTS, chart, job, job_pods, jobs, pods, rows, running_shop
from tests.support.kubernetes.apply_parts import Landscape
from tests.support.kubernetes.cluster_server import free_ports
from tests.support.kubernetes.cluster_site import RealCluster
from tests.support.product.e2e_world import served

pytestmark = [pytest.mark.cluster, pytest.mark.root]

PROBE = {
    "exec": {"command": ["/bin/busybox", "sh", "-c", "echo the cache is cold; exit 1"]},
    "periodSeconds": 1,
}
WRITES = "while true; do echo rows of nobody > /data/table; /bin/busybox sleep 0.1; done"


@pytest.fixture
def shop(cluster: RealCluster, tmp_path: Path, helm: Path) -> Iterator[Landscape]:
    with running_shop(cluster, tmp_path, helm) as made:
        yield made


def fails(shop: Landscape, web: dict[str, str], *words: str) -> str:
    """What is said of an upgrade whose second release is another one; afterwards the old ones run."""
    charts = {**CHARTS, "web": web}
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), charts, hooks=jobs(), timeout="30s")
    failed = shop.run("apply", *words, code=50).err
    assert "release 1.0.0 runs again" in failed
    assert pods(shop) == dict.fromkeys(CHARTS, ("1.0.0", True))
    assert rows(shop) == "rows of 1.0.0"
    assert shop.helm() == dict.fromkeys(CHARTS, "deployed")
    assert job_pods(shop) == []
    return failed.replace("\n", " ")


def test_an_image_that_the_registry_has_not_got_any_more_is_named(
    shop: Landscape, cluster: RealCluster
) -> None:
    (port,) = free_ports(1)
    host = f"127.0.0.1:{port}"
    (cluster.hosts / host).mkdir(parents=True)
    (cluster.hosts / host / "hosts.toml").write_text(f'server = "http://{host}"\n')
    try:
        with served(shop.site, "--listen", host):
            failed = fails(shop, chart("web", image=f"{host}/shop/gone:1"), "--no-check-images")
    finally:
        cluster.forget(host)
    assert f"Deployment {shop.namespace}/web" in failed
    assert "pod web-" in failed
    assert "ErrImagePull" in failed or "ImagePullBackOff" in failed
    assert f"{host}/shop/gone:1" in failed


def test_a_probe_that_never_succeeds_is_told(shop: Landscape) -> None:
    failed = fails(shop, chart("web", readinessProbe=PROBE))
    assert f"Deployment {shop.namespace}/web" in failed
    assert "pod web-" in failed
    assert "runs and is not ready: Readiness probe failed: the cache is cold" in failed


def test_a_job_of_helm_does_not_write_on_under_the_way_back(shop: Landscape) -> None:
    """Helm waits for its hook until its time is up, and leaves it running."""
    document = json.loads(job("preUpgrade", WRITES))
    document["metadata"] = {"name": "of-helm", "annotations": {"helm.sh/hook": "pre-upgrade"}}
    # With no grace the API server forgets pods while they still write.
    document["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
    failed = fails(shop, {**CHARTS["web"], "templates/job.yaml": json.dumps(document)})
    assert "upgrade" in failed
