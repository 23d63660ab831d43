"""The report about a release as a page."""

from __future__ import annotations

from airstore.cli.views.pages.bars import image_bars, total_bars
from airstore.cli.views.pages.html import page
from airstore.ops.review.report import Report


def report_html(report: Report) -> bytes:
    """One self-contained page."""
    drawn = [bar for bar in image_bars(report.images) if bar.new_bytes]
    return page("report.html", report=report, images_drawn=drawn, totals=total_bars(report))
