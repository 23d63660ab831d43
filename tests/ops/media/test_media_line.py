"""Media over a line: from a registry and from a web server, verified as from a carrier, resumed, refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airstore.core.poll import poll
from airstore.registry.client.retry import Retry
from tests.support.product.road_fixtures import Copy
from tests.support.product.road_parts import (
    Road,
    airstore,
    delta_of,
    done,
    environment,
    flipped,
    leftovers,
    pack_of,
    process,
    refused,
    rewrite,
    sound,
    unchanged,
)
from tests.support.product.tiny_product import make_tiny
from tests.support.registry.faults import Fault, FaultProxy
from tests.support.registry.servers import RegistryServer
from tests.support.tools.http_server import listening

pytestmark = pytest.mark.slow

SECRET = "sesame"


@pytest.fixture
def plain(registry: RegistryServer, before_registry: FaultProxy) -> tuple[str, ...]:
    """Both are spoken to without TLS."""
    return ("--plain-http", registry.host, "--plain-http", before_registry.host)


@pytest.fixture
def pushed(road: Road, registry: RegistryServer, prefix: str, plain: tuple[str, ...]) -> str:
    """The repository of full media for 1.0.0."""
    done("media", "push", road.full, f"oci://{registry.host}/{prefix}/media:1.0.0", *plain)
    return f"{prefix}/media:1.0.0"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def web(road: Road) -> Iterator[str]:
    """All media of the road on a web server that knows no ranges."""
    handler = partial(_Quiet, directory=str(road.base))
    with listening(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as host:
        yield f"http://{host}"


def test_a_registry_brings_what_a_carrier_brings_and_is_not_asked_twice(
    road: Road, new_site: Path, pushed: str, before_registry: FaultProxy, plain: tuple[str, ...]
) -> None:
    address = f"oci://{before_registry.host}/{pushed}"
    (row,) = done("-C", new_site, "media", "import", address, *plain, "-o", "json").json()
    assert (row["state"], row["media"]) == ("imported", address)
    sound(new_site, "1.0.0")
    assert leftovers(new_site) == []
    before_registry.requests.clear()
    (row,) = done("-C", new_site, "media", "import", address, *plain, "-o", "json").json()
    assert row["state"] == "held already"
    assert before_registry.count("GET .*blobs/") == 1  # the index
    again = done("media", "push", road.full, address, *plain, "-o", "json").json()
    assert (again["files"], again["bytes"]) == (0, 0)


def test_a_web_server_brings_full_media_and_a_delta(road: Road, new_site: Path, web: str) -> None:
    full, delta = f"{web}/{road.full.name}", f"{web}/{road.delta.name}/"
    with unchanged(new_site):
        refused(airstore("-C", new_site, "media", "import", delta), 21, "a delta from release 1.0.0")
    done("-C", new_site, "media", "import", full)
    done("-C", new_site, "media", "import", delta)
    sound(new_site, "1.0.0", "1.1.0")
    with unchanged(new_site):
        refused(airstore("-C", new_site, "media", "import", full), 31, "stale")
    missing = f"{web}/nothing"
    refused(airstore("-C", new_site, "media", "import", missing), 10, "holds no airstore media")


def test_a_dry_run_verifies_and_changes_nothing(
    new_site: Path, pushed: str, registry: RegistryServer, plain: tuple[str, ...]
) -> None:
    with unchanged(new_site, tmp=True):
        done("-C", new_site, "media", "import", "--dry-run", f"oci://{registry.host}/{pushed}", *plain)


def test_a_line_that_breaks_is_taken_up_where_it_broke(
    new_site: Path,
    pushed: str,
    before_registry: FaultProxy,
    plain: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Retry, "wait", lambda *_: 0.01)
    before_registry.faults += [Fault("GET", "blobs/", times=4, reset_received=1000)]
    done("-C", new_site, "media", "import", f"oci://{before_registry.host}/{pushed}", *plain)
    sound(new_site, "1.0.0")


def test_a_fetch_that_was_killed_goes_on_with_what_arrived(
    road: Road, new_site: Path, pushed: str, before_registry: FaultProxy, plain: tuple[str, ...]
) -> None:
    pack = pack_of(road.full).stem
    before_registry.faults += [Fault("GET", f"blobs/sha256:{pack}", stall=20)]
    words = ("-C", str(new_site), "media", "import", f"oci://{before_registry.host}/{pushed}", *plain)
    with unchanged(new_site, tmp=True), process(*words) as running:
        for _ in poll(60, 0.05):
            if before_registry.count(pack):
                break
        running.send_signal(signal.SIGKILL)
    (kept,) = (path for path in (new_site / "tmp").glob("fetched-*") if path.is_dir())
    # As far as the line got: half of the pack, and the last of it is not what the publisher has.
    data = pack_of(road.full).read_bytes()
    (kept / "packs").mkdir(exist_ok=True)
    (kept / "packs" / f"{pack}.pack").write_bytes(data[: len(data) // 2])
    arrived = {path.name for path in kept.rglob("*") if path.is_file()} - {f"{pack}.pack"}
    before_registry.requests.clear()
    done(*words)
    sound(new_site, "1.0.0")
    assert leftovers(new_site) == []
    assert {"index.json", "history.bundle"} <= arrived
    assert before_registry.count("GET .*blobs/") == 2  # the index, and the rest of the pack


def test_what_arrived_wrong_before_is_fetched_anew(
    road: Road, new_site: Path, pushed: str, before_registry: FaultProxy, plain: tuple[str, ...]
) -> None:
    words = ("-C", str(new_site), "media", "import", f"oci://{before_registry.host}/{pushed}", *plain)
    before_registry.faults += [Fault("GET", f"blobs/sha256:{pack_of(road.full).stem}", status=418)]
    refused(airstore(*words), 40, "418")
    (kept,) = (path for path in (new_site / "tmp").glob("fetched-*") if path.is_dir())
    (kept / "packs").mkdir(exist_ok=True)
    (kept / "packs" / pack_of(road.full).name).write_bytes(b"x" * 1000)
    done(*words)
    sound(new_site, "1.0.0")


def test_what_the_registry_changed_or_lost_is_refused_and_nothing_stays(
    road: Road, new_site: Path, own_registry: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retry, "wait", lambda *_: 0.01)
    place, plain = f"oci://{own_registry.host}/media", ("--plain-http", own_registry.host)
    done("media", "push", road.full, place, *plain)
    name = pack_of(road.full).stem
    blob = own_registry.root / f"docker/registry/v2/blobs/sha256/{name[:2]}/{name}/data"
    rewrite(blob, lambda old: flipped(old, len(old) // 2))
    with unchanged(new_site):
        refused(airstore("-C", new_site, "media", "import", place, *plain), 20, name, "signed index")
    done("media", "push", road.delta, place + ":other", *plain)
    refused(airstore("-C", new_site, "media", "import", place + ":none", *plain), 10, "no media at")


def test_who_must_not_is_refused_before_anything_large_is_fetched(
    road: Road,
    site: Path,
    new_site: Path,
    tmp_path: Path,
    before_registry: FaultProxy,
    prefix: str,
    plain: tuple[str, ...],
) -> None:
    stranger = make_tiny(tmp_path / "stranger")
    assert stranger.create().code == 0
    done("-C", stranger.store, "media", "create", "--to", "1.0.0", tmp_path / "theirs")
    address = f"oci://{before_registry.host}/{prefix}/theirs"
    done("media", "push", tmp_path / "theirs", address, *plain)
    before_registry.requests.clear()
    with unchanged(new_site):
        refused(airstore("-C", new_site, "media", "import", address, *plain), 30, "media index")
    assert before_registry.count("GET .*blobs/") == 1
    done("-C", site, "media", "import", road.delta)
    done("media", "push", road.full, f"{address}:old", *plain)
    before_registry.requests.clear()
    refused(airstore("-C", site, "media", "import", f"{address}:old", *plain), 31, "stale")
    assert before_registry.count("GET .*blobs/") == 1


def test_media_that_are_damaged_are_not_pushed(
    road: Road, copy: Copy, registry: RegistryServer, prefix: str, plain: tuple[str, ...]
) -> None:
    place = f"oci://{registry.host}/{prefix}/media"
    media = copy(road.delta)
    rewrite(delta_of(media), lambda old: flipped(old, 100))
    refused(airstore("media", "push", media, place, *plain), 20, delta_of(media).name)
    delta_of(media).unlink()
    refused(airstore("media", "push", media, place, *plain), 21, "missing")
    done("media", "push", road.full, place, *plain)  # the name was free


@pytest.mark.parametrize(
    "address",
    [f"https://bob:{SECRET}@media.example/m", "https://", "oci://", f"oci://u:{SECRET}@r.example/m", "http://h/m?x=y",
     "oci:r.example/m"],
)  # fmt: skip
def test_addresses_that_are_none(address: str, new_site: Path) -> None:
    with unchanged(new_site):
        outcome = airstore("-C", new_site, "media", "import", address)
    refused(outcome, 2, "not ")
    assert SECRET not in outcome.err


def test_a_full_disk_keeps_what_arrived_out(
    road: Road, new_site: Path, pushed: str, registry: RegistryServer
) -> None:
    plain = f"--plain-http {registry.host}"
    command = (
        f"{sys.executable} -m airstore -C {new_site} media import oci://{registry.host}/{pushed} {plain}"
    )
    size = pack_of(road.full).stat().st_size // 1024
    ended = subprocess.run(
        ["bash", "-c", f"ulimit -f {size // 2}; exec {command}"],
        check=False, capture_output=True, text=True, env={**os.environ, **environment()},
    )  # fmt: skip
    assert ended.returncode == 41, ended
    done("-C", new_site, "media", "import", f"oci://{registry.host}/{pushed}", "--plain-http", registry.host)
    sound(new_site, "1.0.0")
