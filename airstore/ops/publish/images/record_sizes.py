"""Charts whose record Helm could not keep are found when the release is made, not at the site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from airstore.charts.packages.record import LARGEST, Record, record_of
from airstore.charts.packages.resolve import ResolvedChart
from airstore.charts.rendering.render import Rendered
from airstore.core.errors import UsageError
from airstore.core.model.product import Product
from airstore.core.notice import Notice

SMALLER = (
    "name what Helm does not need (documents, tests, examples, archives) in the chart's .helmignore; or split"
    " the chart"
)
_TIGHT = LARGEST * 9 // 10  # from here on a site's own values may be what is too much


def sizes_of(
    product: Product, charts: Iterable[ResolvedChart], rendered: Iterable[Rendered]
) -> dict[str, Record]:
    """Name of each Helm release to the record that its first installation writes."""
    named = {chart.name: chart for chart in charts}
    names = {helm.name: helm.chart for helm in product.helm_releases}
    return {
        one.target.name: record_of(named[names[one.target.name]].read(), one.values, one.text)
        for one in rendered
        if one.target.name in names and not one.variant and not one.target.upgrade
    }


def tight(records: Mapping[str, Record]) -> Iterator[Notice]:
    """What is said of Helm releases whose record nearly fills a Secret."""
    for name, record in records.items():
        if _TIGHT < record.size <= LARGEST:
            about = f"{name}: Helm's record of it is close to the {LARGEST} bytes that it may have"
            yield Notice("record-size", f"{about}: {_told(record)}")


def check_records(records: Mapping[str, Record]) -> None:
    """Refuse what no site could install.

    Raises:
        UsageError: a record is larger than a Secret can be; the message names the chart's largest files.
    """
    if over := oversized(records):
        listed = "\n".join(f"{name}: {told}" for name, told in over.items())
        raise UsageError(
            f"Helm could not keep its record of these Helm releases ({LARGEST} bytes at most):\n{listed}",
            hint=SMALLER,
        )


def oversized(records: Mapping[str, Record]) -> dict[str, str]:
    """Helm releases whose record is larger than a Secret can be, and what is in it."""
    return {name: _told(record) for name, record in records.items() if record.size > LARGEST}


def _told(record: Record) -> str:
    files = ", ".join(f"{path} ({size})" for path, size in record.largest)
    return f"about {record.size} bytes; the largest parts: {files}"
