"""Finding every image that a product needs, and saying why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from airstore.charts.images.chartimages import default_images, listed_images, place
from airstore.charts.images.documents import find_images, unreadable_images
from airstore.charts.images.finding import Hit, ImageFinding, Unreadable, matches, show_path
from airstore.charts.images.podspec import is_workload
from airstore.charts.packages.archive import ChartArchive
from airstore.charts.rendering.render import Rendered
from airstore.core.image.reference import Reference


def discover(
    rendered: Sequence[Rendered],
    archives: Iterable[ChartArchive],
    include: Iterable[str] = (),
    exclude: Sequence[str] = (),
) -> list[ImageFinding]:
    """Unite what every variant of every chart names.

    Args:
        rendered: the charts, each under every choice of values.
        archives: the same charts as packaged, for their annotations, lock files and unused values.
        include: references that the product file adds.
        exclude: patterns of false hits (see `matches`); what they match is listed, not fetched.

    Raises:
        UsageError: ``include`` holds something that is no reference, or a chart's list of images is not YAML.
    """
    found = dict.fromkeys(_rendered(rendered))
    charts = list(archives)
    unused = list(_unused(charts, rendered))
    found |= dict.fromkeys(_listed(charts, rendered, [*found, *unused]))
    known = {finding.reference for finding in found}
    found |= dict.fromkeys(f for f in unused if f.reference not in known)
    found |= dict.fromkeys(_included(include))
    return sorted((_judge(finding, exclude) for finding in found), key=_order)


def unreadable(rendered: Iterable[Rendered], exclude: Sequence[str] = ()) -> list[Unreadable]:
    """What containers have for an image and is none, each place once."""
    found: dict[tuple[str, ...], Unreadable] = {}
    for chart in rendered:
        for document in chart.documents:
            for path, text in unreadable_images(document.body):
                one = Unreadable(
                    text=text,
                    chart=chart.chart,
                    variant=chart.variant,
                    source=document.source,
                    kind=document.kind,
                    name=document.name,
                    path=show_path(path),
                    stops=is_workload(document.body),
                    excluded_by=next((pattern for pattern in exclude if fnmatchcase(text, pattern)), ""),
                )
                found.setdefault((one.source, one.kind, one.name, one.path, one.text), one)
    return list(found.values())


def _rendered(rendered: Iterable[Rendered]) -> Iterator[ImageFinding]:
    for chart in rendered:
        for document in chart.documents:
            for hit in find_images(document.body):
                finding = _finding(hit, chart.chart, chart.variant, document.source)
                yield replace(finding, kind=document.kind, name=document.name, test=document.is_test)


def _listed(
    charts: Iterable[ChartArchive], rendered: Sequence[Rendered], others: Sequence[ImageFinding]
) -> Iterator[ImageFinding]:
    """What charts list themselves.

    Annotations are their author's defaults: an image that the values or the manifests name, too, is decided
    there. One that only the annotation knows is run by some program.
    """
    used = {finding.reference for finding in others if finding.kind}
    decided = {_last(finding.reference) for finding in others}
    for chart in charts:
        for variant, values in _choices(chart, rendered):
            for placed in place(chart, values):
                for file, hit in listed_images(placed):
                    doubtful = (
                        file == "Chart.yaml" and hit.reference not in used and _last(hit.reference) in decided
                    )
                    one = replace(hit, confidence="possible") if doubtful else hit
                    yield _finding(one, chart.name, variant, f"{placed.path}/{file}")


def _last(reference: Reference) -> str:
    return reference.path.rpartition("/")[2]


def _unused(charts: Iterable[ChartArchive], rendered: Sequence[Rendered]) -> Iterator[ImageFinding]:
    for chart in charts:
        for variant, values in _choices(chart, rendered):
            for placed in place(chart, values):
                for hit in default_images(placed):
                    yield _finding(hit, chart.name, variant, f"{placed.path}/values.yaml")


def _choices(chart: ChartArchive, rendered: Sequence[Rendered]) -> list[tuple[str, dict[str, object]]]:
    choices = {r.variant: dict(r.values) for r in rendered if r.chart == chart.name}
    return list((choices or {"": {}}).items())


def _included(include: Iterable[str]) -> Iterator[ImageFinding]:
    for index, text in enumerate(include):
        yield ImageFinding(
            Reference.parse(text),
            "certain",
            "",
            "",
            "airstore.yaml",
            path=f"images.include[{index}]",
            text=text,
            rule="the product file says so",
        )


def _finding(hit: Hit, chart: str, variant: str, source: str) -> ImageFinding:
    return ImageFinding(
        hit.reference,
        hit.confidence,
        chart,
        variant,
        source,
        path=show_path(hit.path),
        text=hit.text,
        rule=hit.rule,
        variable=hit.variable,
    )


def _judge(finding: ImageFinding, exclude: Iterable[str]) -> ImageFinding:
    pattern = next((pattern for pattern in exclude if excludes(pattern, finding)), "")
    return replace(finding, excluded_by=pattern)


def excludes(pattern: str, finding: ImageFinding) -> bool:
    """Whether a pattern means what was found: the reference, or what is written there."""
    return matches(finding.reference, pattern) or bool(finding.text and fnmatchcase(finding.text, pattern))


def _order(finding: ImageFinding) -> tuple[str, ...]:
    return (
        str(finding.reference),
        finding.chart,
        finding.variant,
        finding.source,
        finding.name,
        finding.path,
        finding.confidence,
    )
