"""``airstore images find``: charts rendered every way a site may, and the images they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from airstore.charts.discover import discover
from airstore.charts.finding import Finding
from airstore.charts.helm import Helm
from airstore.charts.render import Document, Rendered, Target
from airstore.charts.resolve import ResolvedChart, resolve
from airstore.charts.survey import survey
from airstore.core.product import Product
from airstore.deploy.hook_jobs import is_job, read_job
from airstore.ops.access import Access


def resolve_charts(product: Product, helm: Helm, access: Access) -> tuple[ResolvedChart, ...]:
    """Fetch or package every chart of the product file.

    Raises:
        NotFoundError, TransferError: a chart cannot be had.
        UsageError, DamagedError: it is not the chart that the product file means, or no chart.
    """
    reach = access.chart_repository
    return tuple(resolve(helm, chart, product, access.chart, reach) for chart in product.charts)


def render_all(product: Product, charts: tuple[ResolvedChart, ...], helm: Helm) -> list[Rendered]:
    """Every Helm release under every values variant, as an installation and as an upgrade.

    Raises:
        UsageError: a chart does not render; chart and variant are named.
    """
    return survey(helm, product, {chart.name: chart for chart in charts})


def find_images(
    product: Product, charts: tuple[ResolvedChart, ...], rendered: Sequence[Rendered]
) -> tuple[Finding, ...]:
    """Everything discovery sees; doubtful and excluded places too."""
    named = (section.get("image") for section in (product.registry, product.applier))
    include = (*product.include, *(str(image) for image in named if image))
    # First: what a chart rendered says more than they do about the values it was rendered with.
    both = [*_hooks(product), *rendered]
    return tuple(discover(both, [chart.read() for chart in charts], include, product.exclude))


def _hooks(product: Product) -> Iterator[Rendered]:
    """Hooks that are Jobs, as if a chart had rendered them."""
    for helm in product.helm_releases:
        for path in filter(is_job, helm.hooks.values()):
            document = Document(path, read_job(product.path(path).read_bytes(), path))
            yield Rendered(helm.chart, Target(helm.name, helm.namespace), "", "", (document,))


def vendor_manifests(product: Product, rendered: Iterable[Rendered]) -> dict[str, str]:
    """What Helm would install without any site's values: Helm release name to manifests, for auditors."""
    names = {helm.name for helm in product.helm_releases}
    return {
        one.target.name: one.text
        for one in rendered
        if one.target.name in names and not one.variant and not one.target.upgrade
    }
