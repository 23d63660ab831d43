"""kill -9 at lines of the journal, before and after they are written; one more command, and all is well.

Every point takes ten seconds, and there are 200: CI takes every fifth one of each test, AIRSTORE_KILL_EVERY=1
takes all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.kubernetes.apply_parts import REFUSED, Landscape, landscape
from tests.support.kubernetes.cluster_server import ApiServer

pytestmark = [
    pytest.mark.usefixtures("controllers"),
    pytest.mark.cluster,
    pytest.mark.root,
    pytest.mark.timeout(1200),
]

CHARTS = ("db", "web")
_EVERY = int(os.environ.get("AIRSTORE_KILL_EVERY", "5"))


def some(points: Sequence[int]) -> list[int]:
    """Every so many of them, the last one among them."""
    return list(points[::-1][::_EVERY][::-1])


def state(shop: Landscape) -> tuple[str, ...]:
    return (*(shop.config(name) for name in CHARTS), shop.table())


OLD = ("1.0.0", "1.0.0", "rows of 1.0.0")
NEW = ("1.1.0", "1.1.0", "rows of 1.1.0")


def _installed(api: ApiServer, directory: Path, helm: Path, namespace: str, *charts: str) -> Landscape:
    shop = landscape(api, directory, helm, namespace)
    shop.release("1.0.0", dict.fromkeys(charts or CHARTS, "1.0.0"))
    shop.run("apply")
    return shop


def test_an_upgrade_and_a_rollback_killed_anywhere_end_as_wanted(
    api: ApiServer, tmp_path: Path, helm4: Path, namespace: str
) -> None:
    shop = _installed(api, tmp_path, helm4, namespace)
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"))
    shop.run("apply")
    there = shop.kill_points()
    shop.run("rollback")
    back = shop.kill_points()[:-1]  # after its last line it has ended, and another one would be begun
    assert min(len(there), len(back)) > 20
    there, back = some(there), some(back)
    while there or back:
        if there:
            shop.killed_at(point := there.pop(), "apply")
            shop.run("apply")
        assert state(shop) == NEW, point
        assert shop.helm() == dict.fromkeys(CHARTS, "deployed")
        if back:
            shop.killed_at(point := back.pop(), "rollback")
        shop.run("rollback")
        assert state(shop) == OLD, point
        assert shop.helm() == dict.fromkeys(CHARTS, "deployed")
        if back and not there:
            shop.run("apply")


def test_an_upgrade_killed_anywhere_and_turned_back_ends_old(
    api: ApiServer, tmp_path: Path, helm3: Path, namespace: str
) -> None:
    shop = _installed(api, tmp_path, helm3, namespace)
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"))
    shop.run("apply")
    points = [point for point in shop.kill_points() if not point % 2]
    shop.run("rollback")
    for point in some(points):  # after every line; killed before its first one, a run never began
        shop.killed_at(point, "apply")
        shop.run("rollback")
        assert state(shop) == OLD, point


def test_the_way_back_killed_anywhere_ends_old(
    api: ApiServer, tmp_path: Path, helm4: Path, namespace: str
) -> None:
    shop = _installed(api, tmp_path, helm4, namespace)
    shop.release("1.1.0", dict.fromkeys(CHARTS, "1.1.0"), {"web": {"templates/bad.yaml": REFUSED}})
    shop.run("apply", code=50)
    points = shop.kill_points()
    assert len(points) > 30
    for point in some(points):
        shop.killed_at(point, "apply")
        shop.run("apply", code=50)
        assert state(shop) == OLD, point
        assert shop.helm() == dict.fromkeys(CHARTS, "deployed")


def _runs(shop: Landscape) -> dict[str, str]:
    """Helm release to the version of its ConfigMap, for those that Helm says are deployed."""
    return {name: shop.config(name) for name, status in shop.helm().items() if status == "deployed"}


def test_releases_that_come_and_go_and_an_uninstall_killed_anywhere_end_as_wanted(
    api: ApiServer, tmp_path: Path, helm4: Path, namespace: str
) -> None:
    shop = _installed(api, tmp_path, helm4, namespace, "left")
    shop.release("1.1.0", {"new": "1.1.0"})
    shop.run("apply")
    there = shop.kill_points()
    shop.run("uninstall")
    away = shop.kill_points()[:-1]
    assert min(len(there), len(away)) > 5
    there, away = some(there), some(away)
    while there or away:
        shop.run("apply", "--release", "1.0.0")
        assert _runs(shop) == {"left": "1.0.0"}
        if there:
            shop.killed_at(point := there.pop(), "apply")
            shop.run("apply")
            assert _runs(shop) == {"new": "1.1.0"}, point
            assert shop.config("left") == ""
        if away:
            shop.killed_at(point := away.pop(), "uninstall")
        shop.run("uninstall")
        assert shop.helm() == {}, point
        assert shop.config("new") == ""
    assert shop.claims() == [f"persistentvolumeclaim/{name}-data" for name in ("left", "new")]
