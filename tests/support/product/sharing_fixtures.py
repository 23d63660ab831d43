"""A tiny store that is shared, once with little and once with much in it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product.road_parts import done
from tests.support.product.sharing import Shared, release, share
from tests.support.product.tiny_product import Tiny
from tests.support.registry.faults import FaultProxy, fault_proxy
from tests.support.registry.servers import RegistryServer


@pytest.fixture(scope="session")
def released(tiny_made: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The tiny product with release 1.0.0."""
    made = Tiny(shutil.copytree(tiny_made.base, tmp_path_factory.mktemp("released") / "tiny"))
    assert made.create().code == 0
    return made


@pytest.fixture(scope="session")
def released_large(tiny_made: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The same with an image that makes its only pack too large for a clone to bring it as a whole."""
    made = Tiny(shutil.copytree(tiny_made.base, tmp_path_factory.mktemp("large") / "tiny"))
    assert release(made.store, "1.0.0", noise(1)).code == 0
    return made


@pytest.fixture
def shared(released: Tiny, registry: RegistryServer, prefix: str, tmp_path: Path) -> Shared:
    """A remote that has release 1.0.0."""
    return pushed(released, tmp_path, registry.host, f"{prefix}/store")


@pytest.fixture
def large(released_large: Tiny, registry: RegistryServer, prefix: str, tmp_path: Path) -> Shared:
    """A remote whose only pack is too large for a clone to bring it as a whole."""
    return pushed(released_large, tmp_path, registry.host, f"{prefix}/store")


@pytest.fixture
def broken(released_large: Tiny, own_registry: RegistryServer, tmp_path: Path) -> Shared:
    """As ``large``, in a registry whose files the test may remove."""
    return pushed(released_large, tmp_path, own_registry.host, "store")


def pushed(made: Tiny, base: Path, host: str, repository: str) -> Shared:
    """A copy of a store, to spoil, and a remote that has what it has."""
    tiny = Tiny(shutil.copytree(made.base, base / "tiny"))
    shared = share(tiny, base, host, repository)
    done("-C", tiny.store, "push")
    return shared


@pytest.fixture
def before_registry(registry: RegistryServer) -> Iterator[FaultProxy]:
    with fault_proxy(registry.host) as running:
        yield running


def noise(seed: int, size: int = 1 << 20) -> str:
    """Text of so many letters that compresses to three quarters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return "".join(random.Random(seed).choices(letters, k=size))  # noqa: S311 - for a file that never changes
