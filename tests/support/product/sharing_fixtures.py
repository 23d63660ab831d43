"""A tiny store that is shared, once with little and once with much in it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product.road_parts import done
from tests.support.product.sharing import Shared, release, share
from tests.support.product.tiny_product import Tiny
from tests.support.registry.faults import FaultProxy, fault_proxy
from tests.support.registry.servers import RegistryServer


@pytest.fixture
def shared(tiny: Tiny, registry: RegistryServer, prefix: str, tmp_path: Path) -> Shared:
    """A remote that has release 1.0.0."""
    made = share(tiny, tmp_path, registry.host, f"{prefix}/store")
    assert tiny.create().code == 0
    done("-C", tiny.store, "push")
    return made


@pytest.fixture
def large(tiny: Tiny, registry: RegistryServer, prefix: str, tmp_path: Path) -> Shared:
    """A remote whose only pack is too large for a clone to bring it as a whole."""
    made = share(tiny, tmp_path, registry.host, f"{prefix}/store")
    assert release(tiny.store, "1.0.0", noise(1)).code == 0
    done("-C", tiny.store, "push")
    return made


@pytest.fixture
def broken(tiny: Tiny, own_registry: RegistryServer, tmp_path: Path) -> Shared:
    """As ``large``, in a registry whose files the test may remove."""
    made = share(tiny, tmp_path, own_registry.host, "store")
    assert release(tiny.store, "1.0.0", noise(1)).code == 0
    done("-C", tiny.store, "push")
    return made


@pytest.fixture
def before_registry(registry: RegistryServer) -> Iterator[FaultProxy]:
    with fault_proxy(registry.host) as running:
        yield running


def noise(seed: int, size: int = 1 << 20) -> str:
    """Text of so many letters that compresses to three quarters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return "".join(random.Random(seed).choices(letters, k=size))  # noqa: S311 - for a file that never changes
