"""``airstore images find``: charts rendered every way a site may, and the images they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from airstore.charts.helm.command import Helm
from airstore.charts.images.discover import discover, unreadable
from airstore.charts.images.finding import ImageFinding, Unreadable
from airstore.charts.images.notices import notices
from airstore.charts.packages.resolve import ResolvedChart, resolve
from airstore.charts.rendering.render import Document, Rendered, RenderTarget
from airstore.charts.rendering.survey import Survey
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.image.reference import Reference, other_hash_hint
from airstore.core.model.product import Product
from airstore.core.notice import Notice
from airstore.deploy.hooks.jobs import is_job, read_job
from airstore.ops.registry.access import RegistryOptions
from airstore.registry.sources.places import match_place


def resolve_charts(product: Product, helm: Helm, access: RegistryOptions) -> tuple[ResolvedChart, ...]:
    """Fetch or package every chart of the product file.

    Raises:
        NotFoundError, TransferError: a chart cannot be had.
        UsageError, DamagedError: it is not the chart that the product file means, or no chart.
    """
    reach = access.chart_repository
    return tuple(resolve(helm, chart, product, access.chart, reach) for chart in product.charts)


@frozen
class Discovery:
    """What was found in the charts, and what a person should know of it."""

    findings: tuple[ImageFinding, ...]
    unreadable: tuple[Unreadable, ...]
    notices: tuple[Notice, ...]


def find_images(product: Product, charts: tuple[ResolvedChart, ...], surveyed: Survey) -> Discovery:
    """Everything discovery sees; doubtful and excluded places too.

    Raises:
        UsageError: a chart's list of images is not YAML, or a hook is no Job.
    """
    named = (section.image for section in (product.registry, product.applier) if section)
    include = (*product.include, *(str(image) for image in named if image))
    # First: what a chart rendered says more than they do about the values it was rendered with.
    both = [*_hooks(product), *surveyed.rendered]
    findings = discover(both, [chart.read() for chart in charts], include, product.exclude)
    unread = unreadable(both, product.exclude)
    said = notices(product, surveyed.rendered, findings, unread)
    sources = unused_sources(product.sources, [finding.reference for finding in findings if finding.fetched])
    return Discovery(tuple(findings), tuple(unread), (*surveyed.notices, *said, *sources))


def check_readable(unread: Iterable[Unreadable]) -> None:
    """Refuse a chart whose pods could not start anywhere.

    Raises:
        UsageError: a container's image is no reference; each is named with its place.
    """
    stopping = [one for one in unread if one.stops and not one.excluded_by]
    if not stopping:
        return
    places = [
        f"{one.text!r} ({one.kind} {one.name}, {one.path}, {one.source}"
        + (f", {one.variant})" if one.variant else ")")
        for one in stopping
    ]
    pin = next(filter(None, (other_hash_hint(one.text) for one in stopping)), "")
    raise UsageError(
        "containers' images that are no image references: " + "; ".join(places),
        hint=f"{pin or 'correct the chart or its values'}; if a program replaces it before the pod starts,"
        f" write images.exclude: [{stopping[0].text!r}]",
    )


def unused_sources(sources: Mapping[str, str], images: Sequence[Reference]) -> Iterator[Notice]:
    """Patterns of ``images.sources`` that no image of the release fits."""
    for pattern in sources if images else ():
        if not any(match_place(image, {pattern: ""}) is not None for image in images):
            without = any(match_place(image, {f"{pattern}:*": ""}) is not None for image in images)
            hint = f"patterns are held against HOST/PATH:TAG: write {pattern + ':*'!r}" if without else ""
            yield Notice(
                "pattern", f"images.sources: {pattern!r} matches nothing", hint or "correct it or remove it"
            )


def _hooks(product: Product) -> Iterator[Rendered]:
    """Hooks that are Jobs, as if a chart had rendered them."""
    for helm in product.helm_releases:
        for path in filter(is_job, helm.hooks.values()):
            document = Document(path, read_job(product.path(path).read_bytes(), path))
            yield Rendered(helm.chart, RenderTarget(helm.name, helm.namespace), "", "", (document,))
