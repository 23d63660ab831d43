"""Rendering a product's charts under every choice of values and on every cluster that a site may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from airstore.charts.helm.command import Helm
from airstore.charts.packages.resolve import ResolvedChart
from airstore.charts.rendering.kubeversion import candidates, complains
from airstore.charts.rendering.randomness import may_be_random, settled
from airstore.charts.rendering.render import Rendered, RenderTarget, render
from airstore.charts.schemas.checkable import checkable
from airstore.charts.schemas.collect import NOTHING, FoundSchemas
from airstore.charts.schemas.documents import shown
from airstore.charts.schemas.told import told
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.model.product import Product
from airstore.core.model.release import HelmRelease
from airstore.core.notice import Notice

_AT_ONCE = 2  # Helm is a program of its own; each takes a core and some 60 MB
_RANDOM = 3  # times that a chart which may be random is rendered again
_NAMED = 3  # random values that are named
_DISAGREES = "values don't meet the specifications"  # Helm, of a schema
_SHOWN = 300  # characters of what a chart says that are repeated


@frozen
class Survey:
    """Every rendering, and what was noticed on the way.

    Attributes:
        manifests: Helm release to what Helm would install with the vendor's own values on the first cluster;
            what differs at each rendering is a placeholder there.
    """

    rendered: tuple[Rendered, ...]
    notices: tuple[Notice, ...]
    manifests: Mapping[str, str]


def survey(
    helm: Helm, product: Product, charts: Mapping[str, ResolvedChart], schemas: FoundSchemas = NOTHING
) -> Survey:
    """Render each Helm release without and with each variant, as a first installation and as an upgrade.

    Some images, those of migrations above all, are named only on an upgrade; a chart that refuses to be
    upgraded with its default values is rendered as an installation alone. A chart that no Helm release of the
    product uses is rendered under its own name.

    Args:
        helm: renders.
        product: names the Helm releases, the variants, and the clusters of its sites.
        charts: the product's charts by name.
        schemas: what their values schemas refer to elsewhere, as far as it can be had.

    Raises:
        NotFoundError: a values file does not exist.
        UsageError: a chart does not render; chart and variant are named.
    """
    used = {release.chart for release in product.helm_releases}
    unused = [HelmRelease(name, "default", name) for name in charts if name not in used]
    groups = [list(_cases(product, release)) for release in (*product.helm_releases, *unused)]
    again = [
        cases[0] for cases in groups[: len(product.helm_releases)] for _ in range(_repeats(cases[0], charts))
    ]
    cases = [case for group in groups for case in group]

    def attempt(case: _Case) -> tuple[Rendered | None, list[Notice]]:
        held = replace(case, target=replace(case.target, schemas=schemas.documents))
        return _render(helm, held, charts[case.release.chart])

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="airstore-render") as pool:
        results = list(pool.map(attempt, [*cases, *again]))
    first, repeated = results[: len(cases)], results[len(cases) :]
    manifests, random = _manifests([found for found, _ in first if found], [found for found, _ in repeated])
    rendered = tuple(found for found, _ in first if found)
    said = [notice for _, notices in first for notice in notices]
    said += [notice for chart in charts.values() for notice in told(chart.name, chart.archive, schemas)]
    return Survey(rendered, tuple(dict.fromkeys([*said, *random])), manifests)


def _repeats(case: _Case, charts: Mapping[str, ResolvedChart]) -> int:
    """How often to render again: a random minute is the same by chance once in sixty times."""
    files = charts[case.release.chart].read().files.values()
    given = (path.read_bytes() for path in case.values if path.is_file())
    return _RANDOM if may_be_random((*files, *given)) else 1


def _manifests(
    rendered: Sequence[Rendered], repeated: Sequence[Rendered | None]
) -> tuple[dict[str, str], list[Notice]]:
    """What Helm would install, for auditors, without what is random in it."""
    manifests: dict[str, str] = {}
    notices = []
    for name in dict.fromkeys(found.target.name for found in repeated if found):
        first = next(found.text for found in rendered if found.target.name == name)
        texts = [first, *(found.text for found in repeated if found and found.target.name == name)]
        manifests[name], random = settled(texts)
        if random:
            places = "; ".join(random[:_NAMED]) + ("; ..." if len(random) > _NAMED else "")
            notices.append(
                Notice(
                    "random",
                    f"Helm release {name}: {len(random)} values differ at each rendering ({places});"
                    " the release says so in their place, and each site makes its own",
                    strict=False,
                )
            )
    return manifests, notices


@frozen
class _Case:
    release: HelmRelease
    target: RenderTarget
    label: str
    values: tuple[Path, ...]


def _cases(product: Product, release: HelmRelease) -> Iterator[_Case]:
    """An installation before its upgrade, the vendor's own values on the first cluster before all else."""
    own = tuple(product.path(path) for path in release.values)
    for upgrade in (False, True):
        for variant in ("", *product.variants):
            values = (*own, product.path(variant)) if variant else own
            for target, where in _clusters(product, release):
                # A variant is for the whole product: a chart with a strict schema may not know all its keys.
                wanted = replace(target, upgrade=upgrade, check_values=not variant)
                parts = [variant, where, "(upgrade)" if upgrade else ""]
                yield _Case(release, wanted, " ".join(filter(None, parts)), values)


def _clusters(product: Product, release: HelmRelease) -> Iterator[tuple[RenderTarget, str]]:
    """Each version, without and with the APIs that a site may have, and what to call it."""
    for version in product.kube_versions or ("",):
        named = f"on Kubernetes {version}" if len(product.kube_versions) > 1 else ""
        target = RenderTarget(release.name, release.namespace, _in_full(version))
        yield target, named
        if product.api_versions:
            yield replace(target, api_versions=product.api_versions), f"{named} with all APIs".strip()


def _in_full(version: str) -> str:
    """A version that templates can compare; "1.31" alone is what people write."""
    return f"{version}.0" if re.fullmatch(r"v?\d+\.\d+", version) else version


def _render(helm: Helm, case: _Case, chart: ResolvedChart) -> tuple[Rendered | None, list[Notice]]:
    def attempt(target: RenderTarget) -> Rendered:
        return render(helm, chart.name, chart.archive, target, case.values, variant=case.label)

    try:
        return attempt(case.target), []
    except UsageError as fault:
        if complains(str(fault)) and not case.target.kube_version:
            return _on_another(chart, case, attempt, fault)
        if case.target.upgrade:
            return None, [_refused(chart, fault)]
        raise _explained(case, fault, chart) from fault


def _refused(chart: ResolvedChart, fault: UsageError) -> Notice:
    said = " ".join(str(fault).partition("helm: ")[2].split())[:_SHOWN]
    return Notice(
        "upgrade",
        f"chart {chart.name} refuses to be rendered as an upgrade: {said}",
        "images that only an upgrade names are not found; a values file under discover.values may give what"
        " the chart asks for",
    )


def _on_another(
    chart: ResolvedChart, case: _Case, attempt: Callable[[RenderTarget], Rendered], fault: UsageError
) -> tuple[Rendered | None, list[Notice]]:
    """Render for a cluster that the chart is content with, where nobody said what sites have."""
    wanted = str(chart.read().metadata.get("kubeVersion") or "")
    for version in candidates(wanted or str(fault)):
        try:
            found = attempt(replace(case.target, kube_version=version))
        except UsageError as other:
            if not complains(str(other)):
                if case.target.upgrade:
                    return None, [_refused(chart, other)]
                raise _explained(case, other, chart) from other
            continue
        return found, [
            Notice(
                "kubeVersion",
                f"chart {chart.name} is for Kubernetes {wanted or 'of another version'} and was rendered for"
                f" {version}",
                f"name the versions that sites run: kubeVersions: [{version}] in the product file",
            )
        ]
    raise UsageError(
        str(fault), hint="name the versions that sites run under kubeVersions in the product file"
    )


def _explained(case: _Case, fault: UsageError, chart: ResolvedChart) -> UsageError:
    if complains(str(fault)):
        hint = "the product file's kubeVersions and the chart's kubeVersion have to agree"
        return UsageError(str(fault), hint=hint)
    hints = []
    if case.release.bind:
        bound = ", ".join(sorted(case.release.bind))
        hints.append(
            f"only sites set {bound}; if one of them is required, give it a default in a values file"
        )
    used = sorted(checkable(chart.archive, case.target.schemas).used) if _DISAGREES in str(fault) else []
    if used:
        read = ", ".join(shown(url) for url in used[:_NAMED])
        hints.append(f"of its schema, this was read where the chart refers to: {read}")
    return UsageError(str(fault), hint="; ".join(hints)) if hints else fault
