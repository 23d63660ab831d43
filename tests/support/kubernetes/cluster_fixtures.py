"""What tests share: a Kubernetes API alone, and a whole cluster that runs pods."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from airstore.cluster.api.objects import Objects
from airstore.cluster.api.transport.connection import Connection, connect
from tests.support.kubernetes.apply_binder import binder
from tests.support.kubernetes.cluster_server import ApiServer, api_server, programs
from tests.support.kubernetes.cluster_site import RealCluster, find_cluster
from tests.support.product.apply_product import POLICY

_numbers = itertools.count()
_OWN_NAMESPACE = {
    *(f"test_apply_{name}" for name in ("jobs", "shapes", "staying", "unready", "watched")),
    "test_images_compare_pods",
}
CLUSTER = Path(__file__).parents[3] / "scripts" / "cluster"


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks that are asked for
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests on the one real cluster are marked; those that set up its node run one after another.

    The others have a namespace each, and what runs there is from an image that the node has. Whoever asks for
    a Kubernetes needs one: a mark that was forgotten would have it built by the tests that need nothing.
    With ``AIRSTORE_HELMS=turns`` a test that would run with both Helms takes one of them.
    """
    for item in items:
        if any(_is_ours(item, fixture) for fixture in ("cluster", "api")):
            item.add_marker(pytest.mark.cluster)
        shared = "cluster" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("alone")
        if item.get_closest_marker("cluster") and shared:
            item.add_marker(pytest.mark.onecluster)
            own = item.path.stem in _OWN_NAMESPACE
            if not own and not item.get_closest_marker("disrupts"):
                item.add_marker(pytest.mark.node)
    if os.environ.get("AIRSTORE_HELMS") == "turns":
        left = _other_helm([item for item in items if item.get_closest_marker("cluster")])
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def _other_helm(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Of tests that run with both Helms, those whose turn it is not: every second test takes Helm 4."""
    twins: dict[str, dict[str, pytest.Item]] = defaultdict(dict)
    for item in items:
        helm = getattr(getattr(item, "callspec", None), "params", {}).get("helm")
        if helm and not item.get_closest_marker("bothhelms"):
            twins[item.nodeid.replace(helm, "helm")][helm] = item
    pairs = [found for _, found in sorted(twins.items()) if len(found) > 1]
    return [found[("helm4", "helm3")[number % 2]] for number, found in enumerate(pairs)]


def _is_ours(item: pytest.Item, fixture: str) -> bool:
    """Whether a test uses this fixture of ours, and none of that name of its own module."""
    return fixture in getattr(item, "fixturenames", ()) and not hasattr(
        getattr(item, "module", None), fixture
    )


@pytest.fixture(scope="session")
def cluster() -> RealCluster:
    """The cluster of scripts/cluster, brought up where it is not; it stays up for the next session."""
    done = subprocess.run([CLUSTER, "up"], capture_output=True, text=True, check=False)
    found = find_cluster()
    if done.returncode or not found:
        pytest.fail(f"scripts/cluster up\n{done.stdout}{done.stderr}", pytrace=False)
    found.kubectl("apply", "-f", "-", stdin=POLICY)
    return found


@pytest.fixture
def space(cluster: RealCluster) -> Iterator[str]:
    """A namespace of the cluster; it goes away afterwards."""
    name = f"space-{os.getpid()}-{next(_numbers)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One API server for all tests; each test has a namespace of its own."""
    found = programs()
    if not found:
        pytest.fail("etcd and kube-apiserver are not on PATH: run scripts/cluster", pytrace=False)
    with api_server(tmp_path_factory.mktemp("api"), *found) as server:
        server.kubectl("apply", "-f", "-", stdin=POLICY)
        yield server


@pytest.fixture(scope="session")
def controllers(api: ApiServer) -> Iterator[None]:
    """What Helm needs of a cluster's controllers, on the API server that has none."""
    with binder(api):
        yield


@pytest.fixture
def connection(api: ApiServer) -> Iterator[Connection]:
    """Of the administrator."""
    with connect(api.kubeconfig, retry_for=20) as made:
        yield made


@pytest.fixture
def objects(connection: Connection) -> Objects:
    return Objects(connection)


@pytest.fixture
def namespace(api: ApiServer) -> str:
    """A new namespace."""
    name = f"t{next(_numbers)}"
    api.kubectl("create", "namespace", name)
    return name
