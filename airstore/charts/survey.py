"""Rendering a product's charts under every choice of values a site may make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from airstore.charts.helm import Helm
from airstore.charts.render import Rendered, Target, render
from airstore.charts.resolve import ResolvedChart
from airstore.core.errors import UsageError
from airstore.core.product import Product
from airstore.core.release import HelmRelease


def survey(
    helm: Helm, product: Product, charts: Mapping[str, ResolvedChart], kube_version: str = ""
) -> list[Rendered]:
    """Render each Helm release without and with each variant, as a first installation and as an upgrade.

    Some images, those of migrations above all, are named only on an upgrade. A chart that no Helm release
    of the product uses is rendered under its own name.

    Args:
        helm: renders.
        product: names the Helm releases and the variants.
        charts: the product's charts by name.
        kube_version: what charts are told to run on.

    Raises:
        NotFoundError: a values file does not exist.
        UsageError: a chart does not render; chart and variant are named.
    """
    used = {release.chart for release in product.helm_releases}
    unused = [HelmRelease(name, "default", name) for name in charts if name not in used]
    return [
        rendered
        for release in (*product.helm_releases, *unused)
        for upgrade in (False, True)
        for rendered in _variants(helm, product, release, charts[release.chart], kube_version, upgrade)
    ]


def _variants(
    helm: Helm, product: Product, release: HelmRelease, chart: ResolvedChart, kube_version: str, upgrade: bool
) -> Iterator[Rendered]:
    own = [product.path(path) for path in release.values]
    extra: list[tuple[str, list[Path]]] = [("", [])]
    extra += [(variant, [product.path(variant)]) for variant in product.variants]
    for variant, files in extra:
        # A variant is for the whole product, so a chart with a strict schema may not know all of its keys.
        target = Target(release.name, release.namespace, kube_version, upgrade, check_values=not files)
        label = f"{variant} (upgrade)".strip() if upgrade else variant
        try:
            yield render(helm, chart.name, chart.archive, target, [*own, *files], variant=label)
        except UsageError as fault:
            if not release.bind:
                raise
            bound = ", ".join(sorted(release.bind))
            hint = f"only sites set {bound}; if one of them is required, give it a default in a values file"
            raise UsageError(str(fault), hint=hint) from fault
