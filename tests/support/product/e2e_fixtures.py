"""Vendors' registries that tests share, and the command line in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product.e2e_road import Airstore
from tests.support.product.e2e_upstream import Upstream, upstream, write_layout
from tests.support.product.e2e_world import World, make
from tests.support.registry.servers import PASSWORD


@pytest.fixture
def airstore(tmp_path: Path, helm4: Path) -> Iterator[Airstore]:
    """The command line; whatever it says in a test, it never says the password."""
    home = tmp_path / "home"
    home.mkdir()
    command = Airstore(home, helm4)
    yield command
    command.never_said(PASSWORD)


@pytest.fixture(scope="session")
def vendor_layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_layout(tmp_path_factory.mktemp("vendor") / "layout")


@pytest.fixture(scope="session")
def vendor_tls(
    docker_registry: Path, skopeo: Path, vendor_layout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upstream]:
    """Behind a password and a certificate of its own authority; the images are below ``mirror/``."""
    directory = tmp_path_factory.mktemp("vendor-tls")
    with upstream(directory, vendor_layout, "mirror/", htpasswd=True, tls=True) as running:
        yield running


@pytest.fixture(scope="session")
def vendor_tokens(
    docker_registry: Path, skopeo: Path, vendor_layout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upstream]:
    """Behind a token server."""
    with upstream(tmp_path_factory.mktemp("vendor-tokens"), vendor_layout, tokens=True) as running:
        yield running


@pytest.fixture(scope="session")
def vendor_plain(
    docker_registry: Path, skopeo: Path, vendor_layout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upstream]:
    """Open to everyone, without TLS."""
    with upstream(tmp_path_factory.mktemp("vendor-plain"), vendor_layout) as running:
        yield running


@pytest.fixture(scope="session")
def world(
    helm4: Path, umoci: Path, vendor_plain: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """Tests must not change its stores."""
    return make(tmp_path_factory.mktemp("world"), helm4, vendor_plain)
