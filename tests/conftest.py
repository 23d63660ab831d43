"""The real tools that tests run, and small images to run them on."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from scripts.images import fixture_images

# A shell has its background jobs ignore interrupts, and so would the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "airstore",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],  # it measures the machine
)
settings.load_profile("airstore")

# Real registries and clients for them; a publisher, its media and a site.
pytest_plugins = [
    "tests.support.registry.fixtures",
    "tests.support.product.road_fixtures",
    "tests.support.product.sharing_fixtures",
    "tests.support.kubernetes.cluster_fixtures",
    "tests.support.kubernetes.cluster_world",
]

LayoutFactory = Callable[..., Path]

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
TOOLS = Path(os.environ.get("AIRSTORE_TOOLS") or _CACHE / "airstore" / "tools" / "bin")
os.environ["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"


def _tool(name: str) -> Path:
    found = shutil.which(name)
    if not found:
        pytest.fail(f"{name} is neither in {TOOLS} nor on PATH: run scripts/tools", pytrace=False)
    return Path(found)


@pytest.fixture(scope="session")
def helm3() -> Path:
    return _tool("helm3")


@pytest.fixture(scope="session")
def helm4() -> Path:
    return _tool("helm4")


@pytest.fixture(scope="session", params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> Path:
    """Each test that asks for it runs once with Helm 3 and once with Helm 4."""
    return _tool(request.param)


@pytest.fixture(scope="session")
def kubectl() -> Path:
    return _tool("kubectl")


@pytest.fixture(scope="session")
def skopeo() -> Path:
    return _tool("skopeo")


@pytest.fixture(scope="session")
def docker_registry() -> Path:
    """The program; a test starts and ends its own server."""
    return _tool("docker-registry")


@pytest.fixture(scope="session")
def umoci() -> Path:
    return _tool("umoci")


@pytest.fixture
def busybox_layout(tmp_path: Path) -> LayoutFactory:
    """Make an OCI layout that holds the given references: ``busybox_layout(["shop/api:1.0.0"])``."""

    def make(references: Sequence[str] = ("registry.example.com/shop/api:1.0.0",), size: int = 0) -> Path:
        layout = tmp_path / f"layout-{len(list(tmp_path.glob('layout-*')))}"
        fixture_images.build(layout, references, size=size)
        return layout

    return make
