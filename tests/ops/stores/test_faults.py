"""Disks that fail, processes that end in the middle: what was there stays, and the next run gets it done."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airstore.charts.helm.command import Helm
from airstore.core.durable import Disk
from airstore.core.errors import StorageError
from airstore.core.progress import QUIET
from airstore.media.reader import Media
from airstore.ops.media.importer import import_media
from airstore.ops.publish.contents import gather
from airstore.ops.publish.create import create_release
from airstore.ops.publish.pending import Signing
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.stores.directory import StoreDirectory, open_directory
from airstore.trust.ssh.keys import PrivateKey
from tests.support.faults.faulty_disk import FaultyDisk, full, interrupt
from tests.support.product.road_parts import (
    Outcome,
    Road,
    airstore,
    done,
    environment,
    leftovers,
    process,
    refused,
    snapshot,
    sound,
    unchanged,
)
from tests.support.product.tiny_product import Tiny, make_tiny
from tests.support.tools.http_server import listening

pytestmark = pytest.mark.slow

_NOTE = 3  # operations that note where main is, once it has moved: write, sync and rename
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def on(store: Path, disk: Disk) -> StoreDirectory:
    opened = open_directory(store)
    return StoreDirectory(opened.path, opened.side, opened.name, opened.product_file, disk)


def take_in(site: Path, media: Path, disk: Disk) -> None:
    import_media(on(site, disk), Media(media), NOW, QUIET)


def operations(run: Callable[[Disk], None]) -> int:
    disk = FaultyDisk(1 << 30)
    run(disk)
    return disk.count


def timeless(files: dict[str, str]) -> dict[str, str]:
    """Without the index, whose rows have an order."""
    return {name: text for name, text in files.items() if name != "index.sqlite"}


@pytest.mark.parametrize(
    ("fail", "error", "stride"), [(full, StorageError, 2), (interrupt, KeyboardInterrupt, 5)]
)
def test_an_import_that_fails_anywhere_leaves_a_sound_store(
    fail: Callable[[], None],
    error: type[BaseException],
    stride: int,
    road: Road,
    site: Path,
    tmp_path: Path,
) -> None:
    """Writes, syncs and renames in turn; then the same command again, on a disk that works."""
    counted = shutil.copytree(site, tmp_path / "counted")
    total = operations(lambda disk: take_in(counted, road.delta, disk))
    assert total > 10
    before = snapshot(site)
    after = snapshot(counted)
    for nth in sorted({*range(1, total, stride), total - 1, total}):
        tried = shutil.copytree(site, tmp_path / f"tried-{nth}")
        with pytest.raises(error):
            take_in(tried, road.delta, FaultyDisk(nth, fail))
        # Something may have become visible already, whole packs and whole commits; nothing is gone.
        assert set(before) <= set(snapshot(tried))
        done("-C", tried, "check")
        assert done("-C", tried, "release", "show", "1.0.0").code == 0
        done("-C", tried, "media", "import", road.delta)
        assert timeless(snapshot(tried)) == timeless(after)
        assert leftovers(tried) == []
        shutil.rmtree(tried)


@pytest.fixture(scope="session")
def tiny_made(helm4: Path, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("tiny") / "tiny")


@pytest.fixture
def tiny(tiny_made: Tiny, tmp_path: Path) -> Tiny:
    return Tiny(shutil.copytree(tiny_made.base, tmp_path / "tiny"))


@pytest.mark.parametrize(("fail", "error"), [(full, StorageError), (interrupt, KeyboardInterrupt)])
def test_a_release_that_fails_anywhere_leaves_a_sound_store(
    fail: Callable[[], None], error: type[BaseException], tiny: Tiny, tmp_path: Path, helm4: Path
) -> None:
    helm = Helm(helm4)
    contents = gather(tiny.product, helm, RegistryOptions())
    signing = Signing(PrivateKey.load(tiny.store / "keys" / "release"), ("A", "a@example.com"), 1)

    def create(store: Path, disk: Disk) -> None:
        create_release(on(store, disk), contents, "1.0.0", RegistryOptions(), signing, QUIET)

    counted = shutil.copytree(tiny.store, tmp_path / "counted")
    total = operations(lambda disk: create(counted, disk))
    assert total > 10
    for nth in [*range(1, total, 7), total - 1, total]:
        tried = shutil.copytree(tiny.store, tmp_path / f"tried-{nth}")
        with pytest.raises(error):
            create(tried, FaultyDisk(nth, fail))
        sound(tried, *(["1.0.0"] if nth > total - _NOTE else []))
        create(tried, FaultyDisk(1 << 30))
        sound(tried, "1.0.0")
        assert leftovers(tried) == []
        shutil.rmtree(tried)


_LIMITED = """\
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv[1:] = sys.argv[2:]
from airstore.cli.main import run
run()
"""


def limited(size: int, *words: str | Path) -> Outcome:
    """Run a command that can make no file larger than ``size`` bytes: a full disk without root."""
    command = [sys.executable, "-c", _LIMITED, str(size), *map(str, words)]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **environment()}
    )
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize("size", [0, 1000, 100_000])
def test_an_import_without_room_fails_and_works_with_room(size: int, road: Road, new_site: Path) -> None:
    with unchanged(new_site, tmp=True):
        outcome = limited(size, "-C", new_site, "media", "import", road.full)
        refused(outcome, 41, str(new_site), "File too large", "hint: ")
    done("-C", new_site, "media", "import", road.full)
    assert leftovers(new_site) == []
    sound(new_site, "1.0.0")


@pytest.mark.parametrize("size", [0, 200, 100_000])
def test_media_without_room_are_not_made(size: int, own_road: Road, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with unchanged(own_road.publisher):
        outcome = limited(size, "-C", own_road.publisher, "media", "create", "--to", "1.0.0", out)
        refused(outcome, 41, "hint: ")
    assert list(tmp_path.iterdir()) == [own_road.base]


def test_a_release_without_room_is_not_made(tiny: Tiny) -> None:
    with unchanged(tiny.store):
        words = ("-C", tiny.store, "release", "create", "--version", "1.0.0")
        outcome = limited(500, *words)
        refused(outcome, 41)
    done(*words)
    sound(tiny.store, "1.0.0")


@dataclass
class Stall:
    """A registry that sends half of every layer and then waits.

    Attributes:
        port: where it listens.
        half: set once half a layer is on its way.
        go: set to let it end.
    """

    port: int = 0
    half: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)


@contextmanager
def stalling(tiny: Tiny) -> Iterator[Stall]:
    stall = Stall()
    blobs = tiny.layout / "blobs" / "sha256"
    manifest = next(path.name for path in blobs.iterdir() if b'"layers"' in path.read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2].removeprefix("sha256:")
            name = manifest if name == "1" else name
            if not (blobs / name).is_file():
                self.send_error(404)
                return
            data = (blobs / name).read_bytes()
            self.send_response(200)
            if name == manifest:
                self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
                self.send_header("Docker-Content-Digest", f"sha256:{name}")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if data.startswith(b"\x1f\x8b"):
                self.wfile.write(data[: len(data) // 2])
                self.wfile.flush()
                stall.half.set()
                stall.go.wait(60)
            with suppress(OSError):
                self.wfile.write(data)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stall.port = server.server_address[1]
    with listening(server):
        try:
            yield stall
        finally:
            stall.go.set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_release_that_is_stopped_in_the_middle_of_a_layer_is_not_there(
    number: signal.Signals, tiny: Tiny
) -> None:
    with stalling(tiny) as stall:
        host = f"127.0.0.1:{stall.port}"
        source = ("--plain-http", host, "--image-source", f"*=docker://{host}")
        words = ("-C", tiny.store, "release", "create", "--version", "1.0.0")
        with unchanged(tiny.store, tmp=number == signal.SIGKILL):
            with process(*words, *source) as running:
                assert stall.half.wait(60), running.communicate(timeout=10)
                running.send_signal(number)
                out, err = running.communicate(timeout=30)
            if number == signal.SIGINT:
                refused(Outcome(running.returncode, out, err.lstrip("\n")), 130, "interrupted")
            else:  # asked to end it ends in order, as a shell says it
                assert running.returncode == (-number if number == signal.SIGKILL else 128 + number)
        assert airstore(*words).code == 0
    assert leftovers(tiny.store) == []
    sound(tiny.store, "1.0.0")
