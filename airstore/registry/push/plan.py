"""What a push will do, found out before anything is written: `plan_push` asks, `decide` decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airstore.core.errors import DamagedError, TransferError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Platform
from airstore.core.image.digest import Digest
from airstore.core.model.release import Artifact
from airstore.registry.client.manifests import FoundManifest, find_manifest
from airstore.registry.client.registry import RegistryClient
from airstore.registry.client.upload import RangeReader, prove
from airstore.registry.parallel import run_all
from airstore.registry.push.contents import Attachment, Placed, PushContents, TagPush, want

_REQUESTS = 8  # at a time


@frozen
class Mount:
    """A blob to take over from ``source``, another repository of the registry that has it by then."""

    placed: Placed
    source: str


@frozen
class PushPlan:
    """What is to be written to one registry.

    Attributes:
        host: the registry.
        uploads: blobs to send.
        mounts: blobs to take over from another repository, after the uploads.
        present: blobs that the registry proved to have.
        manifests: manifests to write, children before parents; those that are there already are left out.
        sparse: indexes that lack children, which the registry may refuse.
        tags: tags to write, last of all; those that are right already are left out.
        current: what each of these tags names now, where it exists.
        attachments: referrers; the registry's listing of them is brought up to date.
        optional: blobs and manifests that only attachments need.
        by_tag: those of the manifests that are written with their tag alone.
    """

    host: str
    uploads: tuple[Placed, ...]
    mounts: tuple[Mount, ...]
    present: tuple[Placed, ...]
    manifests: tuple[Placed, ...]
    sparse: frozenset[Digest]
    tags: tuple[TagPush, ...]
    current: Mapping[TagPush, Digest]
    attachments: tuple[Attachment, ...]
    optional: frozenset[Placed] = frozenset()
    by_tag: frozenset[Placed] = frozenset()

    @property
    def upload_bytes(self) -> int:
        """Bytes that will be sent if every mount is accepted."""
        return sum(placed.blob.size for placed in self.uploads)


@frozen
class Observed:
    """What a registry has of what is wanted: blobs it gives, manifests it gives, what tags name."""

    blobs: frozenset[Placed]
    manifests: frozenset[Placed]
    tags: Mapping[TagPush, Digest]


def plan_push(
    client: RegistryClient,
    artifacts: Sequence[Artifact],
    reader: RangeReader,
    platforms: Sequence[Platform] = (),
) -> PushPlan:
    """Find out what a registry lacks of the artifacts.

    Args:
        client: the registry.
        artifacts: images and charts.
        reader: gives the manifests.
        platforms: in order of preference, where one platform's manifest must stand in for an index.

    Raises:
        UsageError: two artifacts want the same tag for different content.
        DamagedError: an artifact lacks a part of itself, or the reader's copy is damaged.
        TransferError: the registry refused or broke off.
    """
    placed = [(client.repository(artifact.repository), artifact) for artifact in artifacts]
    wanted = want(placed, reader, platforms)
    return decide(client.host, wanted, observe(client, wanted))


def observe(client: RegistryClient, wanted: PushContents) -> Observed:
    """Ask a registry what it has; every yes is proved by reading.

    Raises:
        TransferError: the registry refused or broke off, not over an attachment alone.
    """

    def gives(placed: Placed) -> bool:
        try:
            return prove(client.transport, placed.repository, placed.blob)
        except TransferError:
            if placed not in wanted.optional:
                raise
            return False  # writing it will say what is the matter

    def names(asked: tuple[Placed, str]) -> FoundManifest | None:
        placed, selector = asked
        try:
            return find_manifest(client.transport, placed.repository, selector)
        except DamagedError:
            return None  # whatever is there is not what is wanted, so it is written anew
        except TransferError:
            if placed not in wanted.optional:
                raise
            return None

    named = run_all(names, [(Placed(t.repository, t.target), t.name) for t in wanted.tags], _REQUESTS)
    tags = {tag: found for tag, found in zip(wanted.tags, named, strict=True) if found}
    # What a tag gives is there, and what a tag is to name is mostly written with it.
    known = {Placed(tag.repository, found.descriptor) for tag, found in tags.items() if found.vouched}
    right = _right(wanted, {tag: found.descriptor.digest for tag, found in tags.items()})
    asked = [
        placed
        for placed in wanted.manifests
        if placed not in known and (placed in right or placed not in wanted.by_tag)
    ]
    there = run_all(names, [(placed, placed.blob.digest) for placed in asked], _REQUESTS)
    known |= {placed for placed, found in zip(asked, there, strict=True) if found}
    # Nothing else needs a manifest's own config: it is not asked for where the manifest is not there.
    new = {config for config, owner in wanted.configs.items() if owner not in known}
    asked_blobs = [placed for placed in wanted.blobs if placed not in new]
    blobs = run_all(gives, asked_blobs, _REQUESTS)
    return Observed(
        frozenset(placed for placed, given in zip(asked_blobs, blobs, strict=True) if given),
        frozenset(placed for placed in wanted.manifests if placed in known),
        {tag: found.descriptor.digest for tag, found in tags.items()},
    )


def decide(host: str, wanted: PushContents, observed: Observed) -> PushPlan:
    """What to write where: each blob is sent once and mounted everywhere else."""
    homes = {placed.blob.digest: placed.repository for placed in wanted.blobs if placed in observed.blobs}
    uploads: list[Placed] = []
    mounts: list[Mount] = []
    for placed in wanted.blobs:
        if placed in observed.blobs:
            continue
        if placed.blob.digest in homes:
            mounts.append(Mount(placed, homes[placed.blob.digest]))
        else:
            uploads.append(placed)
            homes[placed.blob.digest] = placed.repository
    tags = tuple(tag for tag in wanted.tags if observed.tags.get(tag) != tag.target.digest)
    return PushPlan(
        host=host,
        uploads=tuple(uploads),
        mounts=tuple(mounts),
        present=tuple(placed for placed in wanted.blobs if placed in observed.blobs),
        manifests=tuple(placed for placed in wanted.manifests if placed not in observed.manifests),
        sparse=wanted.sparse,
        tags=tags,
        current={tag: observed.tags[tag] for tag in tags if tag in observed.tags},
        attachments=wanted.attachments,
        optional=wanted.optional,
        by_tag=wanted.by_tag - observed.manifests - _right(wanted, observed.tags),
    )


def _right(wanted: PushContents, named: Mapping[TagPush, Digest]) -> frozenset[Placed]:
    """What has a tag that names it."""
    return frozenset(
        Placed(tag.repository, tag.target) for tag in wanted.tags if named.get(tag) == tag.target.digest
    )
