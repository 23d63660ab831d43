"""What a push will do, found out before anything is written: `plan_push` asks, `decide` decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airstore.core.errors import DamagedError, TransferError
from airstore.core.image.descriptor import Platform
from airstore.core.image.digest import Digest
from airstore.core.model.release import Artifact
from airstore.registry.client.manifests import read_manifest
from airstore.registry.client.registry import RegistryClient
from airstore.registry.client.upload import RangeReader, prove
from airstore.registry.parallel import run_all
from airstore.registry.push.contents import Attachment, Placed, PushContents, TagPush, want

_REQUESTS = 8  # at a time


@dataclass(frozen=True)
class Mount:
    """A blob to take over from ``source``, another repository of the registry that has it by then."""

    placed: Placed
    source: str


@dataclass(frozen=True)
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

    @property
    def upload_bytes(self) -> int:
        """Bytes that will be sent if every mount is accepted."""
        return sum(placed.blob.size for placed in self.uploads)


@dataclass(frozen=True)
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

    def names(asked: tuple[Placed, str]) -> Digest | None:
        placed, selector = asked
        try:
            found = read_manifest(client.transport, placed.repository, selector)
        except DamagedError:
            return None  # whatever is there is not what is wanted, so it is written anew
        except TransferError:
            if placed not in wanted.optional:
                raise
            return None
        return found[0].digest if found else None

    blobs = run_all(gives, wanted.blobs, _REQUESTS)
    manifests = run_all(names, [(p, p.blob.digest) for p in wanted.manifests], _REQUESTS)
    targets = [(Placed(tag.repository, tag.target), tag.name) for tag in wanted.tags]
    tags = run_all(names, targets, _REQUESTS)
    return Observed(
        frozenset(placed for placed, there in zip(wanted.blobs, blobs, strict=True) if there),
        frozenset(placed for placed, there in zip(wanted.manifests, manifests, strict=True) if there),
        {tag: digest for tag, digest in zip(wanted.tags, tags, strict=True) if digest},
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
    )
