"""Which bills of materials an image came with: attached by anybody's tool, or attested within its index."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from airstore.core.errors import AirstoreError, DamagedError
from airstore.core.frozen import frozen
from airstore.core.image import oci
from airstore.core.image.descriptor import Descriptor
from airstore.core.image.digest import Digest
from airstore.core.limits import LIMITS
from airstore.core.model.release import Image
from airstore.core.parsing import strictjson
from airstore.ops.review.sbom.documents import Bom, read_bom
from airstore.registry.source import REF_NAME
from airstore.store.blobs import BlobStore
from airstore.trust.wire import decode_base64

_SUBJECT = "vnd.docker.reference.digest"  # BuildKit's attestation manifests name what they attest
_TAG = re.compile(r"sha256-([0-9a-f]{64})\.(?:att|sbom)$")
_PREDICATES = ("in-toto.io/predicate-type", "predicateType", "dev.sigstore.bundle.predicateType")
_KINDS = ("spdx", "cyclonedx", "openvex")
_WRAPPED = ("in-toto", "dsse", "sigstore.bundle")


@frozen
class AttachedBom:
    """One document, not read yet.

    Attributes:
        platform: of what it describes; empty for the whole image.
        carrier: the manifest that it came in.
        blob: the document itself, or an attestation that holds it.
        kind: what its carrier says that it is, such as ``text/spdx+json``.
    """

    platform: str
    carrier: Digest
    blob: Descriptor
    kind: str


def attached_boms(image: Image, blobs: BlobStore) -> tuple[AttachedBom, ...]:
    """Every document that may be one, by what manifests say of it; only those are read.

    Raises:
        NotFoundError: a manifest is not here.
        DamagedError: it cannot be read.
    """
    return tuple(_Finder(image, blobs).found())


def read_attached(attached: AttachedBom, blobs: BlobStore) -> Bom:
    """Read it; nobody has verified what it says.

    Raises:
        NotFoundError: it is not here.
        DamagedError: it is none, or cannot be read.
    """
    data = blobs.read_bytes(attached.blob.digest, LIMITS.json_document)
    what = f"SBOM {attached.blob.digest.short}"
    try:
        bom = read_bom(_unwrapped(strictjson.loads(data, what), what))
    except DamagedError as fault:
        raise DamagedError(f"{what}: {fault}" if not str(fault).startswith(what) else str(fault)) from fault
    if bom is None:
        raise DamagedError(f"{what} ({attached.kind}) is in no form that is read: SPDX or CycloneDX as JSON")
    return bom


class _Finder:
    def __init__(self, image: Image, blobs: BlobStore) -> None:
        self._image, self._blobs = image, blobs
        self._here = {blob.digest for blob in image.blobs}
        self._platforms: dict[Digest, str] = {}

    def found(self) -> Iterator[AttachedBom]:
        attesting = list(self._attesting(self._image.root))
        for described, subject in (*attesting, *((each, _subject(each)) for each in self._image.referrers)):
            manifest = self._manifest(described)
            about = manifest.subject.digest if manifest.subject else subject
            if manifest.media_type in oci.MANIFESTS:
                yield from self._in(described, manifest, self._platforms.get(about, "") if about else "")

    def _attesting(self, root: Descriptor) -> Iterator[tuple[Descriptor, Digest | None]]:
        for child in self._manifest(root).manifests:
            if child.digest not in self._here:
                continue
            if child.platform and child.platform.os == "unknown":
                text = child.annotations.get(_SUBJECT, "")
                yield child, Digest(text) if text else None
            elif child.platform:
                self._platforms[child.digest] = str(child.platform)

    def _in(self, described: Descriptor, manifest: oci.Manifest, platform: str) -> Iterator[AttachedBom]:
        for layer in manifest.layers:
            says = [layer.annotations.get(key) or manifest.annotations.get(key) or "" for key in _PREDICATES]
            kind = next(filter(None, says), "") or layer.media_type
            if not _names_one(kind) and _names_one(manifest.artifact_type):
                kind = manifest.artifact_type
            wrapped = kind == layer.media_type and any(word in kind for word in _WRAPPED)
            if layer.digest in self._here and (_names_one(kind) or (wrapped and self._holds_one(layer))):
                yield AttachedBom(platform, described.digest, layer, kind)

    def _holds_one(self, layer: Descriptor) -> bool:
        """An attestation whose manifest does not say of what: it says so itself."""
        try:
            data = self._blobs.read_bytes(layer.digest, LIMITS.json_document)
            return read_bom(_unwrapped(strictjson.loads(data, "attestation"), "attestation")) is not None
        except AirstoreError:  # something else, or nothing that can be listed
            return False

    def _manifest(self, described: Descriptor) -> oci.Manifest:
        data = self._blobs.read_bytes(described.digest, LIMITS.manifest)
        return oci.parse(data, described.media_type, f"manifest {described.digest}")


def _names_one(kind: str) -> bool:
    return any(word in kind.lower() for word in _KINDS)


def _subject(referrer: Descriptor) -> Digest | None:
    """Of what only cosign's tag says what it is attached to."""
    found = _TAG.match(referrer.annotations.get(REF_NAME, ""))
    return Digest(f"sha256:{found[1]}") if found else None


def _unwrapped(document: Any, what: str) -> Any:
    """Out of a bundle, an envelope and a statement, whichever there are."""
    if isinstance(document, Mapping) and isinstance(document.get("dsseEnvelope"), dict):
        document = document["dsseEnvelope"]
    if isinstance(document, Mapping) and isinstance(document.get("payload"), str):
        document = strictjson.loads(decode_base64(document["payload"], what), what)
    if isinstance(document, Mapping) and "predicateType" in document:
        document = document.get("predicate")
        if isinstance(document, Mapping) and "Data" in document:  # cosign of before 2
            document = document["Data"]
        if isinstance(document, str):
            document = strictjson.loads(document.encode(), what)
    return document
