"""``airstore registry gc``: tags and manifests of releases that are not kept, deleted from a registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airstore.core.frozen import frozen
from airstore.core.model.release import Artifact
from airstore.core.progress import Progress
from airstore.ops.gc.gc import kept_here
from airstore.ops.gc.pins import Pins
from airstore.ops.gc.plan import KeptRelease
from airstore.ops.stores.directory import StoreDirectory
from airstore.ops.stores.releases.collected import collected
from airstore.ops.stores.releases.summaries import holdings, release_of, summaries
from airstore.registry.client.registry import RegistryClient
from airstore.registry.push.removal import Unneeded, find, remove, unneeded


@frozen
class RegistryCollection:
    """What is deleted from a registry.

    Attributes:
        kept: releases that stay.
        dropped: versions of the others.
        found: what the registry has that only these need.
    """

    kept: tuple[KeptRelease, ...]
    dropped: tuple[str, ...]
    found: Unneeded

    @property
    def count(self) -> int:
        """Manifests and tags."""
        return len(self.found.manifests) + len(self.found.tags)


def plan_removal(
    store: StoreDirectory, client: RegistryClient, keep: int, pins: Callable[[], Pins]
) -> RegistryCollection:
    """Find out what a registry has of releases that are not kept; the store's content is not asked for.

    Args:
        store: of either side.
        client: the registry.
        keep: how many of the newest releases stay anyway.
        pins: finds out what else stays; asked with the store's lock.

    Raises:
        LockedError: another airstore process is changing the store.
        NotFoundError: nothing describes any more what runs.
        TransferError: the registry refused or broke off.
    """
    with store.locked(), store.open_blobs() as blobs:
        found = list(holdings(summaries(store), blobs, collected(store)))
        kept = kept_here(found, keep, pins())
    history, versions = store.history, {each.version for each in kept}
    stays: list[Sequence[Artifact]] = []
    goes: list[Sequence[Artifact]] = []
    for each in found:
        artifacts = release_of(history, each.summary).artifacts
        (stays if each.summary.link.version in versions else goes).append(artifacts)
    dropped = tuple(each.summary.link.version for each in found if each.summary.link.version not in versions)
    return RegistryCollection(tuple(kept), dropped, find(client, unneeded(stays, goes)))


def delete(client: RegistryClient, plan: RegistryCollection, progress: Progress) -> int:
    """Delete what was planned; how many manifests and tags are gone. Killed, the next run does the rest.

    Raises:
        TransferError: the registry does not allow it, or broke off.
    """
    with progress.task(f"deleting from {client.host}", plan.count) as advance:
        return remove(client, plan.found, advance)
