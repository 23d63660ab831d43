"""Deltas of real pairs beside the tools that people use today: bytes, seconds, peak memory, exact or not.

    scripts/bench deltas --work DIR [--pairs debian,go] [--encoders docker,skopeo]
        [--efforts normal,max,fast] [--tools all|quick|slow|least|none] [--resume] [--run TEXT]
        [--out docs/benchmarks]

Every pair is two images, by Docker Engine's encoder and by skopeo's. airstore's figure is the whole of its
media, from the command line, and what a site rebuilt of it is checked. The others get the plain tars; what
they bring is not a registry's. DIR/figures.json has each figure as soon as it is known.

The others are Debian's zstd, xdelta3, bsdiff, casync, restic and borgbackup; the pairs need go, npm and mvn.
Whichever is not there is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from scripts.benchmarks.process import Measured, measure
from scripts.benchmarks.product import Sides, find_helm, run, tree_size
from scripts.deltas.layouts import ENCODERS, NEW, OLD, layout_of, whole_layers, whole_size
from scripts.deltas.others import TOOLS, others
from scripts.deltas.pairs import PAIRS, Pair, make_pairs
from scripts.deltas.tables import write_report

_EFFORTS = ("normal", "max", "fast")
_OTHERS = "others"


class Figures:
    """All figures of a work directory: of a pair, by an encoder or of the others, by what was measured.

    Args:
        path: the file that has them.
        run: is said of each one that is added.
    """

    def __init__(self, path: Path, run: str) -> None:
        self._path, self._run = path, run

    def all(self) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
        """Everything that was written down."""
        return json.loads(self._path.read_text()) if self._path.exists() else {}

    def has(self, pair: str, side: str, name: str) -> bool:
        """Whether one is known."""
        return name in self.all().get(pair, {}).get(side, {})

    def keep(self, pair: str, side: str, name: str, row: dict[str, Any]) -> None:
        """Write one down at once: a run that ends early has what it measured, and two may add to the same."""
        found = self.all()
        found.setdefault(pair, {}).setdefault(side, {})[name] = {**row, "run": self._run}
        new = self._path.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        new.replace(self._path)
        print(f"{pair}, {side}: {name}: {row['bytes']:,}", file=sys.stderr, flush=True)


def _row(measured: Measured, size: int, *, exact: bool) -> dict[str, Any]:
    peak = max(measured.peak, measured.child_peak)
    load = os.getloadavg()[0]
    return {
        "bytes": size,
        "wall": measured.wall,
        "cpu": measured.cpu,
        "peak": peak,
        "exact": exact,
        "load": load,
    }


def bench_airstore(work: Path, pair: Pair, encoder: str, efforts: list[str], figures: Figures) -> None:
    """Full and delta media of two releases, made and taken in; of the deltas the first one is."""
    images = layout_of(work, pair, encoder)
    sides = Sides(work / "sides" / f"{pair.name}-{encoder}", *images)
    sides.begin(OLD)

    def keep(name: str, measured: Measured, size: int = 0) -> None:
        figures.keep(pair.name, encoder, name, _row(measured, size, exact=True))

    keep("first release", measure(sides.create_release(OLD)))
    made = measure(sides.create_media("full", OLD))
    keep("full media", made, tree_size(sides.media("full")))
    keep("import full", measure(sides.import_media("full")))
    sides.write_product(NEW)
    keep("next release", measure(sides.create_release(NEW)))
    sizes = {"whole layers": whole_layers(images), "registry": whole_size(images, OLD)}
    for name, size in sizes.items():
        figures.keep(pair.name, encoder, name, {"bytes": size, "exact": True})
    # A run that ends early has what most depends on.
    for effort in efforts:
        made = measure(sides.create_media(effort, NEW, OLD, effort))
        keep(effort, made, tree_size(sides.media(effort)))
        if effort == efforts[0]:
            keep("import delta", measure(sides.import_media(effort)))
            # Every blob by its digest, those of the registry's manifest among them.
            run("airstore", "-C", sides.site, "check")
    shutil.rmtree(sides.base)


def bench_others(work: Path, pair: Pair, tools: str, figures: Figures, *, resume: bool) -> None:
    """What others make of the plain tars."""
    home = work / "others" / f"{pair.name}-{tools}"
    for name, (command, result) in others(home, pair, tools).items():
        if resume and figures.has(pair.name, _OTHERS, name):
            continue
        measured = measure(command)
        size = tree_size(result) if result.is_dir() else result.stat().st_size
        figures.keep(pair.name, _OTHERS, name, _row(measured, size, exact=False))
    shutil.rmtree(home, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="pairs are kept here")
    parser.add_argument("--pairs", default=",".join(PAIRS), help="comma-separated (default: all)")
    parser.add_argument("--encoders", default=",".join(ENCODERS), help="of layers (default: both)")
    parser.add_argument("--efforts", default=",".join(_EFFORTS), help="of deltas (default: all)")
    parser.add_argument("--tools", choices=TOOLS, default="all", help="the others")
    parser.add_argument("--resume", action="store_true", help="do not measure again what has figures")
    parser.add_argument("--run", default="", help="said of it in the tables: version, machine")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write tables, plots and figures there")
    return parser.parse_args()


def main() -> None:
    options = _options()
    efforts = options.efforts.split(",")
    find_helm()
    work = options.work.resolve()
    figures = Figures(work / "figures.json", options.run)
    for pair in make_pairs(work, options.pairs.split(",")):
        for encoder in filter(None, options.encoders.split(",")):
            if not (options.resume and figures.has(pair.name, encoder, efforts[-1])):
                bench_airstore(work, pair, encoder, efforts, figures)
        bench_others(work, pair, options.tools, figures, resume=options.resume)
    print(write_report(figures.all(), options.out))


if __name__ == "__main__":
    main()
