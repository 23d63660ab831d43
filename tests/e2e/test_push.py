"""From a site's store into a registry that exists already, and back out of it with skopeo."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airstore.core.durable import exclusive_lock
from tests.support.product.e2e_road import Airstore, Store, carry, digests_of, publisher, run, run_bytes, site
from tests.support.product.e2e_upstream import HOST, Upstream, write_config
from tests.support.product.e2e_world import World, started, wait_for
from tests.support.registry.faults import Fault, FaultProxy, fault_proxy
from tests.support.registry.servers import PASSWORD, USER, RegistryServer, registry_server

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.support.product.e2e_fixtures"]

_PREFIX = "customers/acme"


@dataclass(frozen=True)
class Target:
    """A registry to push to, and what opens it."""

    server: RegistryServer
    directory: Path

    @property
    def place(self) -> str:
        return f"{self.server.host}/{_PREFIX}"

    @property
    def trust(self) -> tuple[str | Path, ...]:
        assert self.server.ca
        return ("--ca", self.server.ca)

    @property
    def login(self) -> tuple[str | Path, ...]:
        password = self.directory / "password"
        password.write_text(f"{PASSWORD}\n")
        return ("--user", USER, "--password-file", password)

    def skopeo(self, *words: str | Path) -> bytes:
        assert self.server.ca
        trusted = self.directory / "trusted"
        trusted.mkdir(exist_ok=True)
        (trusted / "ca.crt").write_bytes(self.server.ca.read_bytes())
        config = write_config(self.directory / "config.json", self.server.host)
        which = "src-" if words[0] == "copy" else ""
        return run_bytes(
            "skopeo", *words[:1], f"--{which}cert-dir={trusted}", f"--authfile={config}", *words[1:]
        )


@pytest.fixture
def target(docker_registry: Path, skopeo: Path, tmp_path: Path) -> Iterator[Target]:
    """Empty, behind a password and a certificate of its own authority."""
    with registry_server(tmp_path / "target", htpasswd=True, tls=True) as server:
        yield Target(server, tmp_path)


@pytest.fixture
def store(world: World, airstore: Airstore, tmp_path: Path) -> Store:
    """A copy of the world's site, whose commands are searched for the password afterwards."""
    return Store(airstore, world.copy_of_site(tmp_path).path)


@contextmanager
def _proxied(directory: Path, *faults: Fault) -> Iterator[FaultProxy]:
    """An empty registry without TLS behind a proxy that breaks things."""
    with registry_server(directory) as server, fault_proxy(server.host) as proxy:
        proxy.faults += faults
        yield proxy


def _push(store: Store, place: str, *options: str | Path) -> dict[str, Any]:
    document: dict[str, Any] = store("registry", "push", place, "-o", "json", *options).json
    return document


def _read_back(target: Target, release: dict[str, Any]) -> None:
    """Every manifest, config and layer of every image is in the registry, by skopeo."""
    for number, image in enumerate(release["images"]):
        place = f"docker://{target.place}/{image['reference'].partition('/')[2]}"
        raw = target.skopeo("inspect", "--raw", place)
        assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == image["root"]["digest"]
        layout = target.directory / f"read-{release['version']}-{number}"
        target.skopeo("copy", "-q", "--all", "--preserve-digests", place, f"oci:{layout}:x")
        copied = {f"sha256:{path.name}" for path in (layout / "blobs" / "sha256").iterdir()}
        assert copied == digests_of(image) or (image["referrers"] and copied < digests_of(image))


def test_everything_is_there_by_the_digests_of_the_source(target: Target, store: Store, world: World) -> None:
    pushed = _push(store, target.place, *target.trust, *target.login)
    assert pushed["state"] == "read back"
    assert pushed["uploaded"] > 0
    assert pushed["mounted"] > 0, "images share layers"
    release = world.publisher.release("1.0.0")
    _read_back(target, release)
    for image in release["images"]:
        repository = image["reference"].partition("/")[2].rpartition(":")[0]
        for referrer in image["referrers"]:
            target.skopeo("inspect", "--raw", f"docker://{target.place}/{repository}@{referrer['digest']}")


def test_a_token_server_lets_it_in(docker_registry: Path, store: Store, world: World, tmp_path: Path) -> None:
    with registry_server(tmp_path / "target", tokens=True) as server:
        login = Target(server, tmp_path).login
        assert _push(store, f"http://{server.host}/x", *login)["state"] == "read back"
        assert _push(store, f"http://{server.host}/x", *login)["upload_bytes"] == 0


def test_helm_pulls_from_it(target: Target, store: Store, world: World, helm4: Path) -> None:
    _push(store, target.place, *target.trust, *target.login)
    config = write_config(target.directory / "helm.json", target.server.host)
    environment = {**os.environ, "HELM_REGISTRY_CONFIG": str(config), "HOME": str(target.directory)}
    for chart in world.publisher.release("1.0.0")["charts"]:
        place = f"oci://{target.place}/charts/{chart['name']}"
        pull = (helm4, "pull", place, "--version", chart["version"], "--ca-file", target.server.ca or "")
        run(*pull, "-d", target.directory, env=environment)
        archive = target.directory / f"{chart['name']}-{chart['version']}.tgz"
        assert f"sha256:{hashlib.sha256(archive.read_bytes()).hexdigest()}" == chart["archive"]["digest"]


def test_a_second_push_sends_nothing_and_an_update_what_is_missing(
    target: Target, store: Store, world: World, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "docker.json", target.server.host)
    options = (*target.trust, "--registry-config", config)
    first = _push(store, target.place, *options)
    again = _push(store, target.place, *options)
    assert (again["uploaded"], again["mounted"], again["tags"], again["upload_bytes"]) == (0, 0, 0, 0)
    assert again["present_blobs"] == first["uploaded"] + first["mounted"]
    carry(world.publisher, store, tmp_path, "1.1.0", "--from", "1.0.0")
    plan = ("plan", "--registry", target.place, "-o", "json", *target.trust, *target.login)
    planned = store(*plan).json["push"]
    dry = store("registry", "push", target.place, "--dry-run", "-o", "json", *options).json
    assert planned == dry
    update = _push(store, target.place, *options)
    assert (dry["upload_blobs"], dry["upload_bytes"]) == (update["uploaded"], update["upload_bytes"])
    old, new = (world.publisher.release(version) for version in ("1.0.0", "1.1.0"))
    known = {digest for artifact in (*old["images"], *old["charts"]) for digest in digests_of(artifact)}
    fresh = {b["digest"]: b for a in (*new["images"], *new["charts"]) for b in a["blobs"]}.keys() - known
    documents = {a["root"]["digest"] for a in (*new["images"], *new["charts"])}
    assert update["uploaded"] == len(fresh - documents)
    assert update["tags"] == 2, "the new API, and the chart under its version, which has other content now"
    _read_back(target, new)


def test_a_dry_run_sends_nothing(target: Target, store: Store, world: World) -> None:
    dry = store(
        "registry", "push", target.place, "--dry-run", "-o", "json", *target.trust, *target.login
    ).json
    assert dry["upload_blobs"] > 0
    assert dry["present_blobs"] == 0
    assert not (target.server.root / "docker").exists()
    assert store("history", "-o", "json").json == []


def test_the_ledger_knows_of_the_push(target: Target, store: Store) -> None:
    pushed = _push(store, target.place, *target.trust, *target.login)
    (entry,) = store("history", "-o", "json").json
    assert (entry["action"], entry["release"], entry["result"]) == ("push", "1.0.0", "succeeded")
    assert target.place in entry["details"]
    assert f"uploaded_bytes {pushed['upload_bytes']}" in entry["details"]


def test_an_import_that_runs_meanwhile_delays_only_the_ledger(target: Target, store: Store) -> None:
    tag = target.server.root / f"docker/registry/v2/repositories/{_PREFIX}/shop/db/_manifests/tags/15.2.0"
    push = ("registry", "push", target.place, *target.trust, *target.login)
    with started(store, *push) as process:
        with exclusive_lock(store.path / "lock"):
            wait_for(tag.exists)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=2)
        assert process.wait(timeout=60) == 0
    (entry,) = store("history", "-o", "json").json
    assert entry["result"] == "succeeded"


def test_an_incomplete_index_is_replaced_and_that_is_said(
    target: Target, airstore: Airstore, tmp_path: Path, vendor_plain: Upstream
) -> None:
    cache = f"{HOST}/shop/cache:7.2.0"
    images = {"include": [cache], "sources": {"*": f"docker://{vendor_plain.host}"}}
    made = publisher(airstore, tmp_path, {"images": images, "platforms": ["linux/amd64"]})
    made("release", "create", "--version", "1.0.0", *vendor_plain.options)
    acme = site(made, tmp_path, "1.0.0")
    said = acme("registry", "push", target.place, *target.trust, *target.login).err
    assert f"the registry refuses incomplete indexes: {_PREFIX}/shop/cache:7.2.0 is linux/amd64 alone" in said
    upstream = f"docker://{vendor_plain.host}/shop/cache:7.2.0"
    index = json.loads(run_bytes("skopeo", "inspect", "--raw", "--tls-verify=false", upstream))
    (amd64,) = (m["digest"] for m in index["manifests"] if m["platform"]["architecture"] == "amd64")
    raw = target.skopeo("inspect", "--raw", f"docker://{target.place}/shop/cache:7.2.0")
    assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == amd64
    again = _push(acme, target.place, *target.trust, *target.login)
    assert (again["uploaded"], again["tags"]) == (0, 0)


def test_a_wrong_password_is_refused_with_a_hint(target: Target, store: Store, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not the horse\n")
    push = ("registry", "push", target.place, *target.trust)
    said = store(*push, "--user", USER, "--password-file", wrong, code=40).err
    assert f"{target.place}" in said
    assert "hint: check the user name and password" in said
    assert "401" in store(*push, code=40).err
    store.airstore.never_said("not the horse")
    assert "go together" in store(*push, "--user", USER, code=2).err
    assert "not a registry" in store("registry", "push", f"https://{USER}:{PASSWORD}@h", code=2).err


@pytest.mark.parametrize("style", [("-v",), ("-q", "--log-format", "json")])
def test_the_password_is_nowhere(
    style: tuple[str, ...], target: Target, store: Store, tmp_path: Path
) -> None:
    """Neither in arguments and environment, where others may see it, nor in any output."""
    styled = Store(store.airstore, store.path, style)
    push = started(styled, "registry", "push", target.place, *target.trust, *target.login)
    with push as process, ThreadPoolExecutor(1) as reader:
        assert process.stdout
        output = reader.submit(process.stdout.read)  # -v says more than a pipe holds
        proc, seen = Path("/proc") / str(process.pid), b""
        while process.poll() is None:
            # It may end at any time, and what has just ended is root's.
            with suppress(ProcessLookupError, PermissionError):
                seen += (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
            time.sleep(0.05)
        said = output.result()
    assert process.returncode == 0, said
    assert b"airstore" in seen
    assert PASSWORD.encode() not in seen + said.encode()


def _limits(largest: int) -> list[Fault]:
    return [Fault(method, "", times=999, largest=largest) for method in ("PUT", "PATCH")]


def test_a_proxy_that_limits_bodies_gets_small_ones(store: Store, tmp_path: Path) -> None:
    with _proxied(tmp_path / "target", *_limits(600_000)) as proxy:
        said = store("registry", "push", f"http://{proxy.host}/x", code=40).err
        assert "413" in said
        assert "hint: a proxy before the registry limits uploads" in said
    with _proxied(tmp_path / "another", *_limits(1 << 20)) as proxy:
        assert _push(store, f"http://{proxy.host}/x")["state"] == "read back"


def test_passing_faults_pass(store: Store, tmp_path: Path) -> None:
    faults = (
        Fault("PUT", "digest=", reset_sent=200_000),
        Fault("PUT", "digest=", status=503, headers={"Retry-After": "0"}),
        Fault("PUT", "/manifests/", status=502),
        Fault("GET", "/blobs/", times=1, reset_received=1000),
        Fault("PUT", "digest=", stall=1.5),
    )
    with _proxied(tmp_path / "target", *faults) as proxy:
        assert _push(store, f"http://{proxy.host}/x")["state"] == "read back"
        assert not any(fault.times for fault in proxy.faults)
        again = _push(store, f"http://{proxy.host}/x")
        assert (again["uploaded"], again["tags"]) == (0, 0)


def test_an_interrupt_ends_a_push_and_the_next_goes_on(store: Store, tmp_path: Path) -> None:
    stuck = Fault("PUT", "digest=", stall=120.0)
    with _proxied(tmp_path / "target", stuck) as proxy:
        with started(store, "registry", "push", f"http://{proxy.host}/x") as process:
            wait_for(lambda: not stuck.times)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=30)
        assert process.returncode == 130, said
        assert "Traceback" not in said
        result = _push(store, f"http://{proxy.host}/x")
        assert result["state"] == "read back"
