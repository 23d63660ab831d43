"""kill -9 at every line of the journal, before and after it is written; one more command, and all is well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from apply_parts import REFUSED, Landscape, binder, landscape
from cluster_server import ApiServer

pytestmark = [pytest.mark.cluster, pytest.mark.root]

CHARTS = ("db", "web")


@pytest.fixture(scope="module", autouse=True)
def _bound(api: ApiServer) -> Iterator[None]:
    with binder(api):
        yield


def state(shop: Landscape) -> tuple[str, ...]:
    return (*(shop.config(name) for name in CHARTS), shop.table())


OLD = ("1.0.0", "1.0.0", "rows of 1.0.0")
NEW = ("1.1.0", "1.1.0", "rows of 1.1.0")


def _installed(api: ApiServer, directory: Path, helm: Path, namespace: str) -> Landscape:
    shop = landscape(api, directory, helm, namespace)
    shop.release("1.0.0", dict.fromkeys(CHARTS, "1.0.0"))
    shop.run("apply")
    return shop


@pytest.mark.timeout(1200)
def test_an_upgrade_killed_anywhere_ends_new(
    api: ApiServer, tmp_path: Path, helm4: Path, namespace: str
) -> None:
    shop = _installed(api, tmp_path, helm4, namespace)
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"))
    line = 0
    while shop.killed_at(line := line + 1, "apply"):
        shop.run("apply")
        assert state(shop) == NEW, line
        assert shop.helm() == dict.fromkeys(CHARTS, "deployed")
        shop.run("rollback")
        assert state(shop) == OLD, line
    assert line > 20
    assert state(shop) == NEW


@pytest.mark.timeout(1200)
def test_an_upgrade_killed_anywhere_and_turned_back_ends_old(
    api: ApiServer, tmp_path: Path, helm3: Path, namespace: str
) -> None:
    shop = _installed(api, tmp_path, helm3, namespace)
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"))
    line = 0  # after every line; killed before its first one, a run never began
    while shop.killed_at(line := line + 2, "apply"):
        shop.run("rollback")
        assert state(shop) == OLD, line
    assert line > 20


@pytest.mark.timeout(1200)
def test_the_way_back_killed_anywhere_ends_old(
    api: ApiServer, tmp_path: Path, helm4: Path, namespace: str
) -> None:
    shop = _installed(api, tmp_path, helm4, namespace)
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), {"web": {"templates/bad.yaml": REFUSED}})
    line = 0
    while shop.killed_at(line := line + 1, "apply"):
        shop.run("apply", code=50)
        assert state(shop) == OLD, line
        assert shop.helm() == dict.fromkeys(CHARTS, "deployed")
    assert line > 30
    assert state(shop) == OLD
