"""Figures of a benchmark run as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from scripts.benchmarks.process import Measured

# What is compared with what; a sum of steps is compared as a sum.
_RATIOS = (
    (("ingest",), ("skopeo docker>dir",)),
    (("ingest",), ("skopeo dir>docker",)),
    (("import full",), ("skopeo docker>dir",)),
    (("import full",), ("skopeo dir>docker",)),
    (("push",), ("skopeo dir>docker",)),
    (("push",), ("skopeo oci>docker",)),
    (("media full",), ("docker save | gzip",)),
    (("ingest",), ("docker save | gzip",)),
    (("import full", "push"), ("skopeo oci>docker",)),
    (("import fast", "push fast"), ("skopeo oci>docker",)),
    (("import full", "push"), ("import fast", "push fast")),
    (("import full", "push"), ("docker load, push",)),
    (("import fast", "push fast"), ("docker load, push",)),
)


@dataclass(frozen=True)
class Row:
    """One step: its name, the bytes of image that it handles (0: none), and its runs, one a round."""

    label: str
    size: int
    runs: tuple[Measured, ...]


def report(rows: Sequence[Row], facts: dict[str, Any]) -> dict[str, Any]:
    """Print both tables; returns all figures for JSON."""
    ratios = list(_ratios({row.label: row for row in rows}))
    _print_facts(facts)
    print(
        f"\n{'step':<20} {'MB':>7} {'wall s: min':>12} {'median':>7} {'max':>7} {'CPU s':>7} {'servers':>8}"
        f" {'MB/s':>7} {'MB/CPU s':>9} {'peak MB':>8} {'child MB':>9}"
    )
    for row in rows:
        print(_line(row))
    print(f"\n{'ratio, below 1 is better':<48} {'wall: min':>9} {'median':>7} {'max':>7} {'CPU':>7}")
    for entry in ratios:
        low, middle, high = entry["wall"]
        print(f"{entry['what']:<48} {low:9.2f} {middle:7.2f} {high:7.2f} {entry['cpu'][1]:7.2f}")
    return {
        **facts,
        "ratios": ratios,
        "steps": {row.label: {"size": row.size, "runs": list(map(_figures, row.runs))} for row in rows},
    }


def _print_facts(facts: dict[str, Any]) -> None:
    print(f"{facts['cores']} cores, {facts['memory'] / 1e9:.0f} GB of memory, Python {facts['python']}")
    for version, size in facts["image"].items():
        print(f"image {version}: {_mb(size)} MB, {_mb(facts['image_plain'][version])} MB unpacked")
    shipped = facts["shipped"]
    print(f"changed layer: {_mb(facts['changed_layer'])} MB; shipped for it: {_mb(shipped['delta'])} MB")
    print(f"full media: {_mb(shipped['full'])} MB; with --effort fast: {_mb(shipped['fast'])} MB", end="")
    saved = shipped.get("docker save | gzip")
    print(f"; docker save | gzip: {_mb(saved)} MB" if saved else "; docker was not measured")


def _line(row: Row) -> str:
    low, middle, high = _spread(run.wall for run in row.runs)
    cpu = median(run.cpu for run in row.runs)
    servers = median(run.servers for run in row.runs)
    peak = max(run.peak for run in row.runs)
    child = max(run.child_peak for run in row.runs)
    speed = (
        f"{row.size / 1e6 / middle:7.1f} {row.size / 1e6 / (cpu + servers):9.1f}" if row.size else " " * 17
    )
    size = _mb(row.size) if row.size else ""
    return (
        f"{row.label:<20} {size:>7} {low:12.2f} {middle:7.2f} {high:7.2f} {cpu:7.2f} {servers:8.2f}"
        f" {speed} {peak / 1e6:8.0f} {child / 1e6:9.0f}"
    )


def _ratios(rows: dict[str, Row]) -> Iterable[dict[str, Any]]:
    for left, right in _RATIOS:
        if not {*left, *right} <= rows.keys():
            continue
        wall = [a / b for a, b in zip(_walls(rows, left), _walls(rows, right), strict=True)]
        cpu = [a / b for a, b in zip(_cpus(rows, left), _cpus(rows, right), strict=True)]
        what = f"{' + '.join(left)} / {' + '.join(right)}"
        yield {"what": what, "wall": _spread(wall), "cpu": _spread(cpu)}


def _walls(rows: dict[str, Row], labels: Iterable[str]) -> list[float]:
    return _sums([[run.wall for run in rows[label].runs] for label in labels])


def _cpus(rows: dict[str, Row], labels: Iterable[str]) -> list[float]:
    return _sums([[run.cpu + run.servers for run in rows[label].runs] for label in labels])


def _sums(columns: list[list[float]]) -> list[float]:
    return [sum(round_) for round_ in zip(*columns, strict=True)]


def _spread(values: Iterable[float]) -> tuple[float, float, float]:
    known = sorted(values)
    return known[0], median(known), known[-1]


def _figures(run: Measured) -> dict[str, Any]:
    return {key: value for key, value in asdict(run).items() if key != "output"}


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}"
