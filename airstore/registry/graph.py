"""Everything an image consists of: its index, manifests, configs, layers, and what is attached to them.

Digests make cycles impossible, but not wide or deep graphs; every bound is in `core.limits`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airstore.core import oci, strictjson
from airstore.core.descriptor import Descriptor, Platform
from airstore.core.digest import Digest, verified
from airstore.core.errors import DamagedError, NotFoundError
from airstore.core.limits import LIMITS
from airstore.core.oci import Manifest
from airstore.core.reference import Reference
from airstore.registry.source import ImageSource

_SUBJECT = "vnd.docker.reference.digest"  # BuildKit's attestation manifests name what they attest
_IMAGE_CONFIGS = frozenset({oci.OCI_CONFIG, "application/vnd.docker.container.image.v1+json"})


@dataclass(frozen=True)
class ImageGraph:
    """What travels for one image.

    Attributes:
        root: the manifest or index that the reference resolves to.
        blobs: everything that travels, documents and referrers included, each once, sorted by digest.
        documents: the bytes of every manifest and index among ``blobs``.
        referrers: manifests attached to something that travels, in the order found.
        missing: children of an index left out because only some platforms were asked for.
    """

    root: Descriptor
    blobs: tuple[Descriptor, ...]
    documents: Mapping[Digest, bytes] = field(hash=False)
    referrers: tuple[Descriptor, ...]
    missing: tuple[Descriptor, ...]


def read_document(source: ImageSource, reference: Reference, descriptor: Descriptor) -> bytes:
    """The verified bytes of a manifest, index or config.

    Raises:
        DamagedError: larger than registries accept, or not what the descriptor says.
    """
    what = f"{reference}: {descriptor.media_type}"
    if descriptor.size > LIMITS.manifest:
        raise DamagedError(
            f"{what} {descriptor.digest} is {descriptor.size} bytes; at most {LIMITS.manifest}"
        )
    chunks = source.open(reference, descriptor)
    return b"".join(verified(chunks, descriptor.digest, descriptor.size, what))


def walk(source: ImageSource, reference: Reference, platforms: Sequence[Platform] = ()) -> ImageGraph:
    """Resolve a reference and read the whole graph below and around it.

    Args:
        source: where the image is.
        reference: which image.
        platforms: children of an index that travel; empty means all. Attestations go with what they
            attest. Children without a platform always travel.

    Raises:
        NotFoundError: no such image, or none of its platforms is asked for.
        DamagedError: a document or descriptor is not acceptable; the message names it.
        TransferError: the source refused or broke off.
    """
    root = source.resolve(reference)
    if reference.digest not in {None, root.digest}:
        raise DamagedError(f"{reference}: the source answered with {root.digest}")
    walker = _Walker(source, reference, platforms)
    walker.visit(root, depth=0, selective=True)
    walker.attach()
    walker.check_platforms(root)
    return walker.graph(root)


class _Walker:
    def __init__(self, source: ImageSource, reference: Reference, platforms: Sequence[Platform]) -> None:
        self._source = source
        self._reference = reference
        self._platforms = platforms
        self._blobs: dict[Digest, Descriptor] = {}
        self._documents: dict[Digest, bytes] = {}
        self._parsed: dict[Digest, Manifest] = {}
        self._missing: dict[Digest, Descriptor] = {}
        self._referrers: dict[Digest, Descriptor] = {}
        self._document_bytes = 0

    def visit(self, descriptor: Descriptor, depth: int, *, selective: bool) -> Manifest:
        """Read one document and everything below it, once."""
        known = self._parsed.get(descriptor.digest)
        if known is not None:
            self._same(descriptor, known.media_type)
            return known
        if depth > LIMITS.index_depth:
            raise DamagedError(f"{self._reference}: indexes are nested deeper than {LIMITS.index_depth}")
        manifest = self._read(descriptor)
        for blob in manifest.blobs:
            self._add(blob)
        chosen, left = select(manifest.manifests, self._platforms if selective else ())
        for child in chosen:
            if child.media_type in oci.DOCUMENTS:
                self.visit(child, depth + 1, selective=selective)
            else:
                raise DamagedError(
                    f"{self._reference}: an index lists {child.digest} as {child.media_type!r}"
                )
        self._missing |= {child.digest: child for child in left}
        return manifest

    def attach(self) -> None:
        """Find what is attached to every document that travels, and to that in turn."""
        level = list(self._documents)
        for _ in range(LIMITS.index_depth):
            found = [pair for subject in level for pair in self._attached_to(subject)]
            before = set(self._documents)
            for subject, descriptor in found:
                self._check_subject(subject, self.visit(descriptor, 0, selective=False), descriptor)
                self._referrers.setdefault(descriptor.digest, descriptor)
            level = [digest for digest in self._documents if digest not in before]
            if not level:
                return
        raise DamagedError(f"{self._reference}: referrers are nested deeper than {LIMITS.index_depth}")

    def check_platforms(self, root: Descriptor) -> None:
        """Nodes refuse an image that is for none of their platforms; better to refuse it here.

        Raises:
            NotFoundError: the index has no such child, or a single manifest's config says otherwise.
        """
        manifest = self._parsed[root.digest]
        if manifest.media_type in oci.INDEXES:
            offered = [child for child in manifest.manifests if not _attests(child)]
            fits = not offered or any(child.digest in self._documents for child in offered)
            names = {str(child.platform) for child in offered}
        else:
            platform = self._config_platform(manifest.config)
            names = {str(platform)}
            fits = platform is None or any(_same_machine(platform, wanted) for wanted in self._platforms)
        if self._platforms and not fits:
            wanted = " or ".join(map(str, self._platforms))
            offer = ", ".join(sorted(names))
            raise NotFoundError(f"{self._reference} is not there for {wanted}", hint=f"it is for {offer}")

    def _config_platform(self, config: Descriptor | None) -> Platform | None:
        if not self._platforms or config is None or config.media_type not in _IMAGE_CONFIGS:
            return None
        data = read_document(self._source, self._reference, config)
        document = strictjson.load_object(data, f"{self._reference}: config {config.digest}")
        system, architecture = (document.get(key) for key in ("os", "architecture"))
        return Platform(str(system), str(architecture)) if system and architecture else None

    def graph(self, root: Descriptor) -> ImageGraph:
        """What was found, in a fixed order."""
        missing = [self._missing[digest] for digest in sorted(self._missing) if digest not in self._documents]
        return ImageGraph(
            root=self._blobs[root.digest],
            blobs=tuple(self._blobs[digest] for digest in sorted(self._blobs)),
            documents=self._documents,
            referrers=tuple(self._referrers.values()),
            missing=tuple(missing),
        )

    def _read(self, descriptor: Descriptor) -> Manifest:
        self._document_bytes += descriptor.size
        if len(self._documents) >= LIMITS.image_documents or self._document_bytes > LIMITS.json_document:
            raise DamagedError(f"{self._reference} has too many manifests and referrers")
        data = read_document(self._source, self._reference, descriptor)
        what = f"{self._reference}: {descriptor.digest}"
        manifest = oci.parse(data, descriptor.media_type, what)
        self._add(descriptor)
        # A digest first met as some manifest's layer is served as what it is.
        self._blobs[descriptor.digest] = descriptor
        self._documents[descriptor.digest] = data
        self._parsed[descriptor.digest] = manifest
        return manifest

    def _add(self, blob: Descriptor) -> None:
        known = self._blobs.setdefault(blob.digest, blob)
        if known.size != blob.size:
            raise DamagedError(f"{self._reference}: {blob.digest} is both {known.size} and {blob.size} bytes")

    def _same(self, descriptor: Descriptor, media_type: str) -> None:
        self._add(descriptor)
        if descriptor.media_type != media_type:
            both = f"{media_type!r} and {descriptor.media_type!r}"
            raise DamagedError(f"{self._reference}: {descriptor.digest} is listed as {both}")

    def _attached_to(self, subject: Digest) -> list[tuple[Digest, Descriptor]]:
        return [(subject, found) for found in self._source.referrers(self._reference, subject)]

    def _check_subject(self, subject: Digest, manifest: Manifest, descriptor: Descriptor) -> None:
        # Cosign's tag scheme has no subject field; the tag is the only link there.
        if manifest.subject is not None and manifest.subject.digest != subject:
            message = f"{descriptor.digest} was given as attached to {subject}"
            raise DamagedError(f"{self._reference}: {message} but says {manifest.subject.digest}")


def select(
    children: Sequence[Descriptor], platforms: Sequence[Platform]
) -> tuple[list[Descriptor], list[Descriptor]]:
    """Split an index's children into those that travel and those left out."""
    if not platforms:
        return list(children), []
    kept = {child.digest for child in children if not _attests(child) and _wanted(child, platforms)}
    listed = {child.digest for child in children}
    for child in filter(_attests, children):
        subject = child.annotations.get(_SUBJECT)
        if subject not in listed or subject in kept:
            kept.add(child.digest)
    chosen = [child for child in children if child.digest in kept]
    return chosen, [child for child in children if child.digest not in kept]


def _wanted(child: Descriptor, platforms: Sequence[Platform]) -> bool:
    return child.platform is None or any(child.platform.matches(wanted) for wanted in platforms)


def _same_machine(platform: Platform, wanted: Platform) -> bool:
    # Builders often leave the variant out of the config, so it does not count here.
    return (platform.os, platform.architecture) == (wanted.os, wanted.architecture)


def _attests(child: Descriptor) -> bool:
    return child.platform is not None and (child.platform.os, child.platform.architecture) == ("unknown",) * 2
