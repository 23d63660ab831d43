"""A release as this site would install it: charts rendered with the site's values, nothing changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any

from airstore.charts.helm.command import Helm
from airstore.charts.helm.postrender import sees_hooks
from airstore.charts.images.rewrite import Rewriting, leftovers, rewrite
from airstore.charts.packages.archive import read_chart
from airstore.charts.rendering.live import LiveCluster, render_live
from airstore.charts.rendering.render import Document, RenderTarget, render
from airstore.charts.schemas.documents import NONE, SchemaDocuments
from airstore.charts.schemas.references import foreign_references
from airstore.core.durable import write_file
from airstore.core.errors import UsageError
from airstore.core.frozen import frozen
from airstore.core.leftovers import scratch_directory
from airstore.core.limits import LIMITS
from airstore.core.model.release import Chart, HelmRelease, Release
from airstore.core.model.site import SiteFile
from airstore.core.parsing import yamlfile
from airstore.deploy.helm.kept import flattened
from airstore.deploy.model.redact import Hide, Redactor, secret_values, unkeyed_digest
from airstore.deploy.model.target import is_hook
from airstore.deploy.plan.crds import chart_crds
from airstore.deploy.plan.plan import normalise
from airstore.deploy.plan.values import site_values
from airstore.history.ledger import Running
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.schemas import schemas_of
from airstore.ops.stores.site.ledgers import redaction
from airstore.store.blobs import BlobStore

_REGISTRY = "registry.host"  # what a chart is bound to that names the site's registry itself


@frozen
class PreparedRelease:
    """One Helm release, rendered.

    Attributes:
        running: what the ledger will say of it.
        values: values files, the site's part last.
        secrets: texts that must not be shown.
        rewriting: how its image references are rewritten; None where they are not.
        hook_rewriting: how those of its hooks' Jobs are: nothing renders them, so no binding reaches them.
        leftovers: images that rewriting cannot reach, each with its place.
        documents: what would be installed, hooks included, Secrets in plain text.
        kube_version: of the cluster it was rendered for; empty where it was rendered without one.
    """

    running: Running
    values: tuple[bytes, ...] = field(repr=False)
    secrets: frozenset[str] = field(repr=False)
    rewriting: Rewriting | None = field(default=None, repr=False)
    hook_rewriting: Rewriting | None = field(default=None, repr=False)
    leftovers: tuple[str, ...] = ()
    kube_version: str = ""
    documents: tuple[dict[str, Any], ...] = field(default=(), repr=False)


@frozen
class Rendering:
    """How charts are rendered at a site.

    Attributes:
        cluster: where they are going to be installed; None renders without one, as far as that goes.
        installed: keys of the Helm releases that are installed there, for which it would be an upgrade.
    """

    helm: Helm
    cluster: LiveCluster | None = None
    installed: frozenset[str] = frozenset()


def prepare_release(
    store: StoreDirectory,
    blobs: BlobStore,
    rendering: Rendering,
    site: SiteFile,
    release: Release,
    only: Collection[str] | None = None,
) -> tuple[PreparedRelease, ...]:
    """Render every Helm release of a release, or those of these names, as this site would install it.

    Raises:
        UsageError: a chart does not render, or a bound variable is not set.
    """
    charts = {chart.name: chart for chart in release.charts}
    commit = store.history.find(release.version).commit
    far = cache(lambda: schemas_of(store, release))  # one may be of a megabyte, and few charts need any
    hide, prepared = redaction(store), []
    for wanted in release.helm_releases:
        if only is not None and wanted.name not in only:
            continue
        chart = charts[wanted.chart]
        archive = blobs.read_bytes(chart.archive.digest, LIMITS.chart_archive)
        values = [store.history.read(commit, path) for path in wanted.values]
        extra = site_values(wanted, site)
        rules = rewriting_of(wanted, release, site)
        if extra:
            values.append(yamlfile.dump(extra).encode())
        target = _target(rendering, wanted, far() if foreign_references(archive) else NONE)
        rendered = _render(rendering, target, archive, values, chart.name)
        documents, left = (
            _rewritten(rendered, rules, sees_hooks(rendering.helm.version()[0])) if rules else (rendered, ())
        )
        rules = rules.only(each.body for each in rendered) if rules else None
        known = Redactor.of([extra, *(yamlfile.load(each, "values") for each in values)]).secrets
        running = _running(wanted, chart, documents, hide)
        secrets = known | secret_values(each.body for each in documents)
        bound = _REGISTRY in wanted.bind.values()
        hooks = _where(release, site) if rules or bound else None
        kube = rendering.cluster.version if rendering.cluster else ""
        bodies = tuple(flattened(each.body for each in documents if not each.is_test))
        prepared.append(PreparedRelease(running, tuple(values), secrets, rules, hooks, left, kube, bodies))
    return tuple(prepared)


def rewriting_of(wanted: HelmRelease, release: Release, site: SiteFile) -> Rewriting | None:
    """How the image references of a Helm release are rewritten at this site; None where they are not.

    Raises:
        UsageError: they are, but the site file names no registry.
    """
    if wanted.references != "rewrite":
        return None
    if site.registry.address is None:
        raise UsageError(
            f"the product rewrites the images of {wanted.name} to the site's registry, which the site file"
            " does not name",
            hint=f"add 'registry: {{host: registry.site.example}}' to {site.name}",
        )
    return _where(release, site)


def _where(release: Release, site: SiteFile) -> Rewriting:
    # A registry that refuses incomplete indexes has the one platform's manifest under the tag instead.
    images = {str(i.reference): "" if i.missing else str(i.root.digest) for i in release.images}
    return Rewriting(site.registry.address or "", images, site.registry.pull_secret or "")


def _rewritten(
    documents: Sequence[Document], rules: Rewriting, hooks: bool
) -> tuple[tuple[Document, ...], tuple[str, ...]]:
    """The documents as the post-renderer will make them, and what it leaves."""
    changed, left = [], []
    for each in documents:
        unseen = is_hook(each.body) and not hooks
        changed.append(each if unseen else dataclasses.replace(each, body=rewrite(each.body, rules)))
        if not each.is_test:
            why = (
                "Helm 3 hands no hooks to a post-renderer, Helm 4 does"
                if unseen
                else "rewriting cannot reach it"
            )
            found = leftovers(changed[-1].body, rules)
            left += [f"{each.kind} {each.name}: {place}: {why}" for place in found]
    return tuple(changed), tuple(left)


def _running(wanted: HelmRelease, chart: Chart, documents: Sequence[Document], hide: Hide) -> Running:
    bodies = [document.body for document in documents if not document.is_test]
    return Running(
        name=wanted.name,
        namespace=wanted.namespace,
        chart=chart.name,
        chart_version=chart.version,
        archive=chart.archive.digest,
        rendered=normalise(bodies, hide),
        unkeyed=lambda: normalise(bodies, unkeyed_digest),
    )


def _target(rendering: Rendering, wanted: HelmRelease, schemas: SchemaDocuments) -> RenderTarget:
    upgrade = f"{wanted.namespace}/{wanted.name}" in rendering.installed
    return RenderTarget(wanted.name, wanted.namespace, upgrade=upgrade, schemas=schemas)


def _render(
    rendering: Rendering, target: RenderTarget, archive: bytes, values: Sequence[bytes], chart: str
) -> tuple[Document, ...]:
    variant = f"release {target.name}"
    if rendering.cluster:
        what = f"chart {chart} with {variant}"
        live = render_live(rendering.helm, archive, target, values, rendering.cluster, what)
        definitions = (Document("crds/", each) for each in chart_crds(read_chart(archive, what)))
        return (*definitions, *live)
    # Values may hold passwords: private files in a private directory, never arguments.
    with scratch_directory("values") as scratch:
        files = []
        for number, content in enumerate(values):
            files.append(Path(scratch) / f"values-{number}.yaml")
            write_file(files[-1], content, mode=0o600)
        return render(rendering.helm, chart, archive, target, files, variant=variant).documents
