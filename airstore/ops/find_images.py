"""``airstore images find``: charts rendered every way a site may, and the images they ask for."""

from __future__ import annotations

from collections.abc import Mapping

from airstore.charts.discover import discover
from airstore.charts.finding import Finding
from airstore.charts.helm import Helm
from airstore.charts.render import Target, render
from airstore.charts.resolve import ResolvedChart, resolve
from airstore.charts.survey import survey
from airstore.core.product import Product
from airstore.ops.access import Access


def resolve_charts(product: Product, helm: Helm, access: Access) -> tuple[ResolvedChart, ...]:
    """Fetch or package every chart of the product file.

    Raises:
        NotFoundError, TransferError: a chart cannot be had.
        UsageError, DamagedError: it is not the chart that the product file means, or no chart.
    """
    reach = access.chart_repository
    return tuple(resolve(helm, chart, product, access.chart, reach) for chart in product.charts)


def find_images(product: Product, charts: tuple[ResolvedChart, ...], helm: Helm) -> tuple[Finding, ...]:
    """Everything discovery sees, under every values variant; doubtful and excluded places too.

    Raises:
        UsageError: a chart does not render; chart and variant are named.
    """
    rendered = survey(helm, product, {chart.name: chart for chart in charts})
    registry = product.registry.get("image")
    include = (*product.include, *((str(registry),) if registry else ()))
    return tuple(discover(rendered, [chart.read() for chart in charts], include, product.exclude))


def render_defaults(product: Product, charts: tuple[ResolvedChart, ...], helm: Helm) -> Mapping[str, str]:
    """What Helm would apply without any site's values: Helm release name to manifests, for auditors.

    Raises:
        UsageError: a chart does not render.
    """
    archives = {chart.name: chart.archive for chart in charts}
    result = {}
    for wanted in product.helm_releases:
        values = [product.path(path) for path in wanted.values]
        target = Target(wanted.name, wanted.namespace)
        result[wanted.name] = render(
            helm, wanted.chart, archives[wanted.chart], target, values, variant=f"release {wanted.name}"
        ).text
    return result
