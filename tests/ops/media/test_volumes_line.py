"""Media in volumes over a line: every slice is a file of its own, fetched, resumed and verified as such."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from airstore.core.poll import poll
from airstore.media.found import find_one
from tests.ops.media.test_media_line import _Quiet
from tests.support.product.road_parts import (
    Road,
    airstore,
    done,
    flipped,
    leftovers,
    process,
    refused,
    rewrite,
    sound,
    unchanged,
)
from tests.support.registry.faults import Fault, FaultProxy
from tests.support.registry.servers import RegistryServer
from tests.support.tools.http_server import listening

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["plain", "parity"])
def volumes(request: pytest.FixtureRequest, road: Road, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Full media for 1.0.0 in several volumes, with and without parity."""
    out: Path = tmp_path_factory.mktemp("volumes") / "out"
    parity = ("--parity", "10%") if request.param == "parity" else ()
    words = ("media", "create", "--to", "1.0.0", "--effort", "none", "--volume-size", "300K", *parity, out)
    done("-C", road.publisher, *words)
    assert len(list(out.glob("volume-*"))) > 2
    return out


@pytest.fixture
def place(
    volumes: Path, registry: RegistryServer, before_registry: FaultProxy, prefix: str
) -> tuple[str, ...]:
    """Where they were pushed to, reached through a proxy."""
    plain = ("--plain-http", registry.host, "--plain-http", before_registry.host)
    done("media", "push", *sorted(volumes.iterdir()), f"oci://{registry.host}/{prefix}/media", *plain)
    before_registry.requests.clear()
    return (f"oci://{before_registry.host}/{prefix}/media", *plain)


@pytest.fixture
def web(volumes: Path) -> Iterator[str]:
    """They are on a web server as `media create` wrote them."""
    handler = partial(_Quiet, directory=str(volumes.parent))
    with listening(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as host:
        yield f"http://{host}"


def test_a_registry_brings_volumes(new_site: Path, volumes: Path, place: tuple[str, ...]) -> None:
    (row,) = done("-C", new_site, "media", "import", *place, "-o", "json").json()
    assert (row["state"], row["media"]) == ("imported", place[0])
    sound(new_site, "1.0.0")
    assert leftovers(new_site) == []
    again = done("media", "push", volumes, *place, "-o", "json").json()
    assert (again["files"], again["bytes"]) == (0, 0)


def test_a_web_server_brings_volumes_as_they_were_written(new_site: Path, volumes: Path, web: str) -> None:
    first = min(volumes.iterdir()).name
    with unchanged(new_site):
        outcome = airstore("-C", new_site, "media", "import", f"{web}/out/{first}")
        refused(outcome, 21, "which its signed index lists", "that has all volumes")
    done("-C", new_site, "media", "import", f"{web}/out")
    sound(new_site, "1.0.0")
    assert leftovers(new_site) == []


def test_a_fetch_of_volumes_that_was_killed_goes_on_within_a_slice(
    new_site: Path, volumes: Path, place: tuple[str, ...], before_registry: FaultProxy
) -> None:
    """All slices but one have arrived, and half of that one."""
    words = ("-C", str(new_site), "media", "import", *place)
    pieces = find_one(volumes).claimed_index().content_pieces
    last = str(pieces[max(pieces)].digest)
    before_registry.faults += [Fault("GET", f"blobs/{last}", stall=20)]
    with unchanged(new_site, tmp=True), process(*words) as running:
        for _ in poll(60, 0.05):
            if before_registry.count(f"GET .*blobs/{last}"):
                break
        running.send_signal(signal.SIGKILL)
    (kept,) = (path for path in (new_site / "tmp").glob("fetched-*") if path.is_dir())
    cut = max((path for path in kept.rglob("*+*")), key=lambda path: path.stat().st_size)
    data = cut.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    before_registry.requests.clear()
    done(*words)
    sound(new_site, "1.0.0")
    # The index, the rest of the slice that was cut, and the one at which it was killed.
    assert before_registry.count("GET .*blobs/") == 3


def test_a_slice_that_is_another_is_refused(
    new_site: Path, volumes: Path, own_registry: RegistryServer, tmp_path: Path
) -> None:
    place, plain = f"oci://{own_registry.host}/media", ("--plain-http", own_registry.host)
    done("media", "push", volumes, place, *plain)
    blobs = list((own_registry.root / "docker/registry/v2/blobs").rglob("data"))
    largest = max(blobs, key=lambda path: path.stat().st_size)
    rewrite(largest, lambda old: flipped(old, len(old) // 2))
    with unchanged(new_site):
        refused(airstore("-C", new_site, "media", "import", place, *plain), 20, "signed index")


def test_volumes_that_are_not_all_at_hand_are_not_pushed(
    volumes: Path, registry: RegistryServer, prefix: str
) -> None:
    place, plain = f"oci://{registry.host}/{prefix}/media", ("--plain-http", registry.host)
    some = sorted(volumes.iterdir())[1:]
    refused(airstore("media", "push", *some, place, *plain), 21, "volume 1")
