"""Run rows of the operator's night one after another and print them as a table; see scripts/night."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from tests.support.kubernetes.cluster_site import find_cluster
from tests.support.night.night_paper import open_paper_night
from tests.support.night.night_real import open_night
from tests.support.night.night_rows import ROWS, Row, Table
from tests.support.night.night_world import Night

_HEADS = ("row", "changes", "fails", "the operator", "seen", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/night", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="all that can run where nothing is said")
    parser.add_argument("--helm", choices=("helm3", "helm4"), default="helm4")
    parser.add_argument(
        "--paper", action="store_true", help="on an API server alone, where no container runs"
    )
    options = parser.parse_args()
    unknown = {*options.rows} - {row.name for row in ROWS}
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}: {', '.join(row.name for row in ROWS)}")
    wanted = [row for row in ROWS if row.name in (options.rows or [row.name])]
    with (
        tempfile.TemporaryDirectory(prefix="airstore-night-") as directory,
        _world(Path(directory), options.helm, options.paper) as night,
    ):
        print(f"{options.helm}\n\n| {' | '.join(_HEADS)} |\n{'| --- ' * len(_HEADS)}|", flush=True)
        good = _run(Table(night), (row for row in wanted if not (row.real and options.paper)))
    sys.exit(not good)


def _world(directory: Path, helm: str, paper: bool) -> AbstractContextManager[Night]:
    program, registry = shutil.which(helm), shutil.which("docker-registry")
    if not program or not registry:
        sys.exit("Helm or docker-registry is missing: run scripts/tools all")
    if paper:
        return open_paper_night(directory, Path(program), "night")
    cluster = find_cluster()
    if not cluster:
        sys.exit("there is no cluster: run scripts/cluster up")
    return open_night(cluster, directory, Path(program), Path(registry), f"night-{os.getpid()}")


def _run(table: Table, rows: Iterable[Row]) -> bool:
    """Print each row as it ends; whether all were as they say."""
    good = True
    for row in rows:
        begun = time.monotonic()
        try:
            found = table.run(row)
        except Exception as error:  # noqa: BLE001 - the next row is run all the same
            traceback.print_exc()
            found = [f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"]
        good = good and not found
        seen = "; ".join(found) or "as the row says"
        words = (row.name, row.change, row.fails, row.does, seen, f"{time.monotonic() - begun:.0f}")
        print(f"| {' | '.join(words)} |", flush=True)
    return good


if __name__ == "__main__":
    main()
