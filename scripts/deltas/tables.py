"""Tables and plots of what was measured with pairs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scripts.benchmarks.plots import bars

Rows = Mapping[str, Mapping[str, Any]]
Figures = Mapping[str, Mapping[str, Rows]]
EFFORTS = ("fast", "normal", "max")
OTHERS = "others"
_WHOLE, _FULL, _REGISTRY = "whole layers", "full media", "registry"
_LABEL = "label"  # the pair of one image with another label
_STEPS = ("first release", _FULL, "import full", "next release", *EFFORTS, "import delta")
_HEAD = ("pair", "layers by", "run")
_RATIOS = ("set by", "normal / limit", "max / limit", "whole layers / normal", "full media / registry")
_NONE = "not run"


def write_report(found: Figures, out: Path | None) -> str:
    """The tables as Markdown; with ``out`` also files of them and plots."""
    text = "\n\n".join(_tables(found)) + "\n"
    if out:
        out.mkdir(parents=True, exist_ok=True)
        shown = {pair: sides for pair, sides in found.items() if any(map(_is_whole, sides.values()))}
        plots = {pair: bars(f"{pair}: bytes to carry", _carried(sides)) for pair, sides in shown.items()}
        for pair, plot in plots.items():
            (out / f"deltas-{pair}.svg").write_text(plot)
        images = "\n".join(f"![{pair}](deltas-{pair}.svg)\n" for pair in plots)
        (out / "deltas.md").write_text(f"# Deltas: the last run\n\n{text}\n{images}")
    return text


def limit(sides: Mapping[str, Rows]) -> tuple[str, int]:
    """Which of the others makes the least, and how much; nothing and 0 if none was asked."""
    known = {name: row["bytes"] for name, row in sides.get(OTHERS, {}).items()}
    name = min(known, key=known.__getitem__, default="")
    return name, known.get(name, 0)


def _tables(found: Figures) -> Iterator[str]:
    encoders = sorted({side for sides in found.values() for side, rows in sides.items() if _is_whole(rows)})
    measured = [
        (pair, encoder, sides)
        for pair, sides in found.items()
        for encoder in encoders
        if _is_whole(sides.get(encoder, {}))
    ]
    yield _table(["goal", "asked", *(f"{each}'s layers" for each in encoders)], [*_goals(found, encoders)])
    yield _table([*_HEAD, _WHOLE, *EFFORTS, "the limit", *_RATIOS], [_line(*each) for each in measured])
    others = {pair: sides[OTHERS] for pair, sides in found.items() if sides.get(OTHERS)}
    tools = sorted({name for rows in others.values() for name in rows})
    for what, show in (("others, bytes", _count), ("others, CPU seconds and peak MiB", _cost)):
        yield _table(
            [what, *tools], [[pair, *(show(r, tool) for tool in tools)] for pair, r in others.items()]
        )
    ours = [
        [pair, encoder, _run(sides[encoder]), *(_cost(sides[encoder], step) for step in _STEPS)]
        for pair, encoder, sides in measured
    ]
    yield _table([*_HEAD, *(f"{step}: CPU seconds, peak MiB" for step in _STEPS)], ours)


def _is_whole(rows: Rows) -> bool:
    """Whether the default effort was measured: what a run that ended early has of a pair says nothing."""
    return "normal" in rows


def _run(rows: Rows) -> str:
    """What is said of the run that measured the default effort."""
    said: str = rows["normal"].get("run", "")
    return said


def _goals(found: Figures, encoders: list[str]) -> Iterator[list[str]]:
    """Medians and worst of all pairs that have the figures; how many these are."""
    for name, asked, numbers in (
        ("normal / the limit, median", "1.1", [_median(_limits(found, e, "normal")) for e in encoders]),
        ("normal / the limit, worst", "1.4", [_worst(_limits(found, e, "normal")) for e in encoders]),
        ("max / the limit, median", "below 1", [_median(_limits(found, e, "max")) for e in encoders]),
        ("whole layers / normal, median", "30", [_median(_gains(found, e)) for e in encoders]),
        ("full media / registry, worst", "0.75", [_worst(_fulls(found, e)) for e in encoders]),
    ):
        yield [name, asked, *numbers]
    label = found.get(_LABEL, {})
    yield ["only a label changed, bytes", "20,000", *(_count(label.get(e, {}), "normal") for e in encoders)]


def _limits(found: Figures, encoder: str, effort: str) -> list[float]:
    over = (_over(_bytes(sides.get(encoder, {}), effort), limit(sides)[1]) for sides in found.values())
    return [value for value in over if value]


def _gains(found: Figures, encoder: str) -> list[float]:
    rows = (sides.get(encoder, {}) for sides in found.values())
    return [value for each in rows if (value := _over(_bytes(each, _WHOLE), _bytes(each, "normal")))]


def _fulls(found: Figures, encoder: str) -> list[float]:
    rows = (sides.get(encoder, {}) for sides in found.values())
    return [value for each in rows if (value := _over(_bytes(each, _FULL), _bytes(each, _REGISTRY)))]


def _median(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({len(values)} pairs)" if values else _NONE


def _worst(values: list[float]) -> str:
    return f"{max(values):.2f} ({len(values)} pairs)" if values else _NONE


def _line(pair: str, encoder: str, sides: Mapping[str, Rows]) -> list[str]:
    rows, (tool, least) = sides[encoder], limit(sides)
    ratios = (
        _over(_bytes(rows, "normal"), least),
        _over(_bytes(rows, "max"), least),
        _over(_bytes(rows, _WHOLE), _bytes(rows, "normal")),
        _over(_bytes(rows, _FULL), _bytes(rows, _REGISTRY)),
    )
    counts = [_count(rows, name) for name in (_WHOLE, *EFFORTS)]
    return [pair, encoder, _run(rows), *counts, f"{least:,}" if least else _NONE, tool or _NONE,
            *(f"{ratio:.2f}" if ratio else _NONE for ratio in ratios)]  # fmt: skip


def _carried(sides: Mapping[str, Rows]) -> dict[str, int]:
    """What crosses the gap, by what makes it; ours of each encoder."""
    ours = {
        f"airstore {effort}, {encoder}": _bytes(rows, effort)
        for encoder, rows in sides.items()
        if encoder != OTHERS
        for effort in EFFORTS
    }
    whole = {f"{_WHOLE}, {e}": _bytes(rows, _WHOLE) for e, rows in sides.items() if e != OTHERS}
    others = {name: row["bytes"] for name, row in sides.get(OTHERS, {}).items()}
    return {name: size for name, size in (ours | others | whole).items() if size}


def _over(size: int, below: int) -> float:
    return size / below if below else 0.0


def _bytes(rows: Rows, name: str) -> int:
    count: int = rows[name]["bytes"] if name in rows else 0
    return count


def _count(rows: Rows, name: str) -> str:
    return f"{rows[name]['bytes']:,}" if name in rows else _NONE


def _cost(rows: Rows, name: str) -> str:
    return f"{rows[name]['cpu']:.1f}, {rows[name]['peak'] >> 20}" if name in rows else _NONE


def _table(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *rows))
