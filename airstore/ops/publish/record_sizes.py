"""Charts whose record Helm could not keep are found when the release is made, not at the site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from airstore.charts.packages.record import LARGEST, Record, record_of
from airstore.charts.packages.resolve import ResolvedChart
from airstore.charts.rendering.render import Rendered
from airstore.core.errors import UsageError
from airstore.core.notice import Notice
from airstore.core.product import Product

_TIGHT = LARGEST * 9 // 10  # from here on a site's own values may be what is too much


def check_records(
    product: Product, charts: Iterable[ResolvedChart], rendered: Iterable[Rendered]
) -> tuple[Notice, ...]:
    """What is said of Helm releases whose record nearly fills a Secret.

    Raises:
        UsageError: one is larger than a Secret can be; the message names the chart's largest files.
    """
    found = dict(_records(product, {chart.name: chart for chart in charts}, rendered))
    over = [f"{name}: {_told(record)}" for name, record in found.items() if record.size > LARGEST]
    if over:
        listed = "\n".join(over)
        raise UsageError(
            f"Helm could not keep its record of these Helm releases ({LARGEST} bytes at most):\n{listed}",
            hint="name what Helm does not need (documents, tests, examples, archives) in the chart's"
            " .helmignore; or split the chart",
        )
    return tuple(
        Notice(
            "record-size",
            f"{name}: Helm's record of it is close to the {LARGEST} bytes that it may have: {_told(record)}",
        )
        for name, record in found.items()
        if record.size > _TIGHT
    )


def _records(
    product: Product, charts: Mapping[str, ResolvedChart], rendered: Iterable[Rendered]
) -> Iterator[tuple[str, Record]]:
    names = {helm.name: helm.chart for helm in product.helm_releases}
    for one in rendered:
        if one.target.name in names and not one.variant and not one.target.upgrade:
            chart = charts[names[one.target.name]].read()
            yield one.target.name, record_of(chart, one.values, one.text)


def _told(record: Record) -> str:
    files = ", ".join(f"{path} ({size})" for path, size in record.largest)
    return f"about {record.size} bytes; the largest parts: {files}"
