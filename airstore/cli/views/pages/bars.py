"""The picture in a report: where its bars begin and how wide they are. Pure; the template draws."""

from __future__ import annotations

from collections.abc import Sequence

from airstore.core.frozen import frozen
from airstore.ops.review.changes import ImageRow
from airstore.ops.review.report import Report

WIDTH = 640.0  # of the longest bar, in the picture's own units
_THINNEST = 1.5  # what is there is seen
_SHOWN = 25  # images in one picture


@frozen
class Segment:
    """A piece of a bar: one blob."""

    left: float
    width: float
    new: bool
    title: str


@frozen
class Bar:
    """A bar and what stands at it."""

    label: str
    size: int
    new_bytes: int
    segments: tuple[Segment, ...]


def image_bars(images: Sequence[ImageRow]) -> list[Bar]:
    """The images with the most new bytes, each a bar of its blobs, all to one scale."""
    there = [row for row in images if row.parts]
    shown = sorted(there, key=lambda row: (-row.new_bytes, -row.size, row.name))[:_SHOWN]
    scale = WIDTH / max((row.size for row in shown), default=1)
    return [Bar(_label(row), row.size, row.new_bytes, _segments(row, scale)) for row in shown]


def total_bars(report: Report) -> list[Bar]:
    """What travels, by the way that it travels, to one scale."""
    sizes = [("all blobs, as a registry has them", report.size, False)]
    if report.old:
        sizes.append(("layers and charts that are new, whole", report.new_bytes, True))
    words = {
        "full": "full media",
        "delta": f"delta media from {report.old.release.version}" if report.old else "",
    }
    sizes += [(words[each.kind], each.size, True) for each in report.media if each.size is not None]
    scale = WIDTH / max(1, *(size for _, size, _ in sizes))
    return [
        Bar(label, size, size, (Segment(0, max(_THINNEST, size * scale), new, label),))
        for label, size, new in sizes
    ]


def _label(row: ImageRow) -> str:
    return f"{row.name}:{row.new}" if row.new and ":" not in row.name.rpartition("/")[2] else row.name


def _segments(row: ImageRow, scale: float) -> tuple[Segment, ...]:
    found, left = [], 0.0
    for part in row.parts:
        width = max(_THINNEST, part.size * scale)
        words = f"{part.digest}, {part.size} bytes, {'new' if part.new else 'there already'}"
        found.append(Segment(round(left, 2), round(width, 2), part.new, words))
        left += width
    return tuple(found)
