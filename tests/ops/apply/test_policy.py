"""What a site file says of old backups and logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from airstore.ops.apply.backups import prune_by_policy
from airstore.ops.stores.directory import open_directory
from tests.support.product.lived import run
from tests.support.product.road_parts import done

pytestmark = pytest.mark.slow

_RUNS = [f"2026010{day}T000000Z-0000000{day}" for day in range(1, 5)]


def _said(site: Path) -> list[str]:
    return [name for name in _RUNS if (site / "deploy" / "runs" / name / "logs").is_dir()]


@pytest.fixture
def logged(site: Path) -> Path:
    """A site with four runs whose hooks have said something; the last one goes on."""
    for name in _RUNS:
        run(site, name, "1.0.0", "1.0.0", end=name != _RUNS[-1])
        logs = site / "deploy" / "runs" / name / "logs"
        logs.mkdir()
        (logs / "app-preUpgrade.log").write_text("rows\n")
    return site


def test_logs_of_old_runs_go_and_those_of_new_ones_and_of_an_open_one_stay(logged: Path) -> None:
    said = list(prune_by_policy(open_directory(logged), {"keep": 100, "logs": 2}))
    assert said == [f"deleted the logs of run {_RUNS[0]}"]
    assert _said(logged) == _RUNS[1:]
    done("-C", logged, "check")
    assert list(prune_by_policy(open_directory(logged), {"keep": 100, "logs": 2})) == []


def test_all_stay_where_nothing_is_said(logged: Path) -> None:
    assert list(prune_by_policy(open_directory(logged), {"keep": 100})) == []
    assert list(prune_by_policy(open_directory(logged), {})) == []
    assert _said(logged) == _RUNS
