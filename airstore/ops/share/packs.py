"""Packs and trust roots of a shared store in a registry: one artifact for each release that was pushed.

It is tagged with the release's commit and lists every pack of the store. So which packs belong to a history
is said by the commit that git names, whoever else pushes meanwhile: no list that several write can be lost.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass

from airstore.core.errors import DamagedError, IncompleteError, NotFoundError
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest, verified
from airstore.core.limits import LIMITS
from airstore.media.index import root_path, root_version
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.share.remotes import Remote
from airstore.registry.client.artifact import EMPTY_BLOB, Artifact, ArtifactFile, ArtifactRepository
from airstore.registry.faults import TransientError
from airstore.store.blobs import PackFile

KIND = "application/vnd.airstore.store.v1"
PACK_TYPE = "application/vnd.airstore.pack.v1"
ROOT_TYPE = "application/vnd.airstore.root.v1+json"


@dataclass(frozen=True)
class Listing:
    """What an artifact lists.

    Attributes:
        packs: every pack of the store, as it was when it was pushed.
        roots: trust roots by version, by digest and size; nothing of them is trusted.
    """

    packs: tuple[PackFile, ...]
    roots: Mapping[int, Descriptor]


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
        )

    def read_roots(self, listing: Listing) -> dict[int, bytes]:
        """The trust roots of a listing.

        Raises:
            DamagedError: too many or too large ones, or other bytes than listed.
            IncompleteError: one is lost.
            TransferError: the registry refused or broke off.
        """
        if len(listing.roots) > LIMITS.trust_roots:
            raise DamagedError(f"{self.repository.name} lists more than {LIMITS.trust_roots} trust roots")
        return {version: self._small(blob) for version, blob in listing.roots.items()}

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

    def _small(self, blob: Descriptor) -> bytes:
        if blob.size > LIMITS.trust_root:
            raise DamagedError(f"{self.repository.name} lists a trust root of {blob.size} bytes")
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


def artifact(
    packs: Iterable[PackFile], roots: Mapping[int, bytes], annotations: Mapping[str, str]
) -> Artifact:
    """The artifact of a store."""
    files = [ArtifactFile("", pack_blob(pack)) for pack in packs]
    files += [
        ArtifactFile(root_path(version), root_blob(signed)) for version, signed in sorted(roots.items())
    ]
    return Artifact(KIND, tuple(files), annotations)
