"""A product whose parts come from everywhere, and a site that holds its first release."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.support.product.e2e_charts import package, write_chart
from tests.support.product.e2e_road import Airstore, Store, publisher, run, site
from tests.support.product.e2e_upstream import HOST, Upstream

_LICENSES = Path("/usr/share/common-licenses")
DEBIAN, OLD = f"{HOST}/base/debian:12", f"{HOST}/old/tools:3"
DOCKER, ZSTD = f"{HOST}/shop/docker:1", f"{HOST}/shop/zstd:1"  # Docker's media types; zstd layers
IMAGES = 7  # of each release


@dataclass(frozen=True)
class World:
    """Both stores, and where they are.

    Attributes:
        site: holds release 1.0.0 of two that the publisher made.
    """

    directory: Path
    publisher: Store
    site: Store

    def copy_of_site(self, directory: Path) -> Store:
        """A site of its own for a test that changes it."""
        shutil.copytree(self.site.path, directory / "site")
        return Store(self.site.airstore, directory / "site")


def make(directory: Path, helm: Path, vendor: Upstream) -> World:
    """Make releases 1.0.0 and 1.1.0, which has another API, and a site that took in the first."""
    (directory / "home").mkdir()
    airstore = Airstore(directory / "home", helm)
    product = directory / "product"
    write_chart(product / "app", "app", f"{HOST}/shop/api:1.0.0")
    package(helm, write_chart(directory / "db", "db", f"{HOST}/shop/db:15.2.0"), product, provenance=True)
    debian = debian_layout(product / "debian")
    copy = ("skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{debian}:12")
    run(*copy, f"docker-archive:{product / 'old.tar'}:{OLD}")
    run(*copy, "--format=v2s2", f"docker://{vendor.host}/shop/docker:1")
    plain = ("skopeo", "copy", "-q", f"docker-archive:{product / 'old.tar'}")
    run(*plain, "--format=oci", "--dest-compress-format=zstd", f"oci:{product / 'zstd'}:1")
    store = publisher(
        airstore,
        directory,
        {
            "charts": [{"name": "app", "source": "./app"}, {"name": "db", "source": "./db-1.0.0.tgz"}],
            "releases": [
                {"name": "db", "namespace": "shop", "chart": "db"},
                {"name": "app", "namespace": "shop", "chart": "app", "needs": ["db"]},
            ],
            "images": {
                "include": [f"{HOST}/shop/cache:7.2.0", DEBIAN, OLD, DOCKER, ZSTD],
                "sources": {
                    f"{HOST}/*": f"docker://{vendor.host}",
                    f"{HOST}/base/*": "oci:debian",
                    f"{HOST}/old/*": "docker-archive:old.tar",
                    ZSTD: "oci:zstd",
                },
            },
        },
    )
    store("release", "create", "--version", "1.0.0", *vendor.options)
    acme = site(store, directory, "1.0.0")
    values = product / "app" / "values.yaml"
    values.write_text(values.read_text().replace("1.0.0", "1.1.0"))
    store("release", "create", "--version", "1.1.0", *vendor.options)
    return World(directory, store, acme)


def debian_layout(directory: Path, tag: str = "12") -> Path:
    """An image that umoci makes from files of this Debian system, with links among them."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    image = f"{directory}:{tag}"
    run("umoci", "init", "--layout", directory)
    run("umoci", "new", "--image", image)
    for source in (_LICENSES, Path("/etc/debian_version"), Path(shutil.which("busybox") or "").resolve()):
        run("umoci", "insert", "--rootless", "--image", image, _owned(source, directory.parent), source)
    run(
        "umoci", "config", "--image", image, "--config.cmd", "/bin/busybox", "--config.label", "made=by umoci"
    )
    return directory


def _owned(source: Path, beside: Path) -> Path:
    """A copy of a system's file or directory: umoci makes what it reads readable, and what that is in."""
    copy = beside / "sources" / source.relative_to("/")
    copy.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        return shutil.copytree(source, copy, symlinks=True, dirs_exist_ok=True)
    return Path(shutil.copy(source, copy))


@dataclass(frozen=True)
class Served:
    """A running ``airstore registry serve``."""

    url: str
    process: subprocess.Popen[str]

    @property
    def host(self) -> str:
        return self.url.partition("://")[2]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Tell it to end; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


def command(store: Store, *words: str | Path) -> list[str]:
    """The command line that runs airstore in a process of its own."""
    return [sys.executable, "-m", "airstore", "-C", str(store.path), *store.style, *map(str, words)]


@contextmanager
def started(
    store: Store, *words: str | Path, variables: Mapping[str, str] = MappingProxyType({})
) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, which ends with the block; everything it says goes to one pipe."""
    process = subprocess.Popen(
        command(store, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **store.airstore.environment, **variables},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


@contextmanager
def served(store: Store, *options: str | Path) -> Iterator[Served]:
    """Serve a store on a free port in a process of its own."""
    words = command(store, "registry", "serve", "--listen", "127.0.0.1:0", *options)
    environment = os.environ | store.airstore.environment
    with (store.path.parent / "serve.log").open("w") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    with process:
        assert process.stdout
        try:
            yield Served(process.stdout.readline().strip(), process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=60)
