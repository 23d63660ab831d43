"""Deltas of real pairs beside the tools that people use today: bytes, seconds, peak memory, exact or not.

    scripts/bench deltas --work DIR [--pairs debian,go] [--tools all|some|none] [--out docs/benchmarks]

Every pair is two images by Go's gzip. airstore's figure is the whole of its media, from the command line, and
what a site rebuilt of it is checked. The others get the plain tars; what they bring is not a registry's.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from bench_layouts import NEW, OLD, layout_of, whole_layers
from bench_others import others
from bench_pairs import PAIRS, Pair, make_pairs
from bench_process import Measured, measure
from bench_product import Sides, find_helm, run, tree_size
from bench_tables import write_report

_EFFORTS = ("fast", "max", "normal")  # the last one is imported


def _row(measured: Measured, size: int, *, exact: bool) -> dict[str, Any]:
    peak = max(measured.peak, measured.child_peak)
    return {"bytes": size, "wall": measured.wall, "cpu": measured.cpu, "peak": peak, "exact": exact}


def bench_airstore(work: Path, pair: Pair) -> dict[str, dict[str, Any]]:
    """Full and delta media of two releases, made and taken in."""
    images = layout_of(work, pair)
    sides = Sides(work / "sides" / pair.name, images)
    sides.begin(OLD)
    rows = {"airstore: first release": _row(measure(sides.create_release(OLD)), 0, exact=True)}
    made = measure(sides.create_media("full", OLD))
    rows["airstore: full media"] = _row(made, tree_size(sides.media("full")), exact=True)
    rows["airstore: import full"] = _row(measure(sides.import_media("full")), 0, exact=True)
    sides.write_product(NEW)
    rows["airstore: next release"] = _row(measure(sides.create_release(NEW)), 0, exact=True)
    for effort in _EFFORTS:
        made = measure([*sides.create_media(effort, NEW, OLD), "--effort", effort])
        rows[f"airstore {effort}"] = _row(made, tree_size(sides.media(effort)), exact=True)
    rows["airstore: import delta"] = _row(measure(sides.import_media(_EFFORTS[-1])), 0, exact=True)
    run(
        "airstore", "-C", sides.site, "check"
    )  # every blob by its digest, those of the registry's manifest among them
    shutil.rmtree(sides.base)
    rows["whole layers"] = {"bytes": whole_layers(images), "exact": True}
    rows["registry"] = {"bytes": images.size(OLD), "exact": True}
    return rows


def bench_pair(work: Path, pair: Pair, tools: str) -> dict[str, dict[str, Any]]:
    """All rows of one pair."""
    rows = bench_airstore(work, pair)
    for name, (command, result) in others(work / "others", pair, tools).items():
        measured = measure(command)
        rows[name] = _row(
            measured, tree_size(result) if result.is_dir() else result.stat().st_size, exact=False
        )
        print(f"{pair.name}: {name}: {rows[name]['bytes']:,}", file=sys.stderr, flush=True)
    shutil.rmtree(work / "others", ignore_errors=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="pairs are kept here")
    parser.add_argument("--pairs", default=",".join(PAIRS), help="comma-separated (default: all)")
    parser.add_argument("--tools", choices=("all", "some", "none"), default="all", help="the others")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write table, plots and figures there")
    options = parser.parse_args()
    find_helm()
    work = options.work.resolve()
    figures = work / "figures.json"
    found = json.loads(figures.read_text()) if figures.exists() else {}
    for pair in make_pairs(work, options.pairs.split(",")):
        found[pair.name] = {**found.get(pair.name, {}), **bench_pair(work, pair, options.tools)}
        figures.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(write_report(found, options.out))


if __name__ == "__main__":
    main()
