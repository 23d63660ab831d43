"""The report about a release as a page."""

from __future__ import annotations

from airstore.cli.views.pages.bars import WIDTH, image_bars, total_bars
from airstore.cli.views.pages.bounds import shown_files, shown_packages, shown_vulnerabilities
from airstore.cli.views.pages.html import page
from airstore.ops.review.report import Report


def report_html(report: Report) -> bytes:
    """One self-contained page."""
    drawn = [bar for bar in image_bars(report.images) if bar.new_bytes]
    files, more_files = shown_files(report.files)
    vulnerabilities, more_vulnerabilities = shown_vulnerabilities(report.boms)
    return page(
        "report.html",
        report=report,
        bars_width=int(WIDTH),
        images_drawn=drawn,
        totals=total_bars(report),
        packages=list(shown_packages(report.packages)),
        boms=list(shown_packages(report.boms)),
        vulnerabilities=vulnerabilities,
        more_vulnerabilities=more_vulnerabilities,
        files=files,
        more_files=more_files,
    )
