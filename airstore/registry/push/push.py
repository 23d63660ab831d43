"""Pushing a plan: blobs, then manifests from the leaves up, then listings of referrers, tags last.

Everything written is read back before it counts (reference: registries that say yes and have nothing).
What only attachments need is optional: a registry that refuses it gets the images all the same.
"""

from __future__ import annotations

from airstore.core.frozen import frozen
from airstore.core.progress import Advance
from airstore.registry.client.registry import RegistryClient
from airstore.registry.client.upload import RangeReader, Uploader
from airstore.registry.push.contents import Placed, TagPush
from airstore.registry.push.plan import Mount, PushPlan, plan_push
from airstore.registry.push.pusher import Pusher, Substitution, Unattached

__all__ = ["PushPlan", "PushResult", "Substitution", "Unattached", "plan_push", "push"]


@frozen
class PushResult:
    """What a push did; everything in it was read back.

    Attributes:
        uploaded: blobs sent, those included whose mount was not accepted.
        mounted: blobs taken over from another repository.
        skipped: blobs that were there already.
        manifests: manifests and indexes written.
        tags: tags written.
        substituted: tags that name something else than the release says.
        refused: sparse indexes that the registry does not take; pulls by their digest will fail.
        unattached: what is attached to images and could not be written.
    """

    uploaded: tuple[Placed, ...]
    mounted: tuple[Mount, ...]
    skipped: tuple[Placed, ...]
    manifests: tuple[Placed, ...]
    tags: tuple[TagPush, ...]
    substituted: tuple[Substitution, ...]
    refused: tuple[Placed, ...]
    unattached: tuple[Unattached, ...]


def push(
    client: RegistryClient, plan: PushPlan, reader: RangeReader, advance: Advance, jobs: int = 4
) -> PushResult:
    """Carry a plan out; running it again after a failure resumes where it ended.

    Args:
        client: the registry the plan was made for.
        plan: from `plan_push`.
        reader: gives every blob and manifest of the plan.
        advance: called with every count of bytes that went out for the first time, one call at a time.
        jobs: transfers at once.

    Raises:
        TransferError: the registry refused, broke off, or does not give back what it took.
        DamagedError: the reader's own copy is damaged.
    """
    pusher = Pusher(client, plan, reader, jobs)
    mounted = pusher.move_blobs(Uploader(client.transport, reader, advance))
    refused = pusher.write_manifests()
    pusher.attach()
    tags, substituted = pusher.write_tags({placed.blob.digest for placed in refused})
    fallen_back = [mount.placed for mount in plan.mounts if mount not in mounted]
    lost = pusher.lost
    return PushResult(
        uploaded=tuple(placed for placed in (*plan.uploads, *fallen_back) if placed not in lost),
        mounted=tuple(mounted),
        skipped=plan.present,
        manifests=tuple(placed for placed in plan.manifests if placed not in {*refused, *lost}),
        tags=tuple(tags),
        substituted=tuple(substituted),
        refused=tuple(refused),
        unattached=pusher.unattached(),
    )
