"""One image as an OCI archive, written as a stream, for runtimes that import archives.

Sources: image-spec, "Image Layout"; containerd takes the image's name from ``io.containerd.image.name``.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from typing import Protocol

from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.model.release import Image
from airstore.registry.client.upload import RangeReader

_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"


class ArchiveSink(Protocol):
    """Where the archive goes."""

    def write(self, data: bytes, /) -> object:
        """Take all of these bytes."""


def write_oci_archive(sink: ArchiveSink, image: Image, name: str, reader: RangeReader) -> None:
    """Write an image and everything below it; the same image gives the same bytes.

    Args:
        sink: takes the archive; must not be used if this raises.
        image: of a release; its referrers are left out.
        name: the reference under which it is imported.
        reader: gives the blobs.

    Raises:
        NotFoundError, DamagedError: the reader cannot give a blob.
    """
    left_out = {blob.digest for blob in image.referrers}
    root = {**image.root.to_json(), "annotations": {_NAME: name, _REF_NAME: image.reference.tag or name}}
    index = {"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": [root]}
    _member(sink, "oci-layout", [b'{"imageLayoutVersion":"1.0.0"}'], 30)
    data = json.dumps(index, separators=(",", ":")).encode()
    _member(sink, "index.json", [data], len(data))
    for blob in _once((image.root, *image.blobs)):
        if blob.digest not in left_out:
            _member(sink, f"blobs/sha256/{blob.digest.hex}", reader.read(blob.digest), blob.size)
    sink.write(bytes(2 * tarfile.BLOCKSIZE))


def _member(sink: ArchiveSink, path: str, chunks: Iterable[bytes], size: int) -> None:
    header = tarfile.TarInfo(path)
    header.size, header.mode = size, 0o644
    sink.write(header.tobuf(tarfile.USTAR_FORMAT))
    for chunk in chunks:
        sink.write(chunk)
    sink.write(bytes(-size % tarfile.BLOCKSIZE))


def _once(blobs: Iterable[Descriptor]) -> Iterator[Descriptor]:
    seen: set[Digest] = set()
    for blob in blobs:
        if blob.digest not in seen:
            seen.add(blob.digest)
            yield blob
