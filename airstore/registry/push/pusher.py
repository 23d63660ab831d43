"""The steps of a push, and what became of each optional part; `push` runs them in their order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from airstore.core.errors import DamagedError, TransferError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.registry.client.manifests import FoundManifest, find_manifest, write_manifest
from airstore.registry.client.referrers import list_by_api, read_listing, referrers_tag, with_referrers
from airstore.registry.client.registry import RegistryClient
from airstore.registry.client.upload import RangeReader, Uploader
from airstore.registry.faults import RESTART_HINT, RefusedError
from airstore.registry.parallel import run_all
from airstore.registry.push.contents import Placed, TagPush
from airstore.registry.push.plan import Mount, PushPlan

_REFUSES_SPARSE = frozenset({400, 404, 422})


@frozen
class Substitution:
    """A tag that names one platform's manifest, because the registry refuses the sparse index."""

    repository: str
    tag: str
    index: Digest
    manifest: Descriptor


@frozen
class Unattached:
    """An attachment that the registry does not have, or does not list, after a push.

    Attributes:
        digest: the attachment, or what it is attached to where only the listing failed.
        why: what the registry answered.
    """

    repository: str
    digest: Digest
    why: str


class Pusher:
    """Writes one plan to one registry.

    Attributes:
        lost: optional blobs and manifests that were refused, and why.
    """

    def __init__(self, client: RegistryClient, plan: PushPlan, reader: RangeReader, jobs: int) -> None:
        self._transport = client.transport
        self._plan = plan
        self._reader = reader
        self._jobs = jobs
        self._unlisted: list[Unattached] = []
        self.lost: dict[Placed, str] = {}

    def unattached(self) -> tuple[Unattached, ...]:
        """Attachments that did not arrive whole, each once."""
        documents = {p for p in self.lost if p.blob.media_type in oci.DOCUMENTS}
        lost = [Unattached(p.repository, p.blob.digest, self.lost[p]) for p in self.lost if p in documents]
        return tuple(dict.fromkeys([*lost, *self._unlisted]))

    def move_blobs(self, uploader: Uploader) -> list[Mount]:
        """Upload, then mount; returns the mounts that were accepted."""

        def upload(placed: Placed) -> None:
            self._try(placed, lambda: uploader.upload(placed.repository, placed.blob))

        def mount(wanted: Mount) -> bool:
            placed = wanted.placed
            try:
                accepted = uploader.mount(placed.repository, placed.blob, wanted.source)
            except TransferError:
                if placed not in self._plan.optional:
                    raise
                accepted = False
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
            if placed in self._plan.by_tag:
                continue
            by_repository[placed.repository].append(placed)
        refused = run_all(self._write_repository, by_repository.values(), self._jobs)
        return [placed for group in refused for placed in group]

    def attach(self) -> None:
        """Bring the listings of referrers up to date."""
        by_subject: defaultdict[tuple[str, Digest], list[Descriptor]] = defaultdict(list)
        for attachment in self._plan.attachments:
            if Placed(attachment.repository, attachment.referrer) not in self.lost:
                by_subject[attachment.repository, attachment.subject].append(attachment.referrer)
        run_all(lambda entry: self._list(*entry[0], entry[1]), by_subject.items(), self._jobs)

    def write_tags(self, refused: set[Digest]) -> tuple[list[TagPush], list[Substitution]]:
        """Write the tags; returns those written, and those that had to be given another target."""
        chosen = [(tag, _target(tag, refused)) for tag in self._plan.tags if not self._is_lost(tag)]
        new = [(tag, target) for tag, target in chosen if self._plan.current.get(tag) != target.digest]
        run_all(lambda entry: self._tag(*entry), new, self._jobs)
        substituted = [
            Substitution(tag.repository, tag.name, tag.target.digest, target)
            for tag, target in chosen
            if target.digest != tag.target.digest
        ]
        return [tag for tag, _ in new if not self._is_lost(tag)], substituted

    def _try(self, placed: Placed, write: Callable[[], None]) -> None:
        """Write something; the registry's refusal of what is optional is noted, any other is raised."""
        try:
            write()
        except TransferError as fault:
            if placed not in self._plan.optional:
                raise
            self.lost[placed] = str(fault)

    def _is_lost(self, tag: TagPush) -> bool:
        return Placed(tag.repository, tag.target) in self.lost

    def _tag(self, tag: TagPush, target: Descriptor) -> None:
        placed = Placed(tag.repository, target)
        self._try(placed, lambda: self._write(tag.repository, tag.name, target))

    def _write_repository(self, group: Sequence[Placed]) -> list[Placed]:
        refused: list[Placed] = []
        for placed in group:
            missing = self._missing_below(placed, refused)
            if missing and placed in self._plan.optional:
                self.lost[placed] = missing
                continue
            try:
                self._try(placed, lambda: self._write(placed.repository, placed.blob.digest, placed.blob))  # noqa: B023
            except RefusedError as fault:
                sparse = missing or placed.blob.digest in self._plan.sparse
                if not sparse or fault.status not in _REFUSES_SPARSE:
                    raise
                refused.append(placed)
        return refused

    def _missing_below(self, placed: Placed, refused: Sequence[Placed]) -> str | None:
        """Why a manifest would refer to something that the registry has not got; None if it would not."""
        if not self.lost and not refused:
            return None
        data = self._reader.read_bytes(placed.blob.digest, LIMITS.manifest)
        manifest = oci.parse(data, placed.blob.media_type, f"{placed.repository}: {placed.blob.digest}")
        below = [Placed(placed.repository, entry) for entry in (*manifest.blobs, *manifest.manifests)]
        lost = [self.lost[entry] for entry in below if entry in self.lost]
        if lost:
            return lost[0]
        return "an index below it was refused" if set(below) & set(refused) else None

    def _write(self, repository: str, selector: str, target: Descriptor) -> None:
        data = self._reader.read_bytes(target.digest, LIMITS.manifest)
        self._put(repository, selector, target.media_type, data)

    def _list(self, repository: str, subject: Digest, referrers: Sequence[Descriptor]) -> None:
        try:
            self._update_listing(repository, subject, referrers)
        except (TransferError, DamagedError) as fault:  # the registry's answers alone are read here
            why = f"{self._transport.endpoint.host} does not list it: {fault}"
            self._unlisted += [Unattached(repository, each.digest, why) for each in referrers]

    def _update_listing(self, repository: str, subject: Digest, referrers: Sequence[Descriptor]) -> None:
        if self._has_api(repository, subject):
            return  # the registry keeps its own list
        listed, other = read_listing(self._transport, repository, subject)
        if other not in {None, subject}:  # some registries answer a digest's tag with that digest
            tag = referrers_tag(subject)
            raise TransferError(f"{repository}:{tag} names something that is no list of attachments")
        data = with_referrers(list(listed), list(referrers))
        if data is not None:
            self._put(repository, referrers_tag(subject), oci.OCI_INDEX, data)

    def _has_api(self, repository: str, subject: Digest) -> bool:
        try:
            return list_by_api(self._transport, repository, subject) is not None
        except (TransferError, DamagedError):
            return False  # then clients fall back on the tag, too

    def _put(self, repository: str, selector: str, media_type: str, data: bytes) -> None:
        write_manifest(self._transport, repository, selector, media_type, data)
        found = self._require_back(repository, selector, data)
        digest = str(found.descriptor.digest)
        # A registry that does not say the digest may have it under the tag alone.
        if selector != digest and not found.vouched:
            self._require_back(repository, digest, data)

    def _require_back(self, repository: str, selector: str, data: bytes) -> FoundManifest:
        try:
            found = find_manifest(self._transport, repository, selector)
        except DamagedError as fault:
            raise TransferError(str(fault), hint=RESTART_HINT) from fault
        if found is None or found.data != data:
            what = f"{self._transport.endpoint.host}/{repository}: manifests/{selector}"
            raise TransferError(f"{what}: the registry took it but does not give it back", hint=RESTART_HINT)
        return found


def _target(tag: TagPush, refused: set[Digest]) -> Descriptor:
    if tag.target.digest not in refused:
        return tag.target
    if not tag.substitutes:
        raise TransferError(
            f"{tag.repository}:{tag.name}: the registry refuses an index without all its platforms",
            hint="ship all platforms, or use a registry that takes such indexes",
        )
    return tag.substitutes[0]
