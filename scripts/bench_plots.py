"""Plots as SVG: bars of bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.sax.saxutils import escape

_FONT = 'font-family="sans-serif" font-size="12"'
_BAR, _GAP = 16, 4  # pixels
_NAMES, _WIDTH, _COUNTS = 230, 400, 110
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
