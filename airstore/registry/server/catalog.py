"""What the embedded registry offers: repositories, their tags and blobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Protocol

from airstore.core.errors import DamagedError, UsageError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.core.model.release import Artifact, Image, Release
from airstore.core.model.tags import settle_tags
from airstore.registry.source import REF_NAME


class BlobReader(Protocol):
    """Verified blobs by digest; used from many threads at once."""

    def size(self, digest: Digest) -> int | None:
        """Size in bytes; None where the blob is not there."""

    def read(self, digest: Digest, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Bytes from ``start`` to ``stop``. Raises NotFoundError or DamagedError, also while iterating."""


@frozen
class Repository:
    """One repository.

    Attributes:
        tags: tag to manifest or index.
        blobs: everything in it by digest, manifests and indexes included.
        attached: manifests that are attached to others.
    """

    tags: Mapping[str, Descriptor] = field(hash=False)
    blobs: Mapping[Digest, Descriptor] = field(hash=False)
    attached: tuple[Descriptor, ...] = ()

    def document(self, selector: str) -> Descriptor | None:
        """The manifest or index under a tag or a digest."""
        if ":" not in selector:
            return self.tags.get(selector)
        found = self.blobs.get(Digest(selector))
        return found if found and found.media_type in oci.DOCUMENTS else None


class Catalog(Protocol):
    """Repositories by name; asked anew for every request, from many threads at once."""

    def repositories(self) -> Sequence[str]:
        """Names, sorted."""

    def repository(self, name: str) -> Repository | None:
        """One of them; None where there is none of that name."""

    def absence(self, name: str, selector: str) -> str | None:
        """Why there is no such repository, tag or digest any more; None where there never was."""


class ReleaseCatalog:
    """The images and charts of releases; where two have one tag, that of the later release is served."""

    def __init__(self, releases: Sequence[Release]) -> None:
        """Gather what the releases contain, oldest first.

        Raises:
            UsageError: two artifacts of one release claim one tag of one repository for different content.
        """
        self._repositories: dict[str, Repository] = {}
        for release in releases:
            for name, repository in _of_release(release).items():
                known = self._repositories.get(name)
                self._repositories[name] = _merged(known, repository) if known else repository

    def repositories(self) -> Sequence[str]:
        """See `Catalog`."""
        return sorted(self._repositories)

    def repository(self, name: str) -> Repository | None:
        """See `Catalog`."""
        return self._repositories.get(name)

    def absence(self, name: str, selector: str) -> str | None:  # noqa: ARG002
        """See `Catalog`: nothing ever goes."""
        return None


def _of_release(release: Release) -> dict[str, Repository]:
    repositories: dict[str, Repository] = {}
    settled = settle_tags(release.artifacts)
    for place, one, other in settled.clashes:
        hint = "two images of different hosts share a path and a tag; give one of them another tag upstream"
        where = f"{release.product} {release.version}: {place.repository}:{place.tag}"
        raise UsageError(f"{where} is both {one.root.digest} and {other.root.digest}", hint=hint)
    for artifact in release.artifacts:
        own = _of_artifact(artifact, settled.of(artifact))
        known = repositories.get(artifact.repository)
        repositories[artifact.repository] = _merged(known, own) if known else own
    return repositories


def _of_artifact(artifact: Artifact, own: Sequence[str]) -> Repository:
    attached = artifact.referrers if isinstance(artifact, Image) else ()
    tags = dict.fromkeys(own, artifact.root)
    # Cosign finds signatures by a tag only; whoever found one noted the tag (see `ImageSource`).
    tags |= {entry.annotations[REF_NAME]: entry for entry in attached if REF_NAME in entry.annotations}
    return Repository(tags, {blob.digest: blob for blob in artifact.blobs}, attached)


def _merged(older: Repository, newer: Repository) -> Repository:
    attached = {entry.digest: entry for entry in (*older.attached, *newer.attached)}
    return Repository({**older.tags, **newer.tags}, {**older.blobs, **newer.blobs}, tuple(attached.values()))


def referrers_of(repository: Repository, subject: Digest, reader: BlobReader) -> list[Descriptor]:
    """What is attached to a manifest by its ``subject``, described as the referrers API does.

    Raises:
        DamagedError, NotFoundError: from the reader.
    """
    found = []
    for entry in repository.attached:
        document = oci.parse(read_document(reader, entry), entry.media_type, str(entry.digest))
        if document.subject is None or document.subject.digest != subject:
            continue
        config_type = document.config.media_type if document.config else ""
        kind = document.artifact_type or config_type
        found.append(replace(entry, artifact_type=kind, annotations=document.annotations))
    return found


def read_document(reader: BlobReader, entry: Descriptor) -> bytes:
    """A whole manifest or index.

    Raises:
        DamagedError: it is larger than manifests may be; otherwise from the reader.
        NotFoundError: from the reader.
    """
    if entry.size > LIMITS.manifest:
        raise DamagedError(f"manifest {entry.digest} is {entry.size} bytes; at most {LIMITS.manifest}")
    return b"".join(reader.read(entry.digest))
