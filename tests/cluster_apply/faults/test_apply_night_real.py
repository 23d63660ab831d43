"""The core of the operator's night on the real cluster: what only nodes that run pods can tell.

The rows share one site; each ends as it began. scripts/night has all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubernetes.cluster_site import RealCluster
from tests.support.night.night_real import open_night
from tests.support.night.night_rows import ROWS, Row, Table

pytestmark = [pytest.mark.cluster, pytest.mark.root, pytest.mark.disrupts, pytest.mark.timeout(600)]

CORE = ("crash", "no-images", "no-registry", "power-cut")
RELEASES = ("1.0.0", "1.1.0", "1.2.0")  # that these rows apply


@pytest.fixture(scope="module")
def table(
    cluster: RealCluster, helm4: Path, docker_registry: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Table]:
    directory, namespace = tmp_path_factory.mktemp("night"), f"night-{os.getpid()}"
    with open_night(cluster, directory, helm4, docker_registry, namespace, RELEASES) as night:
        yield Table(night)


@pytest.mark.parametrize("row", [row for name in CORE for row in ROWS if row.name == name], ids=CORE)
def test_the_night(table: Table, row: Row) -> None:
    assert table.run(row) == []
