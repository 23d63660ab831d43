"""A Kubernetes API that tests share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from cluster_server import ApiServer, api_server, programs

from airstore.cluster.connection import Connection, connect
from airstore.cluster.objects import Objects

_numbers = itertools.count()


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One API server for all tests; each test has a namespace of its own."""
    found = programs()
    if not found:
        pytest.fail("etcd and kube-apiserver are not on PATH: run scripts/cluster", pytrace=False)
    with api_server(tmp_path_factory.mktemp("api"), *found) as server:
        yield server


@pytest.fixture
def connection(api: ApiServer) -> Iterator[Connection]:
    """Of the administrator."""
    with connect(api.kubeconfig, patience=20) as made:
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
