"""What the applier in the cluster is made of, and what it may do: from the releases it will work with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import Any

from airstore.charts.helm.command import Helm
from airstore.cluster.applier import objects as make
from airstore.cluster.applier.rights import ReleaseManifests, Rights, rights_of, with_mark
from airstore.cluster.applier.settings import ApplierSettings, applier_settings
from airstore.core.frozen import frozen
from airstore.core.model.gates import HttpGate
from airstore.core.model.release import Release
from airstore.core.model.site import SiteFile
from airstore.deploy.checks.preflight import permissions
from airstore.deploy.hooks.jobs import is_job
from airstore.deploy.model.target import ReleaseTarget, targets_of
from airstore.history import ledger
from airstore.ops.apply.session.prepare import Rendering, prepare_release
from airstore.ops.apply.session.session import LEASE_NAMESPACE
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.summaries import by_version, holdings, summaries
from airstore.ops.stores.releases.trusted import held_release, state_release, trusted_release
from airstore.ops.stores.site.anchor_places import config_map_of
from airstore.store.blobs import BlobStore

_STATES = 2  # of the ledger: what runs, and what a rollback goes back to


@frozen
class Applier:
    """The applier in the cluster, as it shall be.

    Attributes:
        documents: its objects, in the order in which they are made.
    """

    settings: ApplierSettings
    rights: Rights
    documents: tuple[dict[str, Any], ...] = field(repr=False)


@frozen
class ApplierSource:
    """What its objects are made from."""

    store: StoreDirectory
    blobs: BlobStore
    helm: Helm
    site: SiteFile


def plan_applier(source: ApplierSource, version: str = "", storage_class: str = "") -> Applier:
    """The applier for a release, with the rights for it and for what there may be to go back to.

    Args:
        source: store and site file.
        version: the release it shall be able to apply; empty for the newest.
        storage_class: of its volume; empty for the cluster's default.

    Raises:
        UsageError: the release brings no applier, or has a Role that no applier may make.
        IncompleteError: blobs of the release are missing.
    """
    release = held_release(source.store, source.blobs, version)
    settings = applier_settings(release, source.site, storage_class)
    works = list(_works(source, release))
    wanted = permissions(works)
    lease = (LEASE_NAMESPACE, f"airstore-{release.product}")
    rights = rights_of([_part(target) for target in works], wanted, lease)
    rights = with_mark(rights, config_map_of(source.store.anchor))
    documents = (
        *make.namespaces(settings, rights, LEASE_NAMESPACE),
        *make.permissions(settings, rights),
        make.claim(settings),
        make.deployment(settings),
    )
    return Applier(settings, rights, documents)


def _works(source: ApplierSource, release: Release) -> Iterator[ReleaseTarget]:
    """Helm releases of this release, of what ran here, and of every release between that is held.

    Between: the ledger here may be older than the one in the cluster.
    """
    entries = [entry for entry in ledger.entries(source.store.history) if entry.changed][:_STATES]
    for entry in entries:
        ran = state_release(source.store, entry.version)
        yield from targets_of(entry.running, ran).values()
    every = list(holdings(summaries(source.store), source.blobs))
    newest = by_version(each.summary for each in every).get(entries[0].version) if entries else None
    since = newest.sequence if newest else release.sequence
    for each in every:
        version = each.summary.link.version
        between = since < each.summary.sequence < release.sequence and each.whole
        if version == release.version or between:
            yield from _rendered(source, trusted_release(source.store, version))


def _rendered(source: ApplierSource, release: Release) -> Iterable[ReleaseTarget]:
    prepared = prepare_release(source.store, source.blobs, Rendering(source.helm), source.site, release)
    return targets_of([each.running for each in prepared], release).values()


def _part(target: ReleaseTarget) -> ReleaseManifests:
    hooks = target.helm.hooks.values()
    return ReleaseManifests(
        namespace=target.namespace,
        places=frozenset(target.namespaces),
        documents=tuple(target.documents()),
        scripts=not all(map(is_job, hooks)),
        jobs=any(map(is_job, hooks)),
        urls=tuple(gate.url for gate in target.helm.health if isinstance(gate, HttpGate)),
    )
