"""Plots as SVG: bars of bytes, lines of seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

_FONT = 'font-family="sans-serif" font-size="12"'
_BAR, _GAP = 16, 4  # pixels
_NAMES, _WIDTH, _COUNTS = 230, 400, 110
_COLOURS = ("#2b7a4b", "#b5532a", "#3a5fa8", "#8a5fa8", "#8a8f98", "#a88a2b")
_OURS, _OTHER = "#2b7a4b", "#8a8f98"


def bars(title: str, sizes: Mapping[str, int]) -> str:
    """Bars on a logarithmic scale, the smallest first; ours are green.

    Args:
        title: what is shown.
        sizes: bytes by name.
    """
    height = (len(sizes) + 2) * (_BAR + _GAP) + 14
    lines = [_begin(_NAMES + _WIDTH + _COUNTS, height, f"{title} (logarithmic)")]
    low, high = _decades(sizes)
    for decade in range(low, high + 1):
        across = _NAMES + _WIDTH * (decade - low) / (high - low)
        lines.append(_tick(across, height, _short(10**decade)))
    for number, (name, size) in enumerate(sorted(sizes.items(), key=lambda item: item[1]), 1):
        top = number * (_BAR + _GAP) + _GAP
        wide = max(2.0, _WIDTH * (math.log10(size) - low) / (high - low))
        colour = _OURS if name.startswith("airstore") else _OTHER
        lines += [
            f'<text x="{_NAMES - 6}" y="{top + 12}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_NAMES}" y="{top}" width="{wide:.0f}" height="{_BAR}" fill="{colour}"/>',
            f'<text x="{_NAMES + wide + 6:.0f}" y="{top + 12}">{size:,}</text>',
        ]
    return "\n".join([*lines, "</svg>"]) + "\n"


def lines(title: str, across: Sequence[int], series: Mapping[str, Sequence[float]]) -> str:
    """Lines over a logarithmic scale, zero at the bottom.

    Args:
        title: what is shown.
        across: where the points are, rising.
        series: a value at each of these points, by name.
    """
    height, bottom = 320, 290
    top = max(max(values) for values in series.values()) * 1.1
    low, high = math.log10(across[0]), math.log10(across[-1])
    drawn = [_begin(_NAMES + _WIDTH + _COUNTS, height, title)]
    places = [40 + _WIDTH * (math.log10(each) - low) / (high - low) for each in across]
    for place, each in zip(places, across, strict=True):
        drawn.append(_tick(place, height, f"{each:,}"))
    for share in (0.25, 0.5, 0.75, 1.0):
        y = bottom - (bottom - 30) * share
        drawn.append(f'<text x="34" y="{y + 4:.0f}" text-anchor="end" fill="#666">{top * share:.1f}</text>')
    # Names stand where their lines end, moved apart where two end at one place.
    free = float(height)
    for number, (name, values) in enumerate(sorted(series.items(), key=lambda item: item[1][-1])):
        colour = _COLOURS[number % len(_COLOURS)]
        spots = [(x, bottom - (bottom - 30) * y / top) for x, y in zip(places, values, strict=True)]
        free = min(spots[-1][1], free - 15)
        dots = " ".join(f"{x:.0f},{y:.0f}" for x, y in spots)
        drawn += [
            f'<polyline points="{dots}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{places[-1] + 8:.0f}" y="{free + 4:.0f}" fill="{colour}">{escape(name)}</text>',
        ]
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _begin(width: int, height: int, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {_FONT}>\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n'
        f'<text x="4" y="14" font-weight="bold">{escape(title)}</text>'
    )


def _tick(across: float, height: int, label: str) -> str:
    return (
        f'<line x1="{across:.0f}" y1="20" x2="{across:.0f}" y2="{height - 18}" stroke="#ddd"/>\n'
        f'<text x="{across:.0f}" y="{height - 4}" text-anchor="middle" fill="#666">{label}</text>'
    )


def _decades(sizes: Mapping[str, int]) -> tuple[int, int]:
    """Powers of ten around all sizes."""
    low = math.floor(math.log10(max(min(sizes.values(), default=1), 1)))
    return low, max(math.ceil(math.log10(max(sizes.values(), default=10))), low + 1)


def _short(count: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if count >= unit:
            return f"{count // unit} {name}"
    return f"{count} B"
