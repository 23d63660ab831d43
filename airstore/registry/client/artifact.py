"""Files as blobs of an artifact in a registry (OCI image-spec 1.1, "Guidelines for artifact usage").

The manifest lists them by digest, with a name each; ranges of a blob can be read without the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import partial

from airstore.core.errors import DamagedError, TransferError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.limits import KIB
from airstore.core.progress import Progress
from airstore.registry.client.download import Download, absence, begins_at
from airstore.registry.client.manifests import delete_manifest, read_manifest, write_manifest
from airstore.registry.client.registry import RegistryClient
from airstore.registry.client.transport import RegistryRequest
from airstore.registry.client.upload import RangeReader, Uploader, prove
from airstore.registry.faults import RESTART_HINT, TransientError, network_errors
from airstore.registry.parallel import run_all

EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY_BLOB = Descriptor(EMPTY_TYPE, Digest.of(EMPTY), len(EMPTY))  # in place of an artifact's configuration
TITLE = "org.opencontainers.image.title"
_CHUNK = 256 * KIB
_JOBS = 4  # uploads at once


@frozen
class ArtifactFile:
    """One file of an artifact.

    Attributes:
        name: its relative path; empty where the digest says it.
        blob: its media type, digest and size.
    """

    name: str
    blob: Descriptor


@frozen
class Artifact:
    """What a manifest says.

    Attributes:
        kind: the artifact type.
        files: in order.
    """

    kind: str
    files: tuple[ArtifactFile, ...]
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    def to_bytes(self) -> bytes:
        """The manifest; the same artifact gives the same bytes."""
        config = _layer(ArtifactFile("", EMPTY_BLOB))
        document = {
            "schemaVersion": 2,
            "mediaType": oci.OCI_MANIFEST,
            "artifactType": self.kind,
            "config": config,
            "layers": [_layer(file) for file in self.files] or [config],
            "annotations": dict(self.annotations),
        }
        # In few bytes: the list of a store with many packs is written and read by each push.
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


class ArtifactRepository:
    """One repository; threads may share it.

    Args:
        client: its registry.
        path: of the repository.
    """

    def __init__(self, client: RegistryClient, path: str) -> None:
        self._client = client
        self._transport, self._path = client.transport, client.repository(path)
        self.name = f"{client.host}/{self._path}"

    def find(self, selector: str, kind: str) -> Artifact | None:
        """The artifact of that tag or digest; None where there is none.

        Raises:
            DamagedError: there is something else.
            TransferError: the registry refused or broke off.
        """
        found = read_manifest(self._transport, self._path, selector)
        if found is None:
            return None
        manifest = oci.parse(found[1], found[0].media_type, f"{self.name}:{selector}")
        if manifest.artifact_type != kind:
            raise DamagedError(
                f"{self.name}:{selector} is no {kind}: it is {manifest.artifact_type or 'an image'}",
                hint="name the repository that airstore pushed to",
            )
        files = (ArtifactFile(layer.annotations.get(TITLE, ""), layer) for layer in manifest.layers)
        return Artifact(
            kind, tuple(file for file in files if file.blob.media_type != EMPTY_TYPE), manifest.annotations
        )

    def digest_of(self, selector: str) -> Digest | None:
        """The digest of the artifact of that tag; None where there is none.

        Raises:
            TransferError: the registry refused or broke off.
        """
        found = read_manifest(self._transport, self._path, selector)
        return found[0].digest if found else None

    def delete(self, digest: Digest) -> bool:
        """Delete an artifact with every tag of it; whether it was there. Its blobs stay.

        Raises:
            TransferError: the registry does not allow it, or broke off.
        """
        return delete_manifest(self._transport, self._path, str(digest))

    def has(self, blob: Descriptor) -> bool:
        """Whether the registry really has a blob; see `prove`.

        Raises:
            TransferError: the registry refused or broke off.
        """
        return prove(self._transport, self._path, blob)

    def put(self, selector: str, artifact: Artifact) -> None:
        """Write an artifact whose blobs are there, and read it back.

        Raises:
            TransferError: the registry refused, or does not give back what it took.
        """
        data = artifact.to_bytes()
        write_manifest(self._transport, self._path, selector, oci.OCI_MANIFEST, data)
        found = read_manifest(self._transport, self._path, selector)
        if found is None or found[1] != data:
            what = f"{self.name}:{selector}"
            raise TransferError(f"{what}: the registry took it but does not give it back", hint=RESTART_HINT)

    def lacking(self, blobs: Iterable[Descriptor]) -> list[Descriptor]:
        """Those of the blobs that the registry does not have; see `has`.

        Raises:
            TransferError: the registry refused or broke off.
        """
        asked = list(blobs)
        present = run_all(self.has, asked, 2 * _JOBS)
        return [blob for blob, there in zip(asked, present, strict=True) if not there]

    def upload(self, reader: RangeReader, blobs: Sequence[Descriptor], progress: Progress) -> None:
        """Send blobs, each read back.

        Raises:
            TransferError: the registry refused or broke off; what arrived stays and is not sent again.
            DamagedError: what is read is not what its digest says.
        """
        with progress.task(f"pushing to {self.name}", sum(blob.size for blob in blobs)) as advance:
            uploader = Uploader(self._transport, reader, advance)
            run_all(partial(uploader.upload, self._path), blobs, _JOBS, uploader.stop)

    def download(self, blob: Descriptor, start: int = 0) -> Iterator[bytes]:
        """The bytes of a blob from ``start`` on, taken up again where a connection breaks; not verified.

        Raises:
            NotFoundError: the registry has no such blob.
            TransferError: it refused or broke off.
        """
        request = RegistryRequest("GET", self._path, f"blobs/{blob.digest}")
        return iter(Download(self._transport, request, blob.size, start))

    def read(self, blob: Digest, start: int, stop: int) -> bytes:
        """A range of a blob, in memory; nothing is verified but the length.

        Raises:
            NotFoundError: the registry has no such blob.
            TransferError: it refused or broke off.
        """
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        request = RegistryRequest("GET", self._path, f"blobs/{blob}", headers, expect=(200, 206))
        with absence():
            return self._transport.endpoint.retry.run(lambda: self._range(request, start, stop))

    def _range(self, request: RegistryRequest, start: int, stop: int) -> bytes:
        what = self._transport.describe(request)
        data = bytearray()
        with self._transport.once(request) as response:
            at = begins_at(response, what)
            with network_errors(what, self._transport.endpoint.stall):
                for chunk in response.raw.stream(_CHUNK, decode_content=False):
                    data += chunk[max(0, start - at) : max(0, stop - at)]
                    at += len(chunk)
                    if at >= stop:
                        break
        if len(data) != stop - start:
            raise TransientError(f"{what} ended before byte {stop}")
        return bytes(data)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


def _layer(file: ArtifactFile) -> dict[str, object]:
    blob = file.blob
    named = {"annotations": {TITLE: file.name}} if file.name else {}
    return {"mediaType": blob.media_type, "digest": str(blob.digest), "size": blob.size, **named}
