"""The core of the operator's night where no container runs, see `night_paper`; scripts/night has all rows.

They share one site. It begins with what the old shell procedure installed, and each row ends as it began, so
that the next one needs no set-up; after one that failed everything is set up anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.night.night_paper import open_paper_night
from tests.support.night.night_rows import ROWS, Row, Table

# Its set-up takes as long as three rows: with --dist loadgroup it is done once.
pytestmark = [
    *(pytest.mark.cluster, pytest.mark.root, pytest.mark.timeout(600)),
    pytest.mark.xdist_group("night"),
]

CORE = (
    *("adopted", "again", "edited", "helm-rollback", "two-back-twice"),
    *("killed", "migration", "crash", "uninstalled", "no-database"),
)
RELEASES = ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.5.0")  # that these rows apply


@pytest.fixture(scope="module")
def table(helm4: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    with open_paper_night(tmp_path_factory.mktemp("night"), helm4, "night", RELEASES) as night:
        yield Table(night)


@pytest.mark.parametrize("row", [row for name in CORE for row in ROWS if row.name == name], ids=CORE)
def test_the_night(table: Table, row: Row) -> None:
    assert table.run(row) == []
