"""``airstore plan``: which Helm releases would change at a site, without changing anything."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airstore.charts.helm import Helm
from airstore.charts.render import Target, render
from airstore.core.durable import write_file
from airstore.core.limits import LIMITS
from airstore.core.release import HelmRelease, Release
from airstore.core.site import SiteFile
from airstore.deploy import ledger
from airstore.deploy.ledger import Running
from airstore.deploy.plan import Step, normalise, plan
from airstore.deploy.values import site_values
from airstore.ops.directory import StoreDirectory
from airstore.ops.trusted import trusted_release
from airstore.store.blobs import BlobStore


@dataclass(frozen=True)
class SitePlan:
    """What an apply would do to Helm releases.

    Attributes:
        version: the release that would run.
        running: the release that runs now; empty when nothing does.
    """

    version: str
    running: str
    steps: tuple[Step, ...]


def plan_site(
    store: StoreDirectory, blobs: BlobStore, helm: Helm, site: SiteFile, version: str, compare: str = ""
) -> SitePlan:
    """Compare a release, rendered with the site's values, with what the ledger says runs.

    Args:
        store: a site's.
        blobs: the store's blobs.
        helm: renders.
        site: the site file.
        version: the release to plan; empty for the newest one.
        compare: compare with this release, rendered with the same site file, instead of the ledger.

    Raises:
        NotFoundError: no such release.
        UsageError: a chart does not render, or a bound variable is not set.
    """
    target = trusted_release(store, version)
    wanted = render_release(store, blobs, helm, site, target)
    if compare:
        running, now = compare, render_release(store, blobs, helm, site, trusted_release(store, compare))
    else:
        entry = ledger.running(store.history)
        running, now = (entry.version, entry.running) if entry else ("", ())
    return SitePlan(target.version, running, plan(wanted, now))


def render_release(
    store: StoreDirectory, blobs: BlobStore, helm: Helm, site: SiteFile, release: Release
) -> tuple[Running, ...]:
    """Render every Helm release of a release as this site would install it."""
    charts = {chart.name: chart for chart in release.charts}
    commit = store.history.find(release.version).commit
    rendered = []
    for wanted in release.helm_releases:
        chart = charts[wanted.chart]
        archive = blobs.read_bytes(chart.archive.digest, LIMITS.chart_archive)
        values = [store.history.read(commit, path) for path in wanted.values]
        rendered.append(
            Running(
                name=wanted.name,
                namespace=wanted.namespace,
                chart=chart.name,
                chart_version=chart.version,
                archive=chart.archive.digest,
                rendered=_render(helm, wanted, archive, values, site_values(wanted, site)),
            )
        )
    return tuple(rendered)


def _render(
    helm: Helm, wanted: HelmRelease, archive: bytes, values: Sequence[bytes], extra: Mapping[str, Any]
) -> str:
    # Values may hold passwords: private files in a private directory, never arguments.
    with tempfile.TemporaryDirectory(prefix="airstore-values-") as scratch:
        files = []
        for number, content in enumerate(values):
            files.append(Path(scratch) / f"values-{number}.yaml")
            write_file(files[-1], content, mode=0o600)
        target = Target(wanted.name, wanted.namespace)
        result = render(
            helm, wanted.chart, archive, target, files, set_values=extra, variant=f"release {wanted.name}"
        )
    return normalise(document.body for document in result.documents if not document.is_test)
