"""Two runners and a site share one git server and one registry through many releases; every byte is counted.

Each release changes one small file of an application layer. Now and then a push is killed, a runner is a
fresh clone, two release at once, and the site imports what is new. With --namespaces every machine has a
network namespace that reaches the two servers and nothing else. Figures are in docs/shared-store.md.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import shutil
import signal
import socket
import sys
import tarfile
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from airstore.core.image.oci import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from scripts.benchmarks.product import find_helm
from scripts.growing.machines import Machine, Network, network
from scripts.images.fixture_images import LayoutWriter
from tests.support.product.road_parts import done
from tests.support.product.sharing import Shared, git
from tests.support.product.tiny_product import IMAGE, make_tiny
from tests.support.registry.servers import registry_server
from tests.support.tools.git_http import git_http

_CHUNK = 64 << 10
_EVERY_KILL, _EVERY_FRESH, _EVERY_RACE, _EVERY_SITE = 7, 10, 9, 10
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@dataclass
class Relay:
    """A listener that passes bytes on to a server, and counts them.

    Attributes:
        moved: bytes in both directions so far.
    """

    upstream: tuple[str, int]
    moved: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return  # closed: the end
            far = socket.create_connection(self.upstream)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                with self.lock:
                    self.moved += len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # a killed client goes away in the middle


@contextmanager
def relayed(host: str, address: str) -> Iterator[tuple[str, Relay]]:
    """A relay before a server, at an address; its own host and port, and the counter."""
    name, _, port = host.rpartition(":")
    relay = Relay((name, int(port)))
    with socket.create_server((address, 0)) as listener:
        threading.Thread(target=relay.serve, args=(listener,), daemon=True).start()
        yield f"{address}:{listener.getsockname()[1]}", relay


@dataclass
class Ledger:
    """Bytes by what was done, each time one number."""

    relays: tuple[Relay, ...]
    found: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def counting(self, what: str) -> Iterator[None]:
        before = self._total()
        yield
        self.found[what].append(self._total() - before)

    def _total(self) -> int:
        return sum(relay.moved for relay in self.relays)


def noise(seed: str, size: int) -> bytes:
    return "".join(random.Random(seed).choices(_LETTERS, k=size)).encode()  # noqa: S311 - the same each time


def layer(name: str, files: int, size: int, changed: dict[int, int]) -> bytes:
    """A gzip layer of files with noise; ``changed`` says which of them are of which later release."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(files):
            data = noise(f"{name} {number} {changed.get(number, 0)}", size)
            info = tarfile.TarInfo(f"{name}/{number}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def write_images(directory: Path, release: int, files: int) -> None:
    """The image as it is in a release: a base that never changes, and a file a release that does."""
    shutil.rmtree(directory, ignore_errors=True)
    writer = LayoutWriter(directory)
    changed = {number % files: number for number in range(1, release + 1)}
    layers = [layer("base", 4 * files, 10_000, {}), layer("app", files, 10_000, changed)]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": writer.blob(b'{"architecture":"amd64","os":"linux"}', OCI_CONFIG),
        "layers": [writer.blob(data, OCI_LAYER) for data in layers],
    }
    writer.name(writer.document(manifest), IMAGE)
    writer.finish()


@dataclass(frozen=True)
class Runner:
    """A machine that releases, and its store."""

    machine: Machine
    store: Path

    def done(self, *words: str | Path, code: int = 0) -> None:
        self.machine.run("-C", self.store, *words, code=code)

    def build(self, release: int, files: int) -> None:
        """Make the images that its product file names."""
        write_images(self.store.parent / "images", release, files)


class Scenario:
    """The machines, and what they do release by release."""

    def __init__(self, shared: Shared, ledger: Ledger, media: str, files: int, network: Network) -> None:
        self.shared, self.ledger, self._files, self._network = shared, ledger, files, network
        self._first, self._plant = Runner(network.machine("first"), shared.store), network.machine("plant")
        self._media, self._plain = media, ("--plain-http", media.split("/")[2])
        self._held = ""
        self.killed = self.raced = 0
        self.site = shared.base / "site"
        done("init", self.site, "--site", "plant", "--trust", shared.root)

    def run(self, count: int) -> None:
        self._first.done("remote", "add", "origin", *self.shared.places)
        self._first.build(0, self._files)
        self._first.done("release", "create", "--version", "1.0.0")
        with self.ledger.counting("first push"):
            self._first.done("push")
        runners = [self._clone("one"), self._clone("two")]
        for number in range(1, count + 1):
            runner, other = runners[number % 2], runners[(number + 1) % 2]
            if number % _EVERY_FRESH == 0:
                runners[number % 2] = runner = self._clone(f"fresh-{number}")
            self._release(number, runner, other)
            if number % _EVERY_SITE == 0 or number == count:
                self._bring(runner, f"1.{number}.0")
            print(f"{number}\r", end="", file=sys.stderr)
        with self.ledger.counting("last pull of the first machine"):
            self._first.done("pull")

    def _clone(self, name: str) -> Runner:
        """A machine with the product file and the release key, and a clone that it makes itself."""
        machine, directory, tiny = self._network.machine(name), self.shared.base / name, self.shared.tiny
        shutil.copytree(tiny.base, directory, ignore=shutil.ignore_patterns("store"))
        with self.ledger.counting("clone"):
            machine.run(*self.shared.cloning(directory / "store"))
        for file in ("release", "release.pub"):
            shutil.copy2(tiny.store / "keys" / file, directory / "store" / "keys" / file)
        return Runner(machine, directory / "store")

    def _release(self, number: int, runner: Runner, other: Runner) -> None:
        with self.ledger.counting("pull"):
            runner.done("pull")
        runner.build(number, self._files)
        with self.ledger.counting("release create"):
            runner.done("release", "create", "--version", f"1.{number}.0")
        if number % _EVERY_RACE == 0:
            self._race(number, runner, other)
        if number % _EVERY_KILL == 0:
            self._kill(runner)
        with self.ledger.counting("push"):
            runner.done("push")

    def _race(self, number: int, runner: Runner, other: Runner) -> None:
        """The other one releases, too, and is faster; what was made here is made again after it."""
        other.done("pull")
        other.build(number - 1, self._files)
        other.done("release", "create", "--version", f"1.{number}.0-other")
        other.done("push")
        runner.done("push", code=31)
        runner.done("pull", "--set-aside")
        runner.done("release", "create", "--version", f"1.{number}.0")
        self.raced += 1

    def _kill(self, runner: Runner) -> None:
        with runner.machine.begin("-C", runner.store, "push") as running:
            time.sleep(random.Random(self.killed).uniform(0.5, 2.0))  # noqa: S311 - any moment will do
            running.send_signal(signal.SIGKILL)
        self.killed += 1

    def _bring(self, runner: Runner, version: str) -> None:
        out = self.shared.base / "media"
        base = ("--from", self._held) if self._held else ()
        with self.ledger.counting("media create" if base else "first media create"):
            runner.done("media", "create", "--to", version, *base, out)
        with self.ledger.counting("media push" if base else "first media push"):
            runner.machine.run("media", "push", out, f"{self._media}:{version}", *self._plain)
        with self.ledger.counting("media import" if base else "first media import"):
            place = f"{self._media}:{version}"
            self._plant.run("-C", self.site, "media", "import", place, *self._plain)
        shutil.rmtree(out)
        self._held = version


def play(base: Path, count: int, files: int, *, namespaces: bool) -> dict[str, object]:
    """All of it; bytes by what was done."""
    tiny = make_tiny(base / "first")
    bare = base / "history.git"
    git("init", "-q", "--bare", "-b", "main", bare)
    git("-C", bare, "config", "http.receivepack", "true")
    with (
        network(namespaces=namespaces) as net,
        registry_server(base / "registry") as registry,
        git_http(base) as url,
        relayed(registry.host, net.address) as (registry_host, one),
        relayed(url.partition("://")[2], net.address) as (git_host, two),
    ):
        shared = Shared(base, tiny, f"http://{git_host}/history.git", f"oci://{registry_host}/store")
        ledger = Ledger((one, two))
        scenario = Scenario(shared, ledger, f"oci://{registry_host}/media", files, net)
        scenario.run(count)
        done("-C", tiny.store, "check")
        done("-C", scenario.site, "check")
        releases = int(git("-C", bare, "rev-list", "--count", "main"))
    figures = {what: {"times": len(each), "mean": sum(each) // len(each), "largest": max(each)}
               for what, each in ledger.found.items()}  # fmt: skip
    size = sum(path.stat().st_size for path in (tiny.store / "packs").iterdir())
    done_ = {"releases": releases, "killed": scenario.killed, "raced": scenario.raced}
    return {**done_, "packs_bytes": size, "bytes": figures}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--releases", type=int, default=100)
    options.add_argument(
        "--files", type=int, default=60, help="of the application layer; the base has four times"
    )
    options.add_argument("--namespaces", action="store_true", help="each machine in one of the network; root")
    chosen = options.parse_args()
    find_helm()
    with tempfile.TemporaryDirectory(prefix="airstore-sharing-") as base:
        found = play(Path(base), chosen.releases, chosen.files, namespaces=chosen.namespaces)
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
