"""A container runtime pulls the release from the site's registry: by the site's name, and as a mirror."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.product.e2e_road import Airstore, publisher, run
from tests.support.product.e2e_upstream import Upstream
from tests.support.product.e2e_world import World, served

pytest_plugins = ["tests.support.product.e2e_fixtures"]
pytestmark = pytest.mark.root


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed: .ci/run installs it where it runs as root"
    return found


@dataclass(frozen=True)
class Containerd:
    """A running containerd of our own."""

    socket: Path

    def ctr(self, *words: str | Path) -> str:
        return run(_program("ctr"), "--address", self.socket, *words)

    def pull(self, name: str, *options: str | Path) -> None:
        """Fetch and unpack for this machine's platform; every digest is checked by containerd."""
        self.ctr("images", "pull", "--snapshotter", "native", *options, name)

    def images(self) -> dict[str, str]:
        """Name to digest."""
        lines = self.ctr("images", "ls").splitlines()[1:]
        return {words[0]: words[2] for words in map(str.split, lines)}


@contextmanager
def _containerd(directory: Path) -> Iterator[Containerd]:
    socket = directory / "containerd.sock"
    config = directory / "config.toml"
    config.write_text(
        f'version = 2\nroot = "{directory}/root"\nstate = "{directory}/state"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{socket}"\n[ttrpc]\naddress = "{socket}.ttrpc"\n'
    )
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [_program("containerd"), "--config", str(config)], stdout=output, stderr=output
        )
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            if "containerd successfully booted" in log.read_text():
                break
            time.sleep(0.1)
        yield Containerd(socket)
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    """It holds nothing yet; the name of its socket must be short."""
    with _containerd(tmp_path_factory.mktemp("c")) as running:
        yield running


def _hosts(directory: Path, upstream: str, url: str) -> Path:
    """containerd's configuration of a mirror (its docs/hosts.md)."""
    (directory / upstream).mkdir(parents=True)
    (directory / upstream / "hosts.toml").write_text(
        f'server = "https://{upstream}"\n[host."{url}"]\ncapabilities = ["pull", "resolve"]\n'
    )
    return directory


def test_it_pulls_every_image_by_tag(containerd: Containerd, world: World) -> None:
    expected = world.publisher.images("1.0.0")
    with served(world.site) as running:
        names = {reference: f"{running.host}/{reference.partition('/')[2]}" for reference in expected}
        for name in names.values():
            containerd.pull(name, "--plain-http")
    found = containerd.images()
    assert {reference: found[name] for reference, name in names.items()} == expected


def test_it_pulls_every_image_under_its_own_name_from_a_mirror(
    containerd: Containerd, world: World, tmp_path: Path
) -> None:
    """So that no Pod needs to be changed: containerd adds ``?ns=`` to what it asks the mirror."""
    expected = world.publisher.images("1.0.0")
    with served(world.site) as running:
        hosts = _hosts(tmp_path / "hosts", "registry.example.com", running.url)
        for reference in expected:
            containerd.pull(reference, "--hosts-dir", hosts)
    found = containerd.images()
    assert {reference: found[reference] for reference in expected} == expected


def test_an_image_that_buildah_made_keeps_its_digest(
    airstore: Airstore, containerd: Containerd, vendor_plain: Upstream, tmp_path: Path
) -> None:
    buildah = (
        _program("buildah"), "--storage-driver", "vfs", "--root", tmp_path / "storage",
        "--runroot", tmp_path / "run",
    )  # fmt: skip
    container = run(*buildah, "from", "scratch").strip()
    run(*buildah, "copy", container, _program("busybox"), "/bin/busybox")
    run(*buildah, "config", "--cmd", "/bin/busybox", container)
    run(*buildah, "commit", "-q", container, "made")
    place = f"{vendor_plain.host}/shop/made:1"
    run(*buildah, "push", "-q", "--tls-verify=false", "made", f"docker://{place}")

    store = publisher(airstore, tmp_path, {"images": {"include": [place]}})
    store("release", "create", "--version", "1.0.0", *vendor_plain.options)
    assert store.images("1.0.0") == {place: vendor_plain.digest("shop/made:1")}
    with served(store) as running:
        name = f"{running.host}/shop/made:1"
        containerd.pull(name, "--plain-http")
    assert containerd.images()[name] == vendor_plain.digest("shop/made:1")
