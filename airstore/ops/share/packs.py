"""Packs and trust roots of a shared store in a registry: one artifact for each release that was pushed.

It is tagged with the release's commit and lists every pack of the store. So which packs belong to a history
is said by the commit that git names, whoever else pushes meanwhile: no list that several write can be lost.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping

from airstore.core.errors import DamagedError, IncompleteError, NotFoundError
from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest, verified
from airstore.core.limits import LIMITS
from airstore.media.index import root_path, root_version
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.share.remotes import Remote
from airstore.ops.stores.releases.collected import parse_list
from airstore.registry.client.artifact import EMPTY_BLOB, Artifact, ArtifactFile, ArtifactRepository
from airstore.registry.faults import TransientError
from airstore.store.blobs import PackFile

KIND = "application/vnd.airstore.store.v1"
PACK_TYPE = "application/vnd.airstore.pack.v1"
ROOT_TYPE = "application/vnd.airstore.root.v1+json"
COLLECTED_TYPE = "application/vnd.airstore.collected.v1+json"


@frozen
class Listing:
    """What an artifact lists.

    Attributes:
        packs: every pack of the store, as it was when it was pushed.
        roots: trust roots by version, by digest and size; nothing of them is trusted.
        collected: the list of releases whose content was dropped; None where there is no such list.
    """

    packs: tuple[PackFile, ...]
    roots: Mapping[int, Descriptor]
    collected: Descriptor | None = None


class RemotePacks:
    """The packs at a remote; a source for packs that are here only in part.

    Args:
        remote: which one.
        access: how registries are reached.
    """

    def __init__(self, remote: Remote, access: RegistryOptions) -> None:
        place = remote.place
        self.repository = ArtifactRepository(remote.access(access).client(place.host), place.path)
        self._remote = remote

    def listing(self, commit: str) -> Listing | None:
        """What belongs to the history up to a commit; None where the registry does not say.

        Raises:
            DamagedError: what it says is not what airstore wrote.
            TransferError: the registry refused or broke off.
        """
        found = self.repository.find(commit, KIND)
        if found is None:
            return None
        packs = [file.blob for file in found.files if file.blob.media_type == PACK_TYPE]
        roots = {
            root_version(file.name): file.blob for file in found.files if file.blob.media_type == ROOT_TYPE
        }
        return Listing(
            tuple(PackFile(blob.digest, blob.size) for blob in packs),
            {version: blob for version, blob in roots.items() if version},
            next((file.blob for file in found.files if file.blob.media_type == COLLECTED_TYPE), None),
        )

    def read_collected(self, listing: Listing) -> dict[Digest, str]:
        """Versions of releases whose content was dropped, as whoever wrote the listing says.

        Raises:
            DamagedError: it is no such list.
            IncompleteError: it is lost.
            TransferError: the registry refused or broke off.
        """
        if listing.collected is None:
            return {}
        data = self._small(listing.collected, LIMITS.json_document)
        return parse_list(data, f"the list of dropped releases at {self.repository.name}")

    def read_roots(self, listing: Listing) -> dict[int, bytes]:
        """The trust roots of a listing.

        Raises:
            DamagedError: too many or too large ones, or other bytes than listed.
            IncompleteError: one is lost.
            TransferError: the registry refused or broke off.
        """
        if len(listing.roots) > LIMITS.trust_roots:
            raise DamagedError(f"{self.repository.name} lists more than {LIMITS.trust_roots} trust roots")
        return {version: self._small(blob, LIMITS.trust_root) for version, blob in listing.roots.items()}

    def read(self, pack: bytes, start: int, stop: int) -> bytes:
        """See `FarPacks`."""
        digest = Digest.from_raw(pack)
        try:
            return self.repository.read(digest, start, stop)
        except NotFoundError as fault:
            raise self.lost([digest]) from fault
        except TransientError as fault:
            # Some registries announce from a cache what they have lost, and break off: is it only that one?
            if self.repository.has(EMPTY_BLOB):
                raise self.lost([digest]) from fault
            raise

    def download(self, pack: PackFile) -> Generator[bytes, None, None]:
        """All of a pack; raises as `read`."""
        try:
            yield from self.repository.download(pack_blob(pack))
        except NotFoundError as fault:
            raise self.lost([pack.digest]) from fault

    def lost(self, packs: Iterable[Digest]) -> IncompleteError:
        """The error for packs that were pushed and are not there."""
        names = [digest.short for digest in packs]
        return IncompleteError(
            f"{self.repository.name} has lost {len(names)} packs of this store, such as {names[0]}",
            hint="run `airstore push` at a store that has them whole: it sends what the registry lacks",
        )

    def close(self) -> None:
        """Close every connection."""
        self.repository.close()

    def _small(self, blob: Descriptor, limit: int) -> bytes:
        if blob.size > limit:
            raise DamagedError(f"{self.repository.name} lists a {blob.media_type} of {blob.size} bytes")
        try:
            chunks = self.repository.download(blob)
            return b"".join(verified(chunks, blob.digest, blob.size, self.repository.name))
        except NotFoundError as fault:
            raise IncompleteError(str(fault), hint=fault.hint) from fault


def pack_blob(pack: PackFile) -> Descriptor:
    """A pack as a blob."""
    return Descriptor(PACK_TYPE, pack.digest, pack.size)


def root_blob(signed: bytes) -> Descriptor:
    """A trust root as a blob."""
    return Descriptor(ROOT_TYPE, Digest.of(signed), len(signed))


def collected_blob(document: bytes) -> Descriptor:
    """The list of dropped releases as a blob."""
    return Descriptor(COLLECTED_TYPE, Digest.of(document), len(document))


def artifact(
    packs: Iterable[PackFile],
    roots: Mapping[int, bytes],
    dropped: bytes | None,
    annotations: Mapping[str, str],
) -> Artifact:
    """The artifact of a store."""
    files = [ArtifactFile("", pack_blob(pack)) for pack in packs]
    files += [
        ArtifactFile(root_path(version), root_blob(signed)) for version, signed in sorted(roots.items())
    ]
    if dropped is not None:
        files.append(ArtifactFile("collected.json", collected_blob(dropped)))
    return Artifact(KIND, tuple(files), annotations)
