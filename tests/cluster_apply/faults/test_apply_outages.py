"""Helm is killed, the API server is killed, the Lease is lost, all in the middle of an apply."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airstore.cluster.api import lease
from tests.support.kubernetes.apply_parts import ENDLESS, HOOKS, REFUSED, Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer
from tests.support.tools.processes import begin, helm_of, said, wait_for

pytestmark = [pytest.mark.usefixtures("controllers"), pytest.mark.cluster, pytest.mark.root]

PAIR = ("db", "web")
OLD = ("1.0.0", "1.0.0", "rows of 1.0.0")
NEW = ("1.1.0", "1.1.0", "rows of 1.1.0")
BOTH = dict.fromkeys(PAIR, "deployed")


@pytest.fixture
def shop(api: ApiServer, tmp_path: Path, helm4: Path, namespace: str) -> Landscape:
    """Release 1.0.0 runs."""
    made = landscape(api, tmp_path, helm4, namespace)
    made.release("1.0.0", dict.fromkeys(PAIR, "1.0.0"))
    made.run("apply")
    return made


def state(shop: Landscape) -> tuple[str, ...]:
    return (*(shop.config(name) for name in PAIR), shop.table())


def waiting(shop: Landscape, script: str) -> dict[str, str]:
    """A hook that says that it has begun, and goes on when it is told to."""
    wait = f"touch {shop.directory}/begun; while ! test -e {shop.directory}/go; do sleep 0.1; done"
    return {script: HOOKS[script].replace("set -eu", f"set -eu\n{wait}")}


def has_begun(shop: Landscape) -> bool:
    return (shop.directory / "begun").exists()


def go(shop: Landscape) -> None:
    (shop.directory / "go").touch()


@contextmanager
def outage(api: ApiServer, seconds: float = 6) -> Iterator[None]:
    """The API server is killed, and is there again afterwards, with what it had stored."""
    api.stop()
    try:
        yield
        time.sleep(seconds)  # this long it lasts; nothing is waited for
    finally:
        api.start()
        api.wait()


def test_a_helm_that_is_killed_is_a_failed_upgrade(shop: Landscape) -> None:
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), {"web": {"templates/hook.yaml": ENDLESS}})
    running = begin(shop, "apply")
    wait_for(lambda: shop.helm().get("web") == "pending-upgrade")
    helm = helm_of(shop, "upgrade", "web")
    assert helm
    os.kill(helm, signal.SIGKILL)
    assert running.wait(timeout=120) == 50
    assert "helm was ended by signal 9" in said(shop)
    assert "release 1.0.0 runs again" in said(shop)
    assert state(shop) == OLD
    assert shop.helm() == BOTH


def test_the_server_restarts_while_helm_upgrades(shop: Landscape, api: ApiServer) -> None:
    more = {"web": {"templates/hook.yaml": ENDLESS}}
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), more, timeout="20s")
    running = begin(shop, "apply")
    wait_for(lambda: shop.helm().get("web") == "pending-upgrade")
    with outage(api):
        pass
    assert running.wait(timeout=200) == 50
    assert "release 1.0.0 runs again: upgrade" in said(shop)
    assert state(shop) == OLD
    assert shop.helm() == BOTH


@pytest.mark.parametrize(("meanwhile", "code", "after"), [(True, 50, OLD), (False, 0, NEW)])
def test_the_server_restarts_while_a_hook_runs(
    shop: Landscape, api: ApiServer, meanwhile: bool, code: int, after: tuple[str, ...]
) -> None:
    """A hook that needs the server in that time fails, one that does not goes on."""
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), hooks=waiting(shop, "migrate.sh"), timeout="60s")
    running = begin(shop, "apply")
    wait_for(lambda: has_begun(shop))
    with outage(api):
        if meanwhile:
            go(shop)
    go(shop)
    assert running.wait(timeout=200) == code
    assert ("hook postUpgrade" in said(shop)) == meanwhile
    assert state(shop) == after
    assert shop.helm() == BOTH


def test_the_server_restarts_on_the_way_back(shop: Landscape, api: ApiServer) -> None:
    """The hook that restores fails, and what follows waits for the server; then the hook is called again."""
    refused = {"web": {"templates/bad.yaml": REFUSED}}
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), refused, hooks=waiting(shop, "restore.sh"))
    running = begin(shop, "apply")
    wait_for(lambda: has_begun(shop))
    with outage(api):
        go(shop)
    assert running.wait(timeout=200) == 50
    assert "release 1.0.0 runs again: upgrade" in said(shop)
    assert state(shop) == OLD
    assert shop.helm() == BOTH


def test_the_server_stays_away_on_the_way_back(shop: Landscape, api: ApiServer) -> None:
    """Without a Lease nothing may be done any more; the next command goes on where this one stopped."""
    refused = {"web": {"templates/bad.yaml": REFUSED}}
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), refused, hooks=waiting(shop, "restore.sh"))
    running = begin(shop, "apply")
    wait_for(lambda: has_begun(shop))
    with outage(api, 0):
        go(shop)
        code = running.wait(timeout=280)
    assert code == 11
    assert f"Lease airstore/airstore-{shop.namespace} was lost" in said(shop)
    shop.run("apply", code=50)
    assert state(shop) == OLD
    assert shop.helm() == BOTH


def test_who_loses_the_lease_stops_before_the_next_step(shop: Landscape, api: ApiServer) -> None:
    shop.release("1.1.0", dict.fromkeys(PAIR, "1.1.0"), hooks=waiting(shop, "migrate.sh"), timeout="60s")
    running = begin(shop, "apply")
    wait_for(lambda: has_begun(shop))
    hold(api, shop, "somebody-else")
    time.sleep(lease._RENEW + 1)  # by then it has looked; it says so at its next step only
    go(shop)
    assert running.wait(timeout=60) == 11
    assert "somebody-else took it over" in said(shop)
    assert state(shop) == ("1.1.0", "1.0.0", "rows of 1.1.0")
    assert holder(api, shop) == "somebody-else"
    hold(api, shop, "")
    shop.run("apply")
    assert state(shop) == NEW
    assert shop.helm() == BOTH


def hold(api: ApiServer, shop: Landscape, name: str) -> None:
    """Overwrite the holder of the product's Lease."""
    patch = json.dumps({"spec": {"holderIdentity": name}})
    api.kubectl(
        "patch", "lease", f"airstore-{shop.namespace}", "-n", "airstore", "--type", "merge", "-p", patch
    )


def holder(api: ApiServer, shop: Landscape) -> str:
    """Of the product's Lease."""
    found: str = api.json("get", "lease", f"airstore-{shop.namespace}", "-n", "airstore")["spec"][
        "holderIdentity"
    ]
    return found
