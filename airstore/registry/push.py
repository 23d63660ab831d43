"""Pushing a plan: blobs, then manifests from the leaves up, then listings of referrers, tags last.

Everything written is read back before it counts (reference: registries that say yes and have nothing).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airstore.core import oci
from airstore.core.descriptor import Descriptor
from airstore.core.digest import Digest
from airstore.core.errors import TransferError
from airstore.core.limits import LIMITS
from airstore.core.progress import Advance
from airstore.registry.client import RegistryClient
from airstore.registry.faults import RESTART_HINT, RefusedError
from airstore.registry.manifests import read_manifest, write_manifest
from airstore.registry.parallel import run_all
from airstore.registry.plan import Mount, PushPlan, plan_push
from airstore.registry.referrers import list_by_api, list_by_tag, referrers_tag, with_referrers
from airstore.registry.upload import BlobReader, Uploader
from airstore.registry.wanted import Placed, Tag

__all__ = ["PushPlan", "PushResult", "Substitution", "plan_push", "push"]

_REFUSES_SPARSE = frozenset({400, 404, 422})


@dataclass(frozen=True)
class Substitution:
    """A tag that names one platform's manifest, because the registry refuses the sparse index."""

    repository: str
    tag: str
    index: Digest
    manifest: Descriptor


@dataclass(frozen=True)
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
    """

    uploaded: tuple[Placed, ...]
    mounted: tuple[Mount, ...]
    skipped: tuple[Placed, ...]
    manifests: tuple[Placed, ...]
    tags: tuple[Tag, ...]
    substituted: tuple[Substitution, ...]
    refused: tuple[Placed, ...]


def push(
    client: RegistryClient, plan: PushPlan, reader: BlobReader, advance: Advance, jobs: int = 4
) -> PushResult:
    """Carry a plan out; running it again after a failure goes on where it ended.

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
    pusher = _Pusher(client, plan, reader, jobs)
    uploader = Uploader(client.transport, reader, advance)
    mounted = pusher.move_blobs(uploader)
    refused = pusher.write_manifests()
    pusher.attach()
    tags, substituted = pusher.write_tags({placed.blob.digest for placed in refused})
    fallen_back = [mount.placed for mount in plan.mounts if mount not in mounted]
    return PushResult(
        uploaded=(*plan.uploads, *fallen_back),
        mounted=tuple(mounted),
        skipped=plan.present,
        manifests=tuple(placed for placed in plan.manifests if placed not in refused),
        tags=tuple(tags),
        substituted=tuple(substituted),
        refused=tuple(refused),
    )


class _Pusher:
    def __init__(self, client: RegistryClient, plan: PushPlan, reader: BlobReader, jobs: int) -> None:
        self._transport = client.transport
        self._plan = plan
        self._reader = reader
        self._jobs = jobs

    def move_blobs(self, uploader: Uploader) -> list[Mount]:
        """Upload, then mount; returns the mounts that were accepted."""

        def upload(placed: Placed) -> None:
            uploader.upload(placed.repository, placed.blob)

        def mount(wanted: Mount) -> bool:
            placed = wanted.placed
            accepted = uploader.mount(placed.repository, placed.blob, wanted.source)
            if not accepted:
                upload(placed)
            return accepted

        # Large blobs first: a large one left for the end would run alone.
        largest_first = sorted(self._plan.uploads, key=lambda placed: -placed.blob.size)
        run_all(upload, largest_first, self._jobs, uploader.stop)
        accepted = run_all(mount, self._plan.mounts, self._jobs, uploader.stop)
        return [wanted for wanted, yes in zip(self._plan.mounts, accepted, strict=True) if yes]

    def write_manifests(self) -> list[Placed]:
        """Each repository's in order; returns the sparse indexes that were refused."""
        by_repository: defaultdict[str, list[Placed]] = defaultdict(list)
        for placed in self._plan.manifests:
            by_repository[placed.repository].append(placed)
        refused = run_all(self._write_repository, by_repository.values(), self._jobs)
        return [placed for group in refused for placed in group]

    def attach(self) -> None:
        """Bring the listings of referrers up to date."""
        by_subject: defaultdict[tuple[str, Digest], list[Descriptor]] = defaultdict(list)
        for attachment in self._plan.attachments:
            by_subject[attachment.repository, attachment.subject].append(attachment.referrer)
        run_all(lambda entry: self._list(*entry[0], entry[1]), by_subject.items(), self._jobs)

    def write_tags(self, refused: set[Digest]) -> tuple[list[Tag], list[Substitution]]:
        """Write the tags; returns those written, and those that had to be given another target."""
        chosen = [(tag, _target(tag, refused)) for tag in self._plan.tags]
        new = [(tag, target) for tag, target in chosen if self._plan.current.get(tag) != target.digest]
        run_all(lambda entry: self._write(entry[0].repository, entry[0].name, entry[1]), new, self._jobs)
        substituted = [
            Substitution(tag.repository, tag.name, tag.target.digest, target)
            for tag, target in chosen
            if target.digest != tag.target.digest
        ]
        return [tag for tag, _ in new], substituted

    def _write_repository(self, group: Sequence[Placed]) -> list[Placed]:
        refused = []
        for placed in group:
            try:
                self._write(placed.repository, placed.blob.digest, placed.blob)
            except RefusedError as fault:
                if placed.blob.digest not in self._plan.sparse or fault.status not in _REFUSES_SPARSE:
                    raise
                refused.append(placed)
        return refused

    def _write(self, repository: str, selector: str, target: Descriptor) -> None:
        data = self._reader.read_bytes(target.digest, LIMITS.manifest)
        self._put(repository, selector, target.media_type, data)

    def _list(self, repository: str, subject: Digest, referrers: Iterable[Descriptor]) -> None:
        if list_by_api(self._transport, repository, subject) is not None:
            return  # the registry keeps its own list
        listed = list_by_tag(self._transport, repository, subject)
        data = with_referrers(listed, list(referrers))
        if data is not None:
            self._put(repository, referrers_tag(subject), oci.OCI_INDEX, data)

    def _put(self, repository: str, selector: str, media_type: str, data: bytes) -> None:
        write_manifest(self._transport, repository, selector, media_type, data)
        for place in {selector, str(Digest.of(data))}:
            found = read_manifest(self._transport, repository, place)
            if found is None or found[1] != data:
                what = f"{self._transport.endpoint.host}/{repository}: manifests/{place}"
                raise TransferError(
                    f"{what}: the registry took it but does not give it back", hint=RESTART_HINT
                )


def _target(tag: Tag, refused: set[Digest]) -> Descriptor:
    if tag.target.digest not in refused:
        return tag.target
    if not tag.substitutes:
        raise TransferError(
            f"{tag.repository}:{tag.name}: the registry refuses an index without all its platforms",
            hint="ship all platforms, or use a registry that takes such indexes",
        )
    return tag.substitutes[0]
