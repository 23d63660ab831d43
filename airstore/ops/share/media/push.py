"""``airstore media push``: media as an artifact of a registry, a blob for each file."""

from __future__ import annotations

from typing import Any

from airstore.core.frozen import frozen
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.progress import Progress
from airstore.media.index import INDEX_NAME, MediaIndex, root_path
from airstore.media.reader import Media
from airstore.ops.registry.access import RegistryOptions
from airstore.ops.share.files import FileReader
from airstore.ops.share.places import MEDIA_KIND, parse_media_place
from airstore.registry.client.artifact import EMPTY, EMPTY_BLOB, Artifact, ArtifactFile, ArtifactRepository

_TYPE = "application/vnd.airstore.media.file.v1"


@frozen
class MediaPushed:
    """What a push of media did.

    Attributes:
        place: where they are now.
        files: files that were sent.
    """

    release: str
    place: str
    files: int
    bytes: int
    present_files: int

    def summary(self) -> dict[str, Any]:
        """For listings."""
        return dict(vars(self))


def push_media(media: Media, to: str, access: RegistryOptions, progress: Progress) -> MediaPushed:
    """Send the files of media that a registry lacks, each read back, and last the artifact under its tag.

    Args:
        media: of one directory, or all volumes; each slice is a blob of its own.
        to: ``oci://HOST/REPOSITORY[:TAG]``.
        access: how the registry is reached.
        progress: shows what is sent.

    Raises:
        UsageError: not such a place.
        DamagedError, IncompleteError: the media are not what their index says, or not all of them are at
            hand; the tag is as it was.
        TransferError: the registry refused or broke off; what arrived is not sent again.
    """
    place, index = parse_media_place(to), media.claimed_index()
    media.check_present(index)
    documents = _documents(media)
    blobs = {name: Descriptor(_TYPE, Digest.of(data), len(data)) for name, data in documents.items()}
    pieces = index.content_pieces
    blobs |= {name: Descriptor(_TYPE, piece.digest, piece.size) for name, piece in pieces.items()}
    repository = ArtifactRepository(access.client(place.host), place.path)
    try:
        lacking = repository.lacking([EMPTY_BLOB, *blobs.values()])
        repository.upload(_reader(media, index, documents), lacking, progress)
        files = tuple(ArtifactFile(name, blob) for name, blob in sorted(blobs.items()))
        repository.put(place.selector, Artifact(MEDIA_KIND, files, {"vnd.airstore.product": index.product}))
    finally:
        repository.close()
    sent = [blob for blob in lacking if blob.media_type == _TYPE]
    total = sum(blob.size for blob in sent)
    return MediaPushed(index.release.version, str(place), len(sent), total, len(blobs) - len(sent))


def _documents(media: Media) -> dict[str, bytes]:
    """The index, and the trust roots, which it does not list."""
    return {INDEX_NAME: media.envelope} | {root_path(n): data for n, data in media.roots().items()}


def _reader(media: Media, index: MediaIndex, documents: dict[str, bytes]) -> FileReader:
    places = {piece.digest: media.place(name) for name, piece in index.content_pieces.items()}
    return FileReader(places, {Digest.of(data): data for data in (EMPTY, *documents.values())})
