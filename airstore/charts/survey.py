"""Rendering a product's charts under every choice of values a site may make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
    cases = [
        case
        for release in (*product.helm_releases, *unused)
        for upgrade in (False, True)
        for case in _cases(product, release, upgrade)
    ]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="airstore-render") as pool:
        return list(pool.map(lambda case: _render(helm, case, charts, kube_version), cases))


_AT_ONCE = 2  # Helm is a program of its own; each takes a core and some 60 MB


@dataclass(frozen=True)
class _Case:
    release: HelmRelease
    upgrade: bool
    variant: str
    values: tuple[Path, ...]


def _cases(product: Product, release: HelmRelease, upgrade: bool) -> Iterator[_Case]:
    own = tuple(product.path(path) for path in release.values)
    yield _Case(release, upgrade, "", own)
    for variant in product.variants:
        yield _Case(release, upgrade, variant, (*own, product.path(variant)))


def _render(helm: Helm, case: _Case, charts: Mapping[str, ResolvedChart], kube_version: str) -> Rendered:
    release, chart = case.release, charts[case.release.chart]
    # A variant is for the whole product, so a chart with a strict schema may not know all of its keys.
    target = Target(
        release.name, release.namespace, kube_version, case.upgrade, check_values=not case.variant
    )
    label = f"{case.variant} (upgrade)".strip() if case.upgrade else case.variant
    try:
        return render(helm, chart.name, chart.archive, target, case.values, variant=label)
    except UsageError as fault:
        if not release.bind:
            raise
        bound = ", ".join(sorted(release.bind))
        hint = f"only sites set {bound}; if one of them is required, give it a default in a values file"
        raise UsageError(str(fault), hint=hint) from fault
