"""Tables and plots of what was measured with pairs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Rows = Mapping[str, Mapping[str, Any]]
Figures = Mapping[str, Rows]
_OURS = ("airstore normal", "airstore max", "airstore fast")
_STEPS = (
    "airstore: first release", "airstore: full media", "airstore: import full", "airstore: next release",
    "airstore normal", "airstore: import delta",
)  # fmt: skip
_NOT_CARRIED = {"registry", "airstore: full media"}
_FONT = 'font-family="sans-serif" font-size="12"'
_BAR = 16  # pixels


def write_report(found: Figures, out: Path | None) -> str:
    """The tables as Markdown; with ``out`` also files of them and plots."""
    text = "\n\n".join([*_tables(found)]) + "\n"
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "deltas-table.md").write_text("# Deltas: the tables of the last run\n\n" + text)
        for pair, rows in found.items():
            (out / f"deltas-{pair}.svg").write_text(_plot(pair, _sizes(rows)))
    return text


def limit(rows: Rows) -> int:
    """The least that any of the others makes; 0 if none was asked."""
    others = (size for name, size in _sizes(rows).items() if not name.startswith(("airstore", "whole")))
    return min(others, default=0)


def _sizes(rows: Rows) -> dict[str, int]:
    """What crosses the gap, by what makes it."""
    return {name: row["bytes"] for name, row in rows.items() if row["bytes"] and name not in _NOT_CARRIED}


def _tables(found: Figures) -> Iterator[str]:
    names = sorted({name for rows in found.values() for name in _sizes(rows)}, key=_rank)
    bytes_ = [[name, *(_count(rows, name) for rows in found.values())] for name in names]
    yield _table(["bytes", *found], bytes_)
    yield _table(["ratio", *found, "median"], [*_ratios(found)])
    steps = [*_STEPS, *(name for name in names if not name.startswith(("airstore", "whole")))]
    taken = [[step, *(_taken(rows, step) for rows in found.values())] for step in steps]
    yield _table(["seconds / peak MiB", *found], taken)


def _taken(rows: Rows, step: str) -> str:
    return f"{rows[step]['wall']:.1f} / {rows[step]['peak'] >> 20}" if step in rows else ""


def _ratios(found: Figures) -> Iterator[list[str]]:
    for name in _OURS:
        yield _line(f"{name} / the limit", [_over(rows, name, limit(rows)) for rows in found.values()])
    yield _line(
        "whole layers / airstore normal",
        [_over(r, "whole layers", _bytes(r, _OURS[0])) for r in found.values()],
    )
    full = [_over(rows, "airstore: full media", _bytes(rows, "registry")) for rows in found.values()]
    yield _line("full media / the registry's bytes", full)


def _line(name: str, values: list[float]) -> list[str]:
    known = [value for value in values if value]
    median = f"{statistics.median(known):.2f}" if known else ""
    return [name, *(f"{value:.2f}" if value else "" for value in values), median]


def _over(rows: Rows, name: str, below: int) -> float:
    return _bytes(rows, name) / below if below else 0.0


def _bytes(rows: Rows, name: str) -> int:
    count: int = rows[name]["bytes"] if name in rows else 0
    return count


def _count(rows: Rows, name: str) -> str:
    return f"{rows[name]['bytes']:,}" if name in rows else ""


def _rank(name: str) -> tuple[int, str]:
    return (_OURS.index(name) if name in _OURS else 4 if name == "whole layers" else 3), name


def _table(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *rows))


def _plot(pair: str, sizes: Mapping[str, int]) -> str:
    """Bars on a logarithmic scale, from a thousandth of the largest."""
    largest, height = max(sizes.values()), (len(sizes) + 2) * (_BAR + 4)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" {_FONT}>',
        f'<text x="4" y="14" font-weight="bold">{pair}: bytes to carry (logarithmic)</text>',
    ]
    for number, (name, size) in enumerate(sorted(sizes.items(), key=lambda item: item[1]), 1):
        top = number * (_BAR + 4) + 4
        width = max(2, round(320 * (1 + _log(size / largest) / 3)))
        colour = "#2b7a4b" if name.startswith("airstore") else "#8a8f98"
        lines += [
            f'<text x="4" y="{top + 12}">{name}</text>',
            f'<rect x="220" y="{top}" width="{width}" height="{_BAR}" fill="{colour}"/>',
            f'<text x="{226 + width}" y="{top + 12}">{size:,}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _log(ratio: float) -> float:
    return max(-3.0, math.log10(ratio))
