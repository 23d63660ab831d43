"""Registries that tests share, clients for them, and artifacts to push."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from airstore.registry.client.endpoint import Endpoint
from airstore.registry.client.login.credentials import CredentialSource
from airstore.registry.client.registry import RegistryClient
from airstore.registry.client.retry import Retry
from tests.support.registry.faults import FaultProxy, fault_proxy
from tests.support.registry.parts import Connect, Shipment, ship
from tests.support.registry.servers import RegistryServer, registry_server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def registry(docker_registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """One registry for all tests; each test has its own path prefix in it."""
    with registry_server(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other at once, for tests that are about what comes after the last of them."""
    monkeypatch.setattr(Retry, "wait", lambda *_: 0.0)


@pytest.fixture
def own_registry(docker_registry: Path, tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry that the test may break."""
    with registry_server(tmp_path / "registry") as server:
        yield server


@pytest.fixture
def proxy(registry: RegistryServer) -> Iterator[FaultProxy]:
    with fault_proxy(registry.host) as running:
        yield running


@pytest.fixture
def prefix() -> str:
    return f"t{next(_numbers)}"


@pytest.fixture
def connect(prefix: str) -> Iterator[Connect]:
    """Make a client with short waits; it is closed after the test."""
    clients: list[RegistryClient] = []

    def make(
        host: str,
        credentials: CredentialSource | None = None,
        *,
        stall: float = 10.0,
        retries: int = 3,
        **more: object,
    ) -> RegistryClient:
        options: dict[str, object] = {"plain_http": True, **more}
        endpoint = Endpoint(host, stall=stall, retry=Retry(retries, pause=0.01), **options)  # type: ignore[arg-type]
        clients.append(RegistryClient(endpoint, credentials, prefix))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def shipment(tmp_path_factory: pytest.TempPathFactory) -> Shipment:
    """Three images: one with a signature, one for two platforms, and one that shares layers with both."""
    return ship(tmp_path_factory.mktemp("images"), ["shop/api:1.0.0", "shop/cache:7.2.0", "shop/db:15.2.0"])
